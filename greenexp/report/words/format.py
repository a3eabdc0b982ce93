"""How a figure of the study is written: the same words on a terminal, on the page and in LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from greenexp.quantities import ENERGY
from greenexp.quantities import Quantity as Described
from greenexp.runs import amounts
from greenexp.runs.cost import HOURS_PER_MONTH
from greenexp.study.basis import energy_basis
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Currency, Monthly, Payback
from greenexp.study.study import Cell
from greenexp.study.verdicts import EnergyBasis, PaybackVerdict, Verdict

ABSENT = "–"
DIGITS = 3
PLAIN = range(-4, 13)  # powers of ten; beyond them a figure is written with an exponent
SMALLEST_P = 0.001
POINTS = 100.0
MILLION = 1e6

COUNTS = {1e12: "trillion", 1e9: "billion", 1e6: "million"}
# By currency: what it is called, and the saving per image times what in which unit.
CURRENCIES: dict[Currency, tuple[str, float, str]] = {
    "j": ("energy", 1.0, "J an image"),
    "usd": ("dollars", MILLION, "USD a million images"),
    "s": ("time", 1000.0, "ms an image"),
}
plural = amounts.plural
PRICES: dict[Currency, str] = {"j": "J", "usd": "USD", "s": "s"}
# What energy and joules an image must be called: measured, and where they hold estimates.
MEASURED = ("energy", "J/image")
ESTIMATED = {
    EnergyBasis.ESTIMATED: ("estimated energy", "est. J/image"),
    EnergyBasis.MIXED: ("energy (estimated in part)", "J/image (est. in part)"),
}


def number(value: float | None) -> str:
    """Returns a figure with three significant digits, whole ones grouped; absent without one."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude not in PLAIN:
        return f"{value:.{DIGITS - 1}e}"
    return f"{value:,.{max(0, DIGITS - 1 - magnitude)}f}"


def factor(value: float | None) -> str:
    """Returns a ratio with three decimals, so that 0.998 isn't shown as 1; three digits from 10."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return number(value) if value >= 10 else f"{value:.3f}"


def verdict(effect: Effect) -> str:
    """Returns what may be claimed of a ratio: `lower`, `equal within 3 %`."""
    if effect.verdict == Verdict.EQUAL and effect.margin is not None:
        return f"{effect.verdict} within {percentage(effect.margin)}"
    return str(effect.verdict)


def count(value: float | None) -> str:
    """Returns a number of images: `950`, `12,300`, `4.5 million`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for size, name in COUNTS.items():
        if value >= size:
            return f"{number(value / size)} {name}"
    if value < 10**DIGITS:
        return f"{math.ceil(value):d}"
    step = 10 ** (math.floor(math.log10(value)) - DIGITS + 1)
    return f"{round(value / step) * step:,d}"


def images(value: float) -> str:
    """Returns a number of images with its noun."""
    text = count(value)
    return f"{text} image" if text == "1" else f"{text} images"


def points(fraction: float | None) -> str:
    """Returns a change of a fraction in percentage points, with its sign."""
    if fraction is None or not math.isfinite(fraction):
        return ABSENT
    return f"{signed(fraction * POINTS)} pt"


