"""Scatters of accuracy: against energy with the front, lost for energy saved, by model size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from greenexp.quantities import COST, ENERGY, PARAMETERS, TOP1
from greenexp.report.figures.axes import linear_axis, log_axis
from greenexp.report.figures.plot import BLUE, GREY, MARKER_PX, Figure, Line, Panel, Point, Series
from greenexp.report.words.captions import (
    Look,
    bars,
    estimate,
    flagged,
    sentences,
    tactic_looks,
    told,
)
from greenexp.report.words.format import joined, number, plural, signed, span
from greenexp.study.estimates import Effect, Interval
from greenexp.study.study import Cell, Overall, Setting, Study

PERCENT = 100.0
SIZES_PX = (8.0, 24.0)  # of the smallest and the largest model's marker
OVERALL_PX = MARKER_PX + 5.0
MAX_CELLS = 60  # with more only the tactics over models are shown
FRONT = "best at each energy"
PER_IMAGE = "energy per image (J, log scale)"
ACCURACY = "top-1 accuracy (%)"


def pareto(study: Study) -> Figure | None:
    """Returns every cell's energy against its accuracy, the front joined; None below two cells."""
    styles = tactic_looks(study)
    drawn, panels = [], []
    for setting in study.settings:
        cells = [cell for cell in study.cells if cell.setting == setting and _has_place(cell)]
        if len(cells) < 2:
            continue
        panels.append(_front_panel(setting, cells, styles))
        drawn += cells
    if not panels:
        return None
    names = {series.name for panel in panels for series in panel.series}
    priced = all(COST in cell.quantities for cell in drawn)
    judged = "accuracy, energy and dollars" if priced else "accuracy and energy"
    caption = sentences(
        "Up is more accurate, left takes less energy.",
        bars(any(map(_has_bars, drawn))),
        f"Filled markers are the front: nothing else of the setting is shown to beat them in "
        f"{judged}."
        if any(cell.on_front for cell in drawn)
        else "",
        "The dotted line joins the most accurate of the front at each energy."
        if FRONT in names
        else "",
        estimate(drawn),
        flagged(drawn),
    )
    return Figure("pareto", "Accuracy and energy of every combination", caption, panels)


def catalogue(study: Study) -> Figure | None:
    """Returns the baselines' energy against accuracy, by size; None below two models."""
    drawn, panels = [], []
    for setting in study.settings:
        cells = [
            cell
            for cell in study.cells
            if cell.setting == setting and cell.is_baseline and _has_place(cell)
        ]
        if len(cells) < 2:
            continue
        points = [
            _placed(cell, cell.model, hollow=size_px is None, size_px=size_px or MARKER_PX)
            for cell, size_px in zip(cells, _sizes_px(cells), strict=True)
        ]
        points.sort(key=lambda point: -point.size_px)  # the small ones on top
        panels.append(_field(setting, [Series("", points, BLUE, "circle")]))
        drawn += cells
    if not panels:
        return None
    counts = [count for cell in drawn if (count := _parameters(cell)) is not None]
    caption = sentences(
        "The models as they come, without a tactic: up is more accurate, left takes less energy.",
        bars(any(map(_has_bars, drawn))),
        f"The larger a marker, the more parameters: {number(min(counts) / 1e6)} to"
        f" {number(max(counts) / 1e6)} million."
        if len(set(counts)) > 1
        else "",
        "Hollow: the number of parameters is not known." if len(counts) < len(drawn) else "",
        estimate(drawn),
        flagged(drawn),
    )
    return Figure("catalogue", "Models by accuracy, energy and size", caption, panels)


def accuracy_vs_energy(study: Study) -> Figure | None:
    """Returns the accuracy lost against the energy saved; None where no tactic has both."""
    styles = tactic_looks(study)
    lines = [line for line in study.overall if line.models > 1 and _has_both(line)]
    cells = [cell for cell in study.cells if _has_both(cell)]
    folded = bool(lines) and len(cells) > MAX_CELLS
    panels = []
    for setting in study.settings:
        of_setting = [line for line in lines if line.setting == setting]
        points: dict[str, list[Point]] = {}
        for cell in [] if folded else cells:
            if cell.setting == setting:
                name = f"{cell.model} · {cell.tactic}"
                point = _lost(name, cell, MARKER_PX, hollow=bool(of_setting))
                points.setdefault(cell.tactic, []).append(point)
        for line in of_setting:
            name = f"{line.tactic} over {line.models} models"
            points.setdefault(line.tactic, []).append(_lost(name, line, OVERALL_PX))
        if points:
            series = [
                Series(tactic, points[tactic], color, marker)
                for tactic, (color, marker, _) in styles.items()
                if tactic in points
            ]
            panels.append(_lost_field(setting, series, study.max_top1_drop))
    if not panels:
        return None
    shown: list[Cell | Overall] = [*lines, *([] if folded else cells)]
    unsure = [member for member in shown if member.effects[ENERGY].interval is None]
    caption = sentences(
        "Right saves more energy, low loses less accuracy.",
        bars(len(unsure) < len(shown) or any(m.accuracy and m.accuracy.interval for m in shown)),
        "Without a bar of energy there were too few runs." if unsure else "",
        "Large and filled: over all models." if lines else "",
        "Small and hollow: one model." if lines and not folded else "",
        "Single models are left out, they are too many to be read." if folded else "",
        estimate(cells),
        flagged(shown),
    )
    return Figure("accuracy_vs_energy", "Accuracy lost for energy saved", caption, panels)


