"""Figures as PNG, drawn by matplotlib; they stand alone, so title and caption are in them."""

from __future__ import annotations

import io
import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Sheet
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox
from matplotlib.typing import RcKeyType

from greenexp.report.figures.axes import short
from greenexp.report.figures.plot import (
    BLACK,
    FRAME_PX,
    GREY,
    GRID,
    MARKER_PX,
    MARKER_SCALES,
    SHADE,
    Axis,
    Dash,
    Entry,
    Figure,
    Marker,
    Panel,
    Point,
    Series,
    legend,
    shortened,
)

WIDTH_PX = 900  # of the sheet's own pixels; the PNG has DPI / PX_PER_INCH times as many
PX_PER_INCH = 100
DPI = 140
POINTS_PER_PX = 72 / PX_PER_INCH
FONT = 11.5
FONT_SMALL = 10.5
LINE_PX = 20
CHARACTER_PX = 7.6
MARKERS: dict[Marker, str] = {
    "circle": "o",
    "square": "s",
    "up": "^",
    "diamond": "D",
    "down": "v",
    "pentagon": "p",
    "hexagon": "h",
    "star": "*",
}
DASHES: dict[Dash, Literal["-", "--", ":"]] = {"solid": "-", "dashed": "--", "dotted": ":"}
NAME_CHARACTERS = 48  # of a name in the legend
LABEL_CHARACTERS = 34  # of a row's, and of a label
MAX_LABELS = 60
FAR = 24.0  # points that a label may lie above or below what it names
GROUND, RULES, BARS, LINES, HOLLOW, FILLED, LABELS = range(7)  # from below
STYLE: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",  # it comes with matplotlib
    "font.size": FONT,
    "axes.titlesize": FONT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.08,
    "text.parse_math": False,  # a dollar is a dollar
}


def png(figure: Figure) -> bytes:
    """Returns the figure as PNG, 1260 pixels wide and as tall as its rows ask."""
    with mpl.rc_context(STYLE):
        entries = legend(figure)
        columns = _columns(entries)
        caption = textwrap.wrap(figure.caption, int((WIDTH_PX - 24) / CHARACTER_PX))
        body_px = sum(panel.height_px for panel in figure.panels) + 2 * LINE_PX
        rows = math.ceil(len(entries) / columns)
        foot_px = (rows + len(caption) + (2 if rows else 1)) * LINE_PX
        engine = ConstrainedLayoutEngine()
        size_in = (WIDTH_PX / PX_PER_INCH, (body_px + foot_px) / PX_PER_INCH)
        sheet = Sheet(figsize=size_in, dpi=DPI, layout=engine)
        body, foot = sheet.subfigures(2, 1, squeeze=False, height_ratios=[body_px, foot_px])[:, 0]
        body.suptitle(figure.title, fontsize=FONT + 3, fontweight="bold")
        axes = body.subplots(
            len(figure.panels),
            1,
            squeeze=False,
            height_ratios=[panel.height_px - FRAME_PX for panel in figure.panels],
        )[:, 0]
        for place, panel in zip(axes, figure.panels, strict=True):
            _draw(place, panel)
        if entries:
            foot.legend(
                list(map(_key, entries)),
                [shortened(entry.name, NAME_CHARACTERS) for entry in entries],
                loc="upper center",
                ncols=columns,
                frameon=False,
                fontsize=FONT_SMALL,
            )
        foot.text(12 / WIDTH_PX, LINE_PX / 2 / foot_px, "\n".join(caption), fontsize=FONT_SMALL)
        engine.execute(sheet)  # now everything has its place, which drawing need not find again
        sheet.set_layout_engine("none")
        for place, panel in zip(axes, figure.panels, strict=True):
            _label(place, panel)
        buffer = io.BytesIO()
        FigureCanvasAgg(sheet).print_png(buffer)  # type: ignore[no-untyped-call] # `savefig` draws twice
    return buffer.getvalue()


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, loc="left")
    _scale(axes, panel)
    if panel.shade is not None:
        axes.axvspan(panel.shade.low, panel.shade.high, color=SHADE, zorder=GROUND)
    for line in panel.verticals:
        axes.axvline(line.at, color=BLACK, linewidth=1, linestyle=DASHES[line.dash], zorder=RULES)
    for line in panel.horizontals:
        axes.axhline(line.at, color=BLACK, linewidth=1, linestyle=DASHES[line.dash], zorder=RULES)
    for series in panel.series:
        _draw_series(axes, panel, series)


