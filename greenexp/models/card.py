"""What is known of a checkpoint without loading it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from pydantic import ConfigDict

from greenexp.errors import BadInput
from greenexp.settings.checks import check_range

SOURCED = ("gmacs", "reported_top1")  # figures that another field gives the origin of


@dataclass(frozen=True)
class Card:
    """Facts about a checkpoint as they were found; None: not found. No measurement uses them.

    Attributes:
        family: architecture family, e.g. `ViT`.
        image_size: side of the square input, px.
        parameters_m: weights and biases, millions.
        gmacs: multiply-accumulates for one image of that size, 10^9.
        gmacs_source: how `gmacs` was found.
        reported_top1: fraction right, as its author reports it under their own preprocessing.
        reported_top1_source: where `reported_top1` stands.
        licence: as the hub's page declares it.
        weights: kinds of weight files seen on the hub's main branch.
        source: where the checkpoint was seen.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # a typo is no fact

    family: str | None = None
    image_size: int | None = None
    parameters_m: float | None = None
    gmacs: float | None = None
    gmacs_source: str | None = None
    reported_top1: float | None = None
    reported_top1_source: str | None = None
    licence: str | None = None
    weights: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("model.card.image_size", self.image_size, at_least=1)
        check_range("model.card.parameters_m", self.parameters_m, above=0)
        check_range("model.card.gmacs", self.gmacs, above=0)
        check_range("model.card.reported_top1", self.reported_top1, at_least=0, at_most=1)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and not value.strip():
                raise BadInput(f"model.card.{field.name} is empty; give a text, or null: not found")
        for name in SOURCED:
            if getattr(self, name) is not None and getattr(self, f"{name}_source") is None:
                raise BadInput(
                    f"model.card.{name}={getattr(self, name)} has no source; "
                    f"give model.card.{name}_source=…"
                )
