"""Checks of ranges and choices; each refuses in one line: given, allowed, how to mend it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from greenexp.errors import BadInput, nearest


def check_range(
    key: str,
    value: float | None,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Checks that a number is finite and within its bounds; None (absent) passes.

    Raises:
        BadInput: naming the key, the value given and the range allowed.
    """
    if value is None:
        return
    bounds = [
        f"{sign} {bound:g}"
        for sign, bound in ((">=", at_least), (">", above), ("<=", at_most), ("<", below))
        if bound is not None
    ]
    inside = (
        math.isfinite(value)
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
    )
    if not inside:
        raise BadInput(
            f"{key}={value} is out of range; allowed: a finite number {' and '.join(bounds)}"
        )


def check_choice(key: str, value: str, allowed: Iterable[str]) -> None:
    """Checks that a word is one of those allowed.

    Raises:
        BadInput: naming the key, the words allowed and the nearest one.
    """
    allowed = list(allowed)
    if value not in allowed:
        raise BadInput(
            f"{key}={value} is unknown; allowed: {', '.join(allowed)}.{nearest(value, allowed)}"
        )
