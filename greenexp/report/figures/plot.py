"""What a picture is made of, whoever draws it: panels of axes, series and points, all plain values.

`figures` says what is drawn, `pictures` and `interactive` draw it; so a PNG and a page show the
same. Lengths are CSS pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from greenexp.study.estimates import Interval

Marker = Literal["circle", "square", "up", "diamond", "down", "pentagon", "hexagon", "star"]
Dash = Literal["solid", "dashed", "dotted"]

# Colours told apart by the colour-blind: Okabe and Ito, Color Universal Design (2008), without the
# yellow, which is too pale on white.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#767676"
SHADE = "#DEDEDE"
GRID = "#E9E9E9"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
MARKERS: tuple[Marker, ...] = ("circle", "square", "up", "diamond", "down", "pentagon", "hexagon")
DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted")

MARKER_PX = 10.0
MARKER_SCALES: dict[Marker, float] = {  # so that all look equally large
    "circle": 1.0,
    "square": 1.0,
    "up": 1.25,
    "diamond": 1.0,
    "down": 1.25,
    "pentagon": 1.15,
    "hexagon": 1.1,
    "star": 1.5,
}
FIELD_PX = 440  # the height of a panel without rows
ROW_PX = 24
FRAME_PX = 100  # a panel's height beside its rows: its title, its axis and the axis's title


@dataclass(frozen=True)
class Point:
    """One place in a panel.

    Attributes:
        x: where.
        y: where.
        x_range: its interval, drawn as a bar; an end may be infinite.
        y_range: likewise; in a band, drawn as that.
        text: all that is known of it, in lines, to show on hover.
        label: printed beside it where there is room; empty: none.
        hollow: drawn as an outline.
        size_px: of the marker.
    """

    x: float
    y: float
    x_range: Interval | None = None
    y_range: Interval | None = None
    text: str = ""
    label: str = ""
    hollow: bool = False
    size_px: float = MARKER_PX


@dataclass(frozen=True)
class Series:
    """Points that share a look and a line of the legend.

    Attributes:
        name: in the legend; series of one name are one line of it. Empty: no line.
        points: in drawing order.
        color: as #RRGGBB.
        marker: None: no markers.
        dash: of the line that joins the points; None: they are not joined.
        stepped: joined by stairs, each step at the height of the point before it.
        band: the points' `y_range` are one area, not bars.
    """

    name: str
    points: Sequence[Point]
    color: str
    marker: Marker | None = None
    dash: Dash | None = None
    stepped: bool = False
    band: bool = False


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis of a panel.

    Attributes:
        title: the quantity and its unit.
        ends: values at its start and its end; the larger may come first.
        log: whether equal lengths are equal ratios.
        ticks: where given, the only ones.
    """

    title: str
    ends: tuple[float, float]
    log: bool = False
    ticks: Sequence[Tick] = ()

    def within(self, interval: Interval) -> Interval:
        """Returns the part of the interval that lies on the axis."""
        low, high = min(self.ends), max(self.ends)
        return Interval(min(max(interval.low, low), high), max(min(interval.high, high), low))


@dataclass(frozen=True)
class Line:
    """A straight line across a panel, at one value of an axis; without a name not in the legend."""

    at: float
    name: str = ""
    dash: Dash = "solid"


@dataclass(frozen=True)
class Panel:
    """One pair of axes and what lies in it.

    Attributes:
        title: above it.
        x: the horizontal axis.
        y: the vertical axis.
        series: later ones over earlier ones.
        verticals: lines at values of x.
        horizontals: lines at values of y.
        shade: values of x between which the ground is shaded.
        shade_name: of the shade, in the legend.
        height_px: with its axis and title.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    verticals: Sequence[Line] = ()
    horizontals: Sequence[Line] = ()
    shade: Interval | None = None
    shade_name: str = ""
    height_px: int = FIELD_PX


@dataclass(frozen=True)
class Figure:
    """A picture.

    Attributes:
        name: stem of its file, and its id in a page.
        title: what it shows.
        caption: how to read it, and what a reader must know of it.
        panels: from top to bottom.
    """

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Entry:
    """What stands for a name in the legend."""

    name: str
    color: str
    marker: Marker | None = None
    dash: Dash | None = None


def legend(figure: Figure) -> list[Entry]:
    """Returns the legend: each name once, with all the looks that its series have."""
    entries: dict[str, Entry] = {}

    def add(name: str, color: str, marker: Marker | None, dash: Dash | None) -> None:
        if name:
            before = entries.get(name, Entry(name, color))
            entries[name] = Entry(name, color, marker or before.marker, dash or before.dash)

    for panel in figure.panels:
        for series in panel.series:
            add(series.name, series.color, series.marker, series.dash)
        for line in (*panel.verticals, *panel.horizontals):
            add(line.name, BLACK, None, line.dash)
        if panel.shade is not None:
            add(panel.shade_name, SHADE, "square", None)
    return list(entries.values())


def shortened(text: str, characters: int) -> str:
    """Returns the text with its middle left out where it is longer; names differ at their ends."""
    if len(text) <= characters:
        return text
    tail = (characters - 1) // 2
    return f"{text[: characters - 1 - tail].rstrip()}…{text[-tail:].lstrip()}"
