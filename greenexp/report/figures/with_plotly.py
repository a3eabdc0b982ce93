"""Figures for a page, drawn by plotly; title and caption are the page's to set."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import plotly.io
from plotly.subplots import make_subplots

from greenexp.report.figures.plot import (
    BLACK,
    FRAME_PX,
    GRID,
    MARKER_PX,
    MARKER_SCALES,
    SHADE,
    Axis,
    Dash,
    Entry,
    Figure,
    Line,
    Marker,
    Panel,
    Point,
    Series,
    legend,
    shortened,
)
from greenexp.study.estimates import Interval

FONT_PX, TICK_FONT_PX = 13, 12
LINE_CHARACTERS = 32  # so many fit beside a panel's row labels on a screen of 400 px
NAME_CHARACTERS = 40  # of a name in the legend
LABEL_CHARACTERS = 24  # of a row's
TOP_PX, LINE_PX = 44, 30
NARROW_PX = 384  # of a screen of 400 px, less its margins
CHARACTER_PX = 7
MARKERS: dict[Marker, str] = {
    "circle": "circle",
    "square": "square",
    "up": "triangle-up",
    "diamond": "diamond",
    "down": "triangle-down",
    "pentagon": "pentagon",
    "hexagon": "hexagon",
    "star": "star",
}
DASHES: dict[Dash, str] = {"solid": "solid", "dashed": "dash", "dotted": "dot"}
CONFIG = {
    "responsive": True,
    "displaylogo": False,
    "plotlyServerURL": "",  # nothing is ever sent anywhere
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}


def div(figure: Figure) -> str:
    """Returns the figure as a `<div>` with its script, for a page that has loaded plotly.js.

    The element's id is the figure's name. Nothing is fetched from anywhere.
    """
    drawn = plotly_figure(figure)
    return str(
        plotly.io.to_html(
            drawn,
            config=CONFIG,
            include_plotlyjs=False,
            include_mathjax=False,
            full_html=False,
            div_id=figure.name,
            default_height=f"{drawn.layout.height}px",
        )
    )


def plotly_figure(figure: Figure) -> go.Figure:
    """Returns the figure as plotly's: as wide as its place, as tall as its rows ask."""
    panels, entries = figure.panels, legend(figure)
    inner_px = [panel.height_px - FRAME_PX for panel in panels]
    panels_px = sum(inner_px) + FRAME_PX * (len(panels) - 1)
    legend_px = LINE_PX * _legend_lines(entries)
    sheet = make_subplots(
        rows=len(panels),
        cols=1,
        row_heights=inner_px,
        vertical_spacing=FRAME_PX / panels_px if len(panels) > 1 else 0.0,
        subplot_titles=[_wrapped(panel.title) or " " for panel in panels],
    )
    for row, panel in enumerate(panels, start=1):
        _draw(sheet, panel, {"row": row, "col": 1})
    for entry in entries:
        sheet.add_trace(_key(entry))
    sheet.update_layout(
        height=panels_px + FRAME_PX + TOP_PX + legend_px,
        font={"size": FONT_PX, "color": BLACK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 10, "r": 20, "t": TOP_PX, "b": 10},
        hovermode="closest",
        dragmode=False,  # a finger scrolls the page; the bar has the zoom
        hoverlabel={"namelength": -1, "align": "left"},
        showlegend=bool(entries),
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "maxheight": legend_px + 2 * LINE_PX,
        },
    )
    sheet.update_annotations(font_size=FONT_PX)
    return sheet


def _legend_lines(entries: Sequence[Entry]) -> int:
    """Returns how many lines the legend takes on a narrow screen."""
    lines, filled_px = 0, math.inf
    for entry in entries:
        width_px = 50 + CHARACTER_PX * min(len(entry.name), NAME_CHARACTERS)
        filled_px += width_px
        if filled_px > NARROW_PX:
            lines, filled_px = lines + 1, width_px
    return lines


def _key(entry: Entry) -> go.Scatter:
    """Returns an empty trace that stands for a name in the legend and hides its series."""
    modes = [*(["lines"] if entry.dash else []), *(["markers"] if entry.marker else [])]
    key = go.Scatter(
        x=[None],
        y=[None],
        mode="+".join(modes),
        name=html.escape(shortened(entry.name, NAME_CHARACTERS)),
        legendgroup=entry.name,
    )
    if entry.dash:
        key.line = {"color": entry.color, "dash": DASHES[entry.dash]}
    if entry.marker:
        size_px = MARKER_PX * MARKER_SCALES[entry.marker]
        key.marker = {"color": entry.color, "symbol": MARKERS[entry.marker], "size": size_px}
    return key


