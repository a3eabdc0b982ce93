"""Amounts as a person reads them: counts with their noun, times, joules. Pure."""

from __future__ import annotations

import math

MINUTE_S = 60
HOUR_S = 60 * MINUTE_S
DAY_S = 24 * HOUR_S
PRECISE_S = 10 * MINUTE_S  # up to here seconds are told, in steps of 5
STEP_S = 5
LARGE = 100  # of a unit; from here on fractions are not told
PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def plural(amount: float, noun: str) -> str:
    """Returns `1 run`, `2 runs`."""
    return f"{amount:,g} {noun}{'' if amount == 1 else 's'}"


def duration(seconds: float) -> str:
    """Returns a time in the units that a person takes for it: `45 s`, `2 h 05 min`, `3.4 days`."""
    whole_s = round(seconds)
    if whole_s < MINUTE_S:
        return f"{whole_s} s"
    if whole_s < PRECISE_S:
        minutes, rest_s = divmod(STEP_S * round(seconds / STEP_S), MINUTE_S)
        return f"{minutes} min {rest_s:02} s" if rest_s else f"{minutes} min"
    hours, minutes = divmod(round(seconds / MINUTE_S), MINUTE_S)
    if hours == 0:
        return f"{minutes} min"
    if hours < DAY_S // HOUR_S:
        return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
    days = seconds / DAY_S
    return plural(float(f"{days:.2g}") if days < LARGE else round(days), "day")


def joules(amount: float) -> str:
    """Returns joules with the prefix that leaves up to three digits: `13 kJ`, `1.3 MJ`."""
    if amount <= 0 or not math.isfinite(amount):
        return f"{amount:g} J"
    rounded = float(f"{amount:.2g}") if amount >= 1 else float(f"{amount:.3g}")
    for size, prefix in PREFIXES:
        if rounded >= size:
            return f"{rounded / size:g} {prefix}J"
    return f"{rounded:g} J"
