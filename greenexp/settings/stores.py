"""Which stores and journals a report reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.errors import BadInput
from greenexp.settings.sweep import Tracking


@dataclass
class Stores:
    """Where the runs of a report are: in one MLflow store, or in several."""

    uri: Any = "sqlite:///mlruns/mlflow.db"  # an address, or a list of addresses
    experiment: str = "greenexp"
    artifacts: str | None = None  # as runs have it; nothing is made here
    journal: str = "multirun"  # folder that the report's own folder stands in
    offline: bool = False  # as runs have it
    timeout_s: float = 10.0  # s that one answer of a server may take
    locked_s: float = 60.0  # s that a SQLite store is waited for while another process holds it

    def __post_init__(self) -> None:
        self.each()

    def each(self) -> list[Tracking]:
        """Returns the settings of each store, in order.

        Raises:
            BadInput: where one is no address, or a number is out of range.
        """
        return [
            Tracking(**{**vars(self), "uri": uri})
            for uri in listed("tracking.uri", self.uri, "an address, or a list: [address,address]")
        ]


def listed(key: str, given: Any, allowed: str) -> list[str]:
    """Returns the words that were given for a key, each once, one alone as a list.

    Args:
        key: for the message.
        given: a word or a list of words.
        allowed: for the message.

    Raises:
        BadInput: where nothing, or something else, was given.
    """
    words = [given] if isinstance(given, str | int | float) else given
    known = isinstance(words, Sequence) and all(isinstance(word, str | int) for word in words)
    if not known or not words or not all(str(word).strip() for word in words):
        raise BadInput(f"{key}={given} names nothing; allowed: {allowed}")
    return list(dict.fromkeys(map(str, words)))
