"""The plan of a sweep: its cells, their names and identities. Pure."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = ("tracking", "isolation")  # sections that don't change what is measured
SHOWN_KEYS = (
    "workload.batch_size",
    "workload.threads",
    "device",
)  # in a run's title, with tactic.*


@dataclass(frozen=True)
class Cell:
    """One run of a sweep: its overrides, and the name a person reads."""

    overrides: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Exclusion:
    """A cell that is not run, and why."""

    title: str
    reason: str


def product(choices: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Returns the Cartesian product of the overrides; the first varies slowest."""
    return list(itertools.product(*choices))


def title(choices: Mapping[str, str], model_title: str | None, overrides: Iterable[str]) -> str:
    """Returns `model · tactic`, with those options of the command line that tell runs apart.

    Args:
        choices: the options chosen, by group.
        model_title: a name to show in place of the model's choice.
        overrides: of the command line, as `key=value`.
    """
    options = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if key.startswith("tactic.") or key in SHOWN_KEYS:
            options.append(f"{key.rpartition('.')[2]}={value}")
    parts = [model_title or choices["model"], " ".join([choices["tactic"], *options])]
    return " · ".join(parts)


def cell_hash(configuration: Mapping[str, Any]) -> str:
    """Returns the identity of a configuration: equal for runs that measure the same thing."""
    measured = {key: value for key, value in configuration.items() if key not in NOT_MEASURED}
    canonical = json.dumps(measured, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def exclusion_lines(exclusions: Sequence[Exclusion], total: int) -> list[str]:
    """Returns a line for each reason: how many cells of the plan it leaves out, and which."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for exclusion in exclusions:
        by_reason[exclusion.reason].append(exclusion.title)
    return [
        f"left out {len(titles)} of {total} runs: {reason} ({', '.join(titles[:3])}"
        f"{', …' if len(titles) > 3 else ''})"
        for reason, titles in by_reason.items()
    ]
