"""Curves: what a tactic has saved after so many images, and power over time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from greenexp.report.figures.axes import linear_axis, log_axis
from greenexp.report.figures.plot import Axis, Figure, Line, Panel, Point, Series
from greenexp.report.words.captions import (
    Look,
    dollars_estimate,
    estimate,
    flagged,
    listed,
    looks,
    sentences,
    tactic_looks,
)
from greenexp.report.words.format import joined, payback, payback_span, payback_terms, plural
from greenexp.study.estimates import Interval
from greenexp.study.savings import Currency, Payback
from greenexp.study.study import Cell, Study
from greenexp.study.verdicts import PaybackVerdict

MAX_PANELS = 4
CURRENCIES: dict[Currency, str] = {  # in this order of preference
    "usd": "saved less its price (USD)",
    "j": "saved less its price (J)",
    "s": "saved less its price (s)",
}
BEFORE, AFTER = 0.1, 5.0  # times break-even, from where to where a line is followed
STEPS = 60
DEEPEST, HIGHEST = -1.25, 2.5  # ends of the vertical axis, in prices of the dearest tactic
POWER_HEIGHT_PX = 380
CROSSING_HEIGHT_PX = 320


def break_even(study: Study) -> Figure | None:
    """Returns what each tactic has saved, less its price, after so many images; a panel a model.

    In dollars where a setting knows them, else joules, else seconds. None where nothing pays back.
    """
    styles = tactic_looks(study)
    panels, all_paybacks, estimates = [], [], []
    for setting in study.settings:
        of_setting = [cell for cell in study.cells if cell.setting == setting]
        currency = _currency(of_setting)
        if currency is None:
            continue
        several = len(study.settings) > 1
        for model in dict.fromkeys(cell.model for cell in of_setting):
            paybacks = {
                cell.tactic: cell.paybacks[currency]
                for cell in of_setting
                if cell.model == model and currency in cell.paybacks
            }
            all_paybacks += list(paybacks.items())
            crossing = {
                tactic: payback for tactic, payback in paybacks.items() if _crosses(payback)
            }
            if crossing:
                title = joined(model, setting.name if several else "")
                panels.append(_crossing_panel(title, crossing, styles))
        estimates.append(_estimate(of_setting, currency))
    if not panels:
        return None
    banded = any(series.band for panel in panels for series in panel.series)
    what = "model" if len(study.settings) == 1 else "model-setting pair"
    caption = sentences(
        "Each line starts at what applying the tactic costs and crosses 0 where it has paid for"
        " itself (marked).",
        "Bands and bars are 95 % intervals." if banded else "",
        _named("At once", all_paybacks, lambda payback: payback.verdict == PaybackVerdict.AT_ONCE),
        _named(
            "Never, as far as can be told",
            all_paybacks,
            lambda payback: payback.verdict == PaybackVerdict.NEVER,
        ),
        _named(
            "Nothing saved in the one block measured",
            all_paybacks,
            lambda payback: payback.verdict == PaybackVerdict.ONE_BLOCK and payback.saving <= 0,
        ),
        "Lines without a band are of one block, so nothing is claimed."
        if any(
            payback.verdict == PaybackVerdict.ONE_BLOCK and _crosses(payback)
            for _, payback in all_paybacks
        )
        else "",
        f"Shown are {MAX_PANELS} of {plural(len(panels), what)}; the tables hold all."
        if len(panels) > MAX_PANELS
        else "",
        *dict.fromkeys(estimates),
        flagged(cell for cell in study.cells if cell.paybacks),
    )
    return Figure("break_even", "Break-even", caption, panels[:MAX_PANELS])


def power(study: Study) -> Figure | None:
    """Returns power over the time of some runs; None where no power was recorded."""
    traces = {name: points for name, points in study.power.items() if points}
    if not traces:
        return None
    styles = looks(traces)
    series = [
        Series(
            name,
            [Point(second, watts) for second, watts in points],
            styles[name][0],
            dash=styles[name][2],
        )
        for name, points in traces.items()
    ]
    points = [point for trace in series for point in trace.points]
    highest = linear_axis("", [0.0, *(point.y for point in points)]).ends[1]
    panel = Panel(
        title="",
        x=linear_axis("time (s)", [point.x for point in points]),
        y=Axis("power (W)", (0.0, highest)),
        series=series,
        height_px=POWER_HEIGHT_PX,
    )
    caption = sentences(
        "Power while a run's windows were measured; the area below a line is energy.",
        estimate(study.cells),
        flagged(study.cells),
    )
    return Figure("power", "Power over time", caption, [panel])


def _currency(cells: Sequence[Cell]) -> Currency | None:
    """Returns the first of CURRENCIES that any cell has a payback in."""
    held = {currency for cell in cells for currency in cell.paybacks}
    return next((currency for currency in CURRENCIES if currency in held), None)


def _estimate(cells: Sequence[Cell], currency: Currency) -> str:
    if currency == "s":
        return ""
    return dollars_estimate(cells) if currency == "usd" else estimate(cells)


def _crosses(payback: Payback) -> bool:
    """Tells whether its line crosses 0 at a number of images above 0."""
    repays = payback.verdict in (PaybackVerdict.PAYS_BACK, PaybackVerdict.ONE_BLOCK)
    return repays and payback.images is not None and payback.images > 0


def _named(
    what: str, paybacks: Sequence[tuple[str, Payback]], holds: Callable[[Payback], bool]
) -> str:
    """Returns the tactics of which it holds, with how often where not of all; or nothing."""
    tried = Counter(tactic for tactic, _ in paybacks)
    counted = Counter(tactic for tactic, payback in paybacks if holds(payback))
    names = [
        tactic if count == tried[tactic] else f"{tactic} ({count} of {tried[tactic]})"
        for tactic, count in counted.items()
    ]
    return f"{what}: {listed(names)}." if names else ""


def _crossing_panel(
    title: str, crossing: Mapping[str, Payback], styles: Mapping[str, Look]
) -> Panel:
    """Returns the panel of paybacks of one currency that all cross 0."""
    images = {
        tactic: record.images for tactic, record in crossing.items() if record.images is not None
    }
    ends = [images[tactic] * factor for tactic in images for factor in (BEFORE, AFTER)]
    x = log_axis(
        "images served (log scale)",
        ends,
        [record.interval for record in crossing.values() if record.interval],
    )
    dearest = max(record.price for record in crossing.values())
    currency = next(iter(crossing.values())).currency
    lines, marks = [], []
    for tactic, count in images.items():
        record = crossing[tactic]
        color, marker, dash = styles[tactic]
        at = [Point(number, record.saving * number - record.price, y_range=_band(record, number))
              for number in _grid(*x.ends, count)]  # fmt: skip
        lines.append(Series(tactic, at, color, dash=dash, band=record.saving_interval is not None))
        mark = Point(
            count,
            0.0,
            x_range=record.interval,
            text="\n".join(
                [tactic, joined(payback(record), payback_span(record)), payback_terms(record)]
            ),
            hollow=record.interval is None,
        )
        marks.append(Series(tactic, [mark], color, marker))
    return Panel(
        title=title,
        x=x,
        y=Axis(CURRENCIES[currency], (DEEPEST * dearest, HIGHEST * dearest)),
        series=[*lines, *marks],
        horizontals=[Line(0.0)],
        height_px=CROSSING_HEIGHT_PX,
    )


def _band(payback: Payback, images: float) -> Interval | None:
    saving = payback.saving_interval
    if saving is None:
        return None
    return Interval(saving.low * images - payback.price, saving.high * images - payback.price)


def _grid(start: float, end: float, through: float) -> list[float]:
    """Returns STEPS numbers from start to end, in equal ratios, and the one to go through."""
    ratio = math.log(end / start) / (STEPS - 1)
    return sorted([through, *(start * math.exp(ratio * step) for step in range(STEPS))])