def _scale(axes: Axes, panel: Panel) -> None:
    """Sets what the axes go from and to, and what is written at them."""
    axes.set(xlabel=panel.x.title, ylabel=panel.y.title)
    axes.set_xscale("log" if panel.x.log else "linear")
    axes.set_yscale("log" if panel.y.log else "linear")
    axes.set_xlim(*panel.x.ends)
    axes.set_ylim(*panel.y.ends)
    for axis, own in ((axes.xaxis, panel.x), (axes.yaxis, panel.y)):
        axis.set_minor_locator(NullLocator())
        if own.ticks:
            axis.set_major_locator(FixedLocator([tick.at for tick in own.ticks]))
            axis.set_major_formatter(FuncFormatter(_written(own)))
        else:
            axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    for label, tick in zip(axes.get_yticklabels(), panel.y.ticks, strict=False):
        label.set_fontweight("bold" if tick.strong else "normal")
    axes.grid(color=GRID, linewidth=0.8)


def _written(axis: Axis) -> Callable[[float, int | None], str]:
    texts = {tick.at: shortened(tick.text, LABEL_CHARACTERS) for tick in axis.ticks}
    return lambda value, _: texts.get(value, "")


def _draw_series(axes: Axes, panel: Panel, series: Series) -> None:
    xs, ys = [point.x for point in series.points], [point.y for point in series.points]
    if series.band:
        ranges = [(point.x, point.y_range) for point in series.points if point.y_range]
        axes.fill_between(
            [x for x, _ in ranges],
            [interval.low for _, interval in ranges],
            [interval.high for _, interval in ranges],
            color=series.color,
            alpha=0.18,
            linewidth=0,
            zorder=LINES,
        )
    else:
        _draw_bars(axes, panel, series)
    if series.dash is not None:
        axes.plot(
            xs,
            ys,
            color=series.color,
            linestyle=DASHES[series.dash],
            linewidth=1.8,
            drawstyle="steps-post" if series.stepped else "default",
            zorder=LINES,
        )
    if series.marker is None:
        return
    scale = POINTS_PER_PX * MARKER_SCALES[series.marker]
    for hollow in (True, False):  # what is filled lies on top
        points = [point for point in series.points if point.hollow == hollow]
        axes.scatter(
            [point.x for point in points],
            [point.y for point in points],
            s=[(point.size_px * scale) ** 2 for point in points],
            marker=MARKERS[series.marker],
            facecolors="white" if hollow else series.color,
            edgecolors=series.color if hollow else "white",
            linewidths=1.4 if hollow else 0.6,
            zorder=HOLLOW if hollow else FILLED,
        )


def _draw_bars(axes: Axes, panel: Panel, series: Series) -> None:
    for hollow in (True, False):
        bars = [
            bar for point in series.points if point.hollow == hollow for bar in _bars(panel, point)
        ]
        alpha = 0.4 if hollow else 0.8
        lines = LineCollection(bars, colors=series.color, linewidths=1.3, alpha=alpha, zorder=BARS)
        axes.add_collection(lines, autolim=False)


def _bars(panel: Panel, point: Point) -> list[list[tuple[float, float]]]:
    """Returns the two ends of each of the point's bars, as far as it lies in the panel."""
    bars = []
    if point.x_range is not None:
        across = panel.x.within(point.x_range)
        bars.append([(across.low, point.y), (across.high, point.y)])
    if point.y_range is not None:
        upright = panel.y.within(point.y_range)
        bars.append([(point.x, upright.low), (point.x, upright.high)])
    return bars