def signed(value: float) -> str:
    """Returns two decimals with the sign, and none of a zero."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text


def fraction(value: float | None) -> str:
    """Returns a top-1."""
    return ABSENT if value is None or not math.isfinite(value) else f"{value:.4f}"


def span(
    interval: Interval | None, write: Callable[[float], str] = number, scale: float = 1.0
) -> str:
    """Returns `low to high`, `low or more` where there is no upper end; nothing without one."""
    if interval is None or not math.isfinite(interval.low):
        return ""
    low = write(interval.low * scale)
    if not math.isfinite(interval.high):
        return f"{low} or more"
    return f"{low} to {write(interval.high * scale)}"


def ratio(effect: Effect | None) -> str:
    """Returns `×0.553`."""
    return ABSENT if effect is None else f"×{factor(effect.ratio)}"


def ratio_span(effect: Effect | None) -> str:
    """Returns the interval of a ratio; nothing without one."""
    return "" if effect is None else span(effect.interval, factor)


def points_span(interval: Interval | None) -> str:
    """Returns the interval of a change in percentage points; nothing without one."""
    return span(interval, signed, POINTS)


def p_value(value: float | None) -> str:
    """Returns `<0.001`, `0.034`."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"<{SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def quantity(value: Quantity | None) -> str:
    """Returns the figure without its interval."""
    return ABSENT if value is None else number(value.value)


def quantity_span(value: Quantity | None) -> str:
    """Returns the interval of a figure; nothing without one."""
    return "" if value is None else span(value.interval)


def percentage(value: float) -> str:
    """Returns a fraction as a percentage; a whole one without decimals."""
    percent = value * POINTS
    whole = math.isclose(percent, round(percent), abs_tol=1e-9) and percent >= 1
    return f"{round(percent):,d} %" if whole else f"{number(percent)} %"


def share(value: float) -> str:
    """Returns a fraction as a percentage where there is room for little: `54 %`, `3.1 %`."""
    percent = value * POINTS
    return f"{percent:.0f} %" if abs(percent) >= 9.95 else f"{percent:.1f} %"


def duration(seconds: float) -> str:
    """Returns how long something takes, roughly: `20 s`, `4 min`, `2 h 10 min`."""
    if seconds < 55:
        return f"{max(5 * round(seconds / 5), 5)} s"
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def joined(text: str, detail: str) -> str:
    """Returns `text (detail)`, without brackets where there is none."""
    return f"{text} ({detail})" if detail else text


def repaid(payback: Payback | None) -> str:
    """Returns break-even where there is room for little: `12,300`, `never`, `about 12,300`."""
    if payback is None or (payback.images is None and payback.verdict != PaybackVerdict.NEVER):
        return ABSENT
    if payback.verdict == PaybackVerdict.PAYS_BACK:
        return count(payback.images)
    if payback.verdict == PaybackVerdict.ONE_BLOCK:
        return f"about {count(payback.images)}"
    return payback.verdict


def payback(record: Payback | None) -> str:
    """Returns when it has paid for itself: `at once`, `after 12,300 images`, `never`.

    What one block says is no claim, and is said to be of one block.
    """
    if record is None:
        return ABSENT
    if record.verdict in (PaybackVerdict.AT_ONCE, PaybackVerdict.NEVER):
        return record.verdict
    if record.images is None:
        return "nothing saved in one block"
    if record.verdict == PaybackVerdict.ONE_BLOCK:
        return f"about {images(record.images)}, by one block"
    return f"after {images(record.images)}"


def payback_span(payback: Payback | None) -> str:
    """Returns the interval of break-even, or why it is never; nothing where neither is known."""
    if payback is None or payback.verdict in (PaybackVerdict.AT_ONCE, PaybackVerdict.ONE_BLOCK):
        return ""
    if payback.verdict == PaybackVerdict.PAYS_BACK:
        return span(payback.interval, count)
    return "it takes more" if payback.saving <= 0 else "the saving can't be told from none"


def payback_terms(payback: Payback) -> str:
    """Returns what is paid once and what is saved with each image."""
    _, scale, unit = CURRENCIES[payback.currency]
    saves = "saves" if payback.saving >= 0 else "takes"
    more = "" if payback.saving >= 0 else " more"
    interval = payback.saving_interval
    if interval is not None and payback.saving < 0:
        interval = Interval(-interval.high, -interval.low)
    amount = joined(number(abs(payback.saving) * scale), span(interval, number, scale))
    price = f"{number(payback.price)} {PRICES[payback.currency]}"
    return f"costs {price} once, {saves} {amount} {unit}{more}"


def payback_wait(payback: Payback | None, requests_per_month: float) -> str:
    """Returns how long break-even takes at so many images a month; nothing where it's not sure."""
    if payback is None or payback.verdict != PaybackVerdict.PAYS_BACK or payback.images is None:
        return ""
    if requests_per_month <= 0:
        return ""
    months = payback.images / requests_per_month
    hours = months * HOURS_PER_MONTH
    if hours < 1:
        return "within an hour"
    if hours < 48:
        return f"{number(hours)} hours"
    if months < 2:
        return f"{number(hours / 24)} days"
    return f"{number(months)} months" if months < 24 else f"{number(months / 12)} years"


def saved(monthly: Monthly | None, name: str) -> Quantity | None:
    """Returns one figure of a month's saving."""
    figure: Quantity | None = None if monthly is None else getattr(monthly, name)
    return figure


def basis(cells: Iterable[Cell]) -> EnergyBasis | None:
    """Returns what the energy of the cells is made of; None where none was measured."""
    return energy_basis(cell.energy_source for cell in cells)


def heading(described: Described, energy: str) -> str:
    """Returns the heading of a quantity's column.

    Args:
        described: the quantity.
        energy: what its energy is called, see `energy_name`.
    """
    if described.name == ENERGY:
        return f"{energy} {described.unit}"
    return described.title


def energy_name(cells: Iterable[Cell]) -> str:
    """Returns what energy must be called, given where that of the cells is from."""
    return _energy_names(cells)[0]


def joules_name(cells: Iterable[Cell]) -> str:
    """Returns what joules an image must be called where there is room for little."""
    return _energy_names(cells)[1]


def _energy_names(cells: Iterable[Cell]) -> tuple[str, str]:
    made_of = basis(cells)
    return ESTIMATED.get(made_of, MEASURED) if made_of is not None else MEASURED


def sources(cells: Iterable[Cell]) -> list[str]:
    """Returns where the energy of the cells is from."""
    return sorted({cell.energy_source for cell in cells if cell.energy_source is not None})


def requests(amount: float) -> str:
    """Returns a number of images a month, in full."""
    return f"{amount:,.0f}"


def listing(words: Sequence[str]) -> str:
    """Returns `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
