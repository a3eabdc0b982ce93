"""Forest plots: one row a tactic, its ratio to the baseline with interval, against the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from greenexp.quantities import COST, ENERGY, Quantity
from greenexp.report.figures.axes import log_axis
from greenexp.report.figures.plot import (
    BLACK,
    BLUE,
    FRAME_PX,
    GREY,
    MARKER_PX,
    ROW_PX,
    VERMILLION,
    Axis,
    Figure,
    Line,
    Marker,
    Panel,
    Point,
    Series,
    Tick,
)
from greenexp.report.words.captions import bars, dollars_estimate, estimate, flagged, sentences
from greenexp.report.words.format import joined, p_value, ratio, ratio_span
from greenexp.study.estimates import Effect, Interval
from greenexp.study.study import Setting, Study
from greenexp.study.verdicts import Verdict

MAX_ROWS = 60  # of a figure with the models' rows; of a panel without
AGAIN = "baseline again (A/A)"
STYLES: dict[Verdict, tuple[str, Marker]] = {
    Verdict.LOWER: (BLUE, "down"),
    Verdict.HIGHER: (VERMILLION, "up"),
    Verdict.EQUAL: (GREY, "square"),
    Verdict.NOT_SHOWN: (GREY, "circle"),
    Verdict.TOO_FEW: (BLACK, "diamond"),
}


@dataclass(frozen=True)
class _Row:
    label: str
    text: str
    effect: Effect
    strong: bool = False


def forest(study: Study, quantity: Quantity) -> Figure | None:
    """Returns the forest of a quantity, a panel a setting; None where nothing is compared.

    Rows are the tactics over models and, where there is room for all, each model's below its
    tactic's. With one model they are its tactics.
    """
    metric = quantity.name
    every = {setting: _rows(study, setting, metric, True) for setting in study.settings}
    crowded = sum(map(len, every.values())) > MAX_ROWS
    panels, cut = [], 0
    for setting, all_rows in every.items():
        rows = _rows(study, setting, metric, False) if crowded else all_rows
        cut += max(len(rows) - MAX_ROWS, 0)
        noise = study.noise.get(setting.name, {}).get(metric)
        if rows:
            panels.append(_panel(quantity, setting, rows[:MAX_ROWS], noise))
    if not panels:
        return None
    folded = crowded and any(len(_models(study, setting)) > 1 for setting in every)
    hollow = any(
        point.hollow for panel in panels for series in panel.series for point in series.points
    )
    shaded = any(panel.shade for panel in panels)
    strong = any(tick.strong for panel in panels for tick in panel.y.ticks)
    caption = sentences(
        f"How many times the baseline's {quantity.phrase or quantity.label} each tactic takes: "
        "left of 1 is less.",
        bars(any(r.effect.interval for rows in every.values() for r in rows)),
        "Bold rows are over all models." if strong else "",
        "Shaded: so far apart are two runs of one and the same baseline (A/A)." if shaded else "",
        "Hollow: too few runs for an interval, so nothing is claimed." if hollow else "",
        "Single models are left out, they are too many to be read." if folded else "",
        f"{cut} more rows are left out." if cut else "",
        _estimate(study, metric),
        flagged([cell for cell in study.cells if metric in cell.effects]),
    )
    name = f"forest_{quantity.slug}"
    return Figure(name, f"{quantity.slug.capitalize()} against the baseline", caption, panels)


def _estimate(study: Study, metric: str) -> str:
    compared = [cell for cell in study.cells if metric in cell.effects]
    if metric == COST:
        return dollars_estimate(compared)
    return estimate(compared) if metric == ENERGY else ""


def _models(study: Study, setting: Setting) -> list[str]:
    return list(dict.fromkeys(cell.model for cell in study.cells if cell.setting == setting))


def _rows(study: Study, setting: Setting, metric: str, with_models: bool) -> list[_Row]:
    cells = [cell for cell in study.cells if cell.setting == setting and metric in cell.effects]
    if len(_models(study, setting)) == 1:
        return [
            _Row(cell.tactic, f"{cell.model} · {cell.tactic}", cell.effects[metric])
            for cell in cells
        ]
    rows = []
    for line in study.overall:
        if line.setting != setting or metric not in line.effects:
            continue
        over = f"{line.tactic} over {line.models} models"
        rows.append(_Row(line.tactic, over, line.effects[metric], strong=True))
        rows += [
            _Row(cell.model, f"{cell.model} · {cell.tactic}", cell.effects[metric])
            for cell in cells
            if with_models and cell.tactic == line.tactic
        ]
    return rows


def _panel(
    quantity: Quantity, setting: Setting, rows: Sequence[_Row], noise: Effect | None
) -> Panel:
    strong = [row for row in rows if row.strong] or rows
    floor = max((row.effect.floor for row in strong if row.effect.floor is not None), default=None)
    shade = None if floor is None else Interval(1.0 / (1.0 + floor), 1.0 + floor)
    if noise is not None:
        rows = [*rows, _Row(AGAIN, AGAIN, noise)]
    bars = [row.effect.interval for row in rows if row.effect.interval is not None]
    return Panel(
        title=setting.name,
        x=log_axis(
            f"{quantity.axis or quantity.title} ÷ baseline (ratio)",
            [1.0, *(row.effect.ratio for row in rows)],
            [*bars, shade] if shade else bars,
        ),
        y=Axis(
            "",
            ends=(len(rows) - 0.5, -0.5),
            ticks=[Tick(place, row.label, row.strong) for place, row in enumerate(rows)],
        ),
        series=[
            Series(str(verdict), points, color, marker)
            for verdict, (color, marker) in STYLES.items()
            if (points := _points(rows, verdict))
        ],
        verticals=[Line(1.0)],
        shade=shade,
        shade_name="noise (A/A)",
        height_px=ROW_PX * len(rows) + FRAME_PX,
    )


def _points(rows: Sequence[_Row], verdict: Verdict) -> list[Point]:
    return [
        Point(
            x=row.effect.ratio,
            y=float(place),
            x_range=row.effect.interval,
            text=_text(row),
            hollow=row.effect.interval is None,
            size_px=MARKER_PX + 3.0 if row.strong else MARKER_PX,
        )
        for place, row in enumerate(rows)
        if row.effect.verdict == verdict
    ]


def _text(row: _Row) -> str:
    effect = row.effect
    lines = [row.text, joined(ratio(effect), ratio_span(effect)), effect.verdict]
    if effect.adjusted_p is not None:
        lines.append(f"adjusted p {p_value(effect.adjusted_p)}")
    return "\n".join(lines)