def _key(entry: Entry) -> Line2D:
    """Returns what stands for a name in the legend."""
    return Line2D(
        [],
        [],
        color=entry.color,
        marker=MARKERS[entry.marker] if entry.marker else "none",
        markersize=MARKER_PX * POINTS_PER_PX * (MARKER_SCALES[entry.marker] if entry.marker else 1),
        linestyle=DASHES[entry.dash] if entry.dash else "none",
    )


def _columns(entries: Sequence[Entry]) -> int:
    """Returns how many names of the legend stand side by side."""
    longest = max((min(len(entry.name), NAME_CHARACTERS) for entry in entries), default=1)
    return max(1, int((WIDTH_PX - 24) / (longest * CHARACTER_PX + 50)))


def _label(axes: Axes, panel: Panel) -> None:
    """Prints the labels of points, but for those that would cover a marker or another label."""
    points = [point for series in panel.series if series.marker for point in series.points]
    labelled = [point for point in points if point.label][:MAX_LABELS]
    taken = [box for point in points for box in _boxes(axes, panel, point)] if labelled else []
    for point in labelled:
        text = shortened(point.label, LABEL_CHARACTERS)
        note = axes.annotate(text, (point.x, point.y), fontsize=FONT_SMALL, zorder=LABELS)
        size = note.get_window_extent()
        note.remove()
        x, y = axes.transData.transform((point.x, point.y))
        away = point.size_px * POINTS_PER_PX / 2 + 3
        for up, right in itertools.product((0.0, away, -away, FAR, -FAR), (-away, away)):
            box = _beside((x, y), size, right, up)
            if box.count_overlaps(taken) or not _contains(axes.get_window_extent(), box):
                continue
            taken.append(box)
            axes.annotate(
                text,
                (point.x, point.y),
                xytext=(right, up),
                textcoords="offset points",
                ha="left" if right > 0 else "right",
                va="bottom" if up > 0 else "top" if up < 0 else "center",
                fontsize=FONT_SMALL,
                zorder=LABELS,
                path_effects=[withStroke(linewidth=3, foreground="white")],
                arrowprops=_leader(right, up) if abs(up) == FAR else None,
            ).set_in_layout(False)
            break


def _leader(right: float, up: float) -> dict[str, Any]:
    """Returns the line from the nearest corner of a text to what it names."""
    corner = (0.0 if right > 0 else 1.0, 0.0 if up > 0 else 1.0)
    return {"arrowstyle": "-", "color": GREY, "relpos": corner, "shrinkA": 0.0}


def _beside(place: tuple[float, float], size: Bbox, right: float, up: float) -> Bbox:
    """Returns the pixels of a text of this size, so many points away from a place."""
    x, y = (at + points * DPI / 72 for at, points in zip(place, (right, up), strict=True))
    left = x if right > 0 else x - size.width
    bottom = y if up > 0 else y - size.height if up < 0 else y - size.height / 2
    return Bbox.from_bounds(left, bottom, size.width, size.height)


def _contains(frame: Bbox, box: Bbox) -> bool:
    across = frame.x0 <= box.x0 and box.x1 <= frame.x1
    upright = frame.y0 <= box.y0 and box.y1 <= frame.y1
    return bool(across and upright)


def _boxes(axes: Axes, panel: Panel, point: Point) -> list[Bbox]:
    """Returns the pixels that a point's marker and bars cover."""
    x, y = axes.transData.transform((point.x, point.y))
    half = point.size_px * DPI / PX_PER_INCH / 2
    boxes = [Bbox.from_extents(x - half, y - half, x + half, y + half)]
    bars = [axes.transData.transform(bar) for bar in _bars(panel, point)]
    return boxes + [Bbox(bar).padded(1) for bar in bars]