def _front_panel(setting: Setting, cells: Sequence[Cell], styles: Mapping[str, Look]) -> Panel:
    """Returns the cells by tactic; of each model the front's thriftiest has its name printed."""
    several = len({cell.model for cell in cells}) > 1
    points: dict[str, list[Point]] = {}
    front: dict[str, list[Point]] = {}
    for cell in sorted(cells, key=lambda cell: cell.quantities[ENERGY].value):
        named = cell.model if several else cell.tactic  # the legend says the rest
        label = named if cell.on_front and named not in front else ""
        point = _placed(cell, label, hollow=cell.on_front is False)
        points.setdefault(cell.tactic, []).append(point)
        if cell.on_front:
            front.setdefault(named, []).append(point)
    series = [
        Series(tactic, points[tactic], color, marker)
        for tactic, (color, marker, _) in styles.items()
        if tactic in points
    ]
    stairs = _stairs([point for members in front.values() for point in members])
    if len(stairs) > 1:
        series.insert(0, Series(FRONT, stairs, GREY, dash="dotted", stepped=True))
    return _field(setting, series)


def _has_place(cell: Cell) -> bool:
    """Tells whether the cell has accuracy, and energy with a place on a logarithmic axis."""
    return (
        TOP1 in cell.quantities and ENERGY in cell.quantities and cell.quantities[ENERGY].value > 0
    )


def _has_bars(cell: Cell) -> bool:
    known = (cell.quantities[ENERGY], cell.quantities[TOP1])
    return any(figure.interval is not None for figure in known)


def _has_both(row: Cell | Overall) -> bool:
    return ENERGY in row.effects and row.accuracy is not None


def _parameters(cell: Cell) -> float | None:
    count = cell.quantities.get(PARAMETERS)
    return count.value if count is not None and count.value > 0 else None


def _placed(cell: Cell, label: str, hollow: bool, size_px: float = MARKER_PX) -> Point:
    joules, top1, count = cell.quantities[ENERGY], cell.quantities[TOP1], _parameters(cell)
    percent = _times(top1.interval, PERCENT)
    lines = [
        f"{cell.model} · {cell.tactic}",
        told(joules.value, joules.interval, "J per image"),
        f"top-1 {told(PERCENT * top1.value, percent, '%')}",
        f"{number(count / 1e6)} million parameters" if count is not None else "",
        "on the front" if cell.on_front else "",
    ]
    return Point(
        x=joules.value,
        y=PERCENT * top1.value,
        x_range=joules.interval,
        y_range=percent,
        text="\n".join(filter(None, lines)),
        label=label,
        hollow=hollow,
        size_px=size_px,
    )


def _sizes_px(cells: Sequence[Cell]) -> list[float | None]:
    """Returns a marker's size by the logarithm of the parameters; None where they aren't known."""
    counts = [_parameters(cell) for cell in cells]
    logs = [math.log(count) for count in counts if count is not None]
    smallest, largest = SIZES_PX
    return [
        None
        if count is None
        else smallest
        + (largest - smallest) * (math.log(count) - min(logs)) / ((max(logs) - min(logs)) or 1.0)
        for count in counts
    ]


def _stairs(points: Sequence[Point]) -> list[Point]:
    """Returns the places of the points that are more accurate than all that take less energy."""
    rising = sorted(points, key=lambda point: (point.x, -point.y))
    best = itertools.accumulate((point.y for point in rising), max, initial=-math.inf)
    return [
        Point(point.x, point.y)
        for point, before in zip(rising, best, strict=False)
        if point.y > before
    ]


def _field(setting: Setting, series: Sequence[Series]) -> Panel:
    points = [point for trace in series for point in trace.points]
    return Panel(
        title=setting.name,
        x=log_axis(
            PER_IMAGE,
            [point.x for point in points],
            [point.x_range for point in points if point.x_range],
        ),
        y=linear_axis(
            ACCURACY,
            [point.y for point in points],
            [point.y_range for point in points if point.y_range],
        ),
        series=series,
    )


def _lost(name: str, row: Cell | Overall, size_px: float, hollow: bool = False) -> Point:
    """Returns the place of what has both; see `_has_both`."""
    effect, accuracy = row.effects[ENERGY], row.accuracy
    assert accuracy is not None
    saved = PERCENT * (1.0 - effect.ratio)
    lost = PERCENT * (0.0 - accuracy.delta)
    saved_range, lost_range = _saved_range(effect), _times(accuracy.interval, -PERCENT)
    lines = [
        name,
        f"energy saved {told(saved, saved_range, '%')}",
        f"accuracy lost {joined(signed(lost), span(lost_range, signed))} points",
        f"energy: {effect.verdict}",
    ]
    return Point(saved, lost, saved_range, lost_range, "\n".join(lines), "", hollow, size_px)


def _lost_field(setting: Setting, series: Sequence[Series], max_top1_drop: float) -> Panel:
    points = [point for trace in series for point in trace.points]
    allowed = PERCENT * max_top1_drop
    accepted = Line(allowed, f"largest loss accepted: {plural(allowed, 'point')}", "dashed")
    return Panel(
        title=setting.name,
        x=linear_axis(
            "energy saved per image (%)",
            [0.0, *(point.x for point in points)],
            [point.x_range for point in points if point.x_range],
        ),
        y=linear_axis(
            "top-1 accuracy lost (points)",
            [0.0, allowed, *(point.y for point in points)],
            [point.y_range for point in points if point.y_range],
        ),
        series=series,
        verticals=[Line(0.0)],
        horizontals=[Line(0.0), accepted],
    )


def _saved_range(effect: Effect) -> Interval | None:
    if effect.interval is None:
        return None
    return Interval(PERCENT * (1.0 - effect.interval.high), PERCENT * (1.0 - effect.interval.low))


def _times(interval: Interval | None, factor: float) -> Interval | None:
    if interval is None:
        return None
    ends = sorted((interval.low * factor, interval.high * factor))
    return Interval(*ends)