def _draw(sheet: go.Figure, panel: Panel, place: dict[str, int]) -> None:
    sheet.update_xaxes(**_axis(panel.x), title_standoff=8, **place)
    sheet.update_yaxes(**_axis(panel.y), title_standoff=4, **place)
    for line in panel.verticals:
        sheet.add_trace(_rule(line, [line.at] * 2, list(panel.y.ends)), **place)
    for line in panel.horizontals:
        sheet.add_trace(_rule(line, list(panel.x.ends), [line.at] * 2), **place)
    for series in panel.series:
        if series.band:
            sheet.add_trace(_band(series), **place)
        sheet.add_trace(_trace(panel, series), **place)
    if panel.shade is not None:
        shade = panel.x.within(panel.shade)
        look = {"fillcolor": SHADE, "line_width": 0, "layer": "below"}
        sheet.add_vrect(x0=shade.low, x1=shade.high, **look, **place)


def _rule(line: Line, x: list[float], y: list[float]) -> go.Scatter:
    """Returns the line as a trace: a shape would lie below the grid, or over the markers."""
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": BLACK, "width": 1, "dash": DASHES[line.dash]},
        legendgroup=line.name,
        showlegend=False,
        hoverinfo="skip",
        meta="rule",
    )


def _axis(axis: Axis) -> dict[str, Any]:
    start, end = axis.ends
    settings: dict[str, Any] = {
        "title_text": _wrapped(axis.title),
        "title_font_size": FONT_PX,
        "tickfont_size": TICK_FONT_PX,
        "type": "log" if axis.log else "linear",
        "range": [math.log10(start), math.log10(end)] if axis.log else [start, end],
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": "#444444",
        "zeroline": False,
        "tickformat": ",.6~g",
    }
    if axis.ticks:
        settings["tickmode"] = "array"
        settings["tickvals"] = [tick.at for tick in axis.ticks]
        settings["ticktext"] = [
            f"<b>{text}</b>" if tick.strong else text
            for tick in axis.ticks
            for text in [html.escape(shortened(tick.text, LABEL_CHARACTERS))]
        ]
    return settings


def _trace(panel: Panel, series: Series) -> go.Scatter:
    points = series.points
    told = any(point.text for point in points)
    modes = [*(["lines"] if series.dash else []), *(["markers"] if series.marker else [])]
    return go.Scatter(
        x=[point.x for point in points],
        y=[point.y for point in points],
        mode="+".join(modes),
        name=html.escape(shortened(series.name, NAME_CHARACTERS)),
        legendgroup=series.name,
        showlegend=False,
        line=_stroke(series),
        marker=_marks(series),
        error_x=_bars(points, [point.x_range for point in points], panel.x, series, "x"),
        error_y=None
        if series.band
        else _bars(points, [point.y_range for point in points], panel.y, series, "y"),
        hovertext=[html.escape(point.text).replace("\n", "<br>") for point in points]
        if told
        else None,
        hoverinfo="text" if told else "skip" if series.stepped else "x+y+name",
    )


def _stroke(series: Series) -> dict[str, Any] | None:
    if series.dash is None:
        return None
    shape = "hv" if series.stepped else "linear"
    return {"color": series.color, "width": 2, "dash": DASHES[series.dash], "shape": shape}


def _marks(series: Series) -> dict[str, Any] | None:
    if series.marker is None:
        return None
    symbol = MARKERS[series.marker]
    return {
        "color": series.color,
        "symbol": [f"{symbol}-open" if point.hollow else symbol for point in series.points],
        "size": [point.size_px * MARKER_SCALES[series.marker] for point in series.points],
        "opacity": 1,
        "line": {
            "width": [2 if point.hollow else 0.5 for point in series.points],
            "color": "white",  # an outline is drawn in the marker's own colour
        },
    }


def _bars(
    points: Sequence[Point],
    ranges: Sequence[Interval | None],
    axis: Axis,
    series: Series,
    along: str,
) -> dict[str, Any] | None:
    """Returns the bars of the points that have any, cut at the ends of the axis."""
    if not any(ranges):
        return None
    values = [getattr(point, along) for point in points]
    shown = [None if ends is None else axis.within(ends) for ends in ranges]
    return {
        "type": "data",
        "symmetric": False,
        "array": [ends and ends.high - at for ends, at in zip(shown, values, strict=True)],
        "arrayminus": [ends and at - ends.low for ends, at in zip(shown, values, strict=True)],
        "color": _transparent(series.color, 0.6),
        "thickness": 1.3,
        "width": 0,
    }


def _band(series: Series) -> go.Scatter:
    """Returns the area that the points' intervals cover."""
    ranges = [(point.x, point.y_range) for point in series.points if point.y_range]
    return go.Scatter(
        x=[x for x, _ in ranges] + [x for x, _ in reversed(ranges)],
        y=[ends.low for _, ends in ranges] + [ends.high for _, ends in reversed(ranges)],
        mode="lines",
        line={"width": 0, "color": series.color},
        fill="toself",
        fillcolor=_transparent(series.color, 0.18),
        legendgroup=series.name,
        showlegend=False,
        hoverinfo="skip",
    )


def _transparent(color: str, opacity: float) -> str:
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _wrapped(text: str) -> str:
    return "<br>".join(html.escape(line) for line in textwrap.wrap(text, LINE_CHARACTERS))
