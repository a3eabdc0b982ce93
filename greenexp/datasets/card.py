"""What is known of a data set without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict

from greenexp.settings.checks import check_range


@dataclass(frozen=True)
class DatasetCard:
    """Facts about a data set as they were found; None: not found.

    Attributes:
        images: in the evaluation split.
        classes: of the data set, though its label space may have more.
        gated: whether the hub asks for terms to be accepted and for a log-in first.
        licence: as its page declares it.
        source: where the facts stand.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a typo is no fact

    images: int | None = None
    classes: int | None = None
    gated: bool = False
    licence: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("dataset.card.images", self.images, at_least=1)
        check_range("dataset.card.classes", self.classes, at_least=1)
