"""What the engines' tactics share before torch is loaded: two options, and what planning knows."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.protocols import NOT_FLOAT32, Traits
from greenexp.settings.checks import check_choice, check_range


def check_options(precision: str, calibration_images: int, *, allowed: Sequence[str]) -> None:
    """Checks the precision and the number of training images.

    Raises:
        BadInput: naming the option, the value given and those allowed.
    """
    check_choice("tactic.precision", precision, allowed)
    check_range("tactic.calibration_images", calibration_images, at_least=1)


def engine_traits(
    precision: str, calibration_images: int, *, packages: Sequence[str], extra: str
) -> Traits:
    """Returns the traits of an engine of its own on the CPU; int8 needs training images."""
    return Traits(
        makes=("engine",),
        not_after=NOT_FLOAT32,
        devices=("cpu",),
        packages=packages,
        extra=extra,
        calibration_images=calibration_images if precision == "int8" else 0,
    )
