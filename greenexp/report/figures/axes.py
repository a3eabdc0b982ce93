"""Axes on which given values have room, with round ticks that keep apart on a narrow screen."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence

from greenexp.report.figures.plot import Axis, Tick
from greenexp.study.estimates import Interval

TICKS = 6
STEPS = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0)
TICK_CHARACTER_PX = 7
NARROW_PX = 165  # of an axis beside the labels of rows, on a screen of 400 px
EVEN_UP_TO = 5.0
LONGEST_BAR_DECADES = 2.0  # a longer one says nothing, and is cut
SHORTEST = 1e-9  # of an axis's values, or of a decade; what differs by less is one value, rounded


def short(value: float) -> str:
    """Returns a number as a tick shows it: `0.02`, `1.5`, `20k`, `3M`, `1e-06`."""
    for factor, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{letter}"
    return f"{value:.4g}"


def linear_axis(title: str, values: Iterable[float], bars: Iterable[Interval] = ()) -> Axis:
    """Returns an axis on which all values have room, and the bars unless they are far longer.

    Args:
        title: the quantity and its unit.
        values: finite ones, at least one.
        bars: intervals drawn beside; one far longer than the others runs out of the panel.
    """
    values = list(values)
    return Axis(title, _ends(values, list(bars), 10.0 * max(map(abs, values))))


def log_axis(title: str, values: Iterable[float], bars: Iterable[Interval] = ()) -> Axis:
    """Returns a logarithmic axis, likewise; its values are above 0, its ticks round."""
    logarithms = [Interval(_log10(bar.low), _log10(bar.high)) for bar in bars]
    low, high = _ends([math.log10(value) for value in values], logarithms, LONGEST_BAR_DECADES, 1.0)
    ends = (10**low, 10**high)
    return Axis(title, ends, log=True, ticks=[Tick(at, short(at)) for at in log_ticks(*ends)])


def log_ticks(low: float, high: float) -> list[float]:
    """Returns round values between two others, those of the finest grid whose labels have room.

    Grids are equal steps within a span of EVEN_UP_TO times, then 1-2-5, 1-3, decades and every
    so-many-th decade. Where none has two values with room there is one.
    """
    within = [[tick for tick in grid if low <= tick <= high] for grid in _grids(low, high)]
    length = math.log(high / low)
    for ticks in within:
        if 1 < len(ticks) <= TICKS and _have_room(ticks, length):
            return ticks
    coarsest = min(filter(None, within), key=len, default=[])
    return coarsest[len(coarsest) // 2 :][:1]


def _grids(low: float, high: float) -> Iterator[list[float]]:
    if high / low <= EVEN_UP_TO:
        scale = 10.0 ** math.floor(math.log10(high - low))
        for step in (scale * part for part in STEPS):
            numbers = range(math.floor(low / step), math.ceil(high / step) + 1)
            yield [float(f"{number * step:.6g}") for number in numbers]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        yield [float(f"{n}e{decade}") for decade in range(first, last + 1) for n in digits]
    for every in range(2, last - first + 1):
        yield [float(f"1e{decade}") for decade in range(first, last + 1, every)]


def _have_room(ticks: Sequence[float], length: float) -> bool:
    """Tells whether the labels of ticks on an axis, as long in logarithms, keep apart."""
    return all(
        math.log(after / before) / length * NARROW_PX
        > TICK_CHARACTER_PX * (2 + len(short(before)) + len(short(after))) / 2
        for before, after in itertools.pairwise(ticks)
    )


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def _ends(
    values: Sequence[float], bars: Sequence[Interval], longest: float, scale: float = 0.0
) -> tuple[float, float]:
    """Returns where an axis starts and ends, a twentieth of its length beyond what it must hold.

    A bar may reach beyond the values by their span or by twice the median bar, whichever is more;
    bars over `longest` don't count towards the median. Values that differ by less than SHORTEST of
    themselves, or of `scale` where that is more, are taken for one.
    """
    low, high = min(values), max(values)
    lengths = [bar.high - bar.low for bar in bars if bar.high - bar.low <= longest]
    reach = max(high - low, 2.0 * statistics.median(lengths) if lengths else 0.0)
    low = max(min([low, *(bar.low for bar in bars)]), low - reach)
    high = min(max([high, *(bar.high for bar in bars)]), high + reach)
    apart = high - low > SHORTEST * max(abs(low), abs(high), scale)
    free = 0.05 * (high - low if apart else abs(high) or 1.0)
    return low - free, high + free
