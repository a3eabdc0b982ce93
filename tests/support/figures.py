"""A figure of a study by its name, and the points of a panel."""

from __future__ import annotations

from greenexp.report.figures.figures import figures
from greenexp.report.figures.plot import Figure, Panel, Point
from greenexp.study.study import Study

TOP1 = "accuracy/top1"


def figure(made: Study, name: str) -> Figure:
    return next(drawing for drawing in figures(made) if drawing.name == name)


def points(panel: Panel) -> list[Point]:
    return [point for series in panel.series if series.marker for point in series.points]
