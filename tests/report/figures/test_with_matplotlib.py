from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from greenexp.report.figures.figures import figures
from greenexp.report.figures.plot import Figure, Panel, shortened
from greenexp.report.figures.with_matplotlib import png
from greenexp.report.figures.with_plotly import div, plotly_figure
from greenexp.study.estimates import Interval, Quantity
from greenexp.study.study import Study
from tests.support.studies import study

NAMES = [
    "forest_energy",
    "forest_latency",
    "forest_cost",
    "pareto",
    "accuracy_vs_energy",
    "break_even",
    "power",
    "catalogue",
]


def figure(made: Study, name: str) -> Figure:
    return next(drawing for drawing in figures(made) if drawing.name == name)


def opened(drawn: Figure) -> Image.Image:
    picture = Image.open(io.BytesIO(png(drawn)))
    picture.load()
    return picture


@pytest.mark.parametrize("name", NAMES)
def test_png_is_a_picture(name: str) -> None:
    picture = opened(figure(study(), name))
    assert picture.format == "PNG"
    assert picture.width == 1260
    assert 500 < picture.height < 6000
    colors = picture.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colors is not None
    drawn = {color for _, color in colors}
    assert len(drawn) > 20
    assert drawn & {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)}


def bare(panel: Panel) -> Panel:
    series = [
        replace(
            curve, points=[replace(point, x_range=None, y_range=None) for point in curve.points]
        )
        for curve in panel.series
    ]
    return replace(panel, series=series)


def unlabelled(panel: Panel) -> Panel:
    series = [
        replace(curve, points=[replace(point, label="") for point in curve.points])
        for curve in panel.series
    ]
    return replace(panel, series=series)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("forest_energy", bare, id="bars across"),
        pytest.param("catalogue", bare, id="bars upright"),
        pytest.param("break_even", bare, id="bands"),
        pytest.param(
            "forest_energy", lambda panel: replace(panel, shade=Interval(0.7, 0.75)), id="shade"
        ),
        pytest.param("forest_energy", lambda panel: replace(panel, verticals=[]), id="line at 1"),
        pytest.param("break_even", lambda panel: replace(panel, horizontals=[]), id="line at 0"),
        pytest.param("pareto", unlabelled, id="labels"),
        pytest.param("pareto", lambda panel: replace(panel, title="Title"), id="title"),
    ],
)
def test_png_shows_each_part(name: str, change: Callable[[Panel], Panel]) -> None:
    drawn = figure(study(), name)
    assert png(drawn) == png(drawn)
    assert png(drawn) != png(replace(drawn, panels=[change(panel) for panel in drawn.panels]))


def test_png_holds_its_legend() -> None:
    drawn = figure(study(), "power")
    (panel,) = drawn.panels
    series = [replace(curve, name=curve.name[::-1]) for curve in panel.series]
    assert png(drawn) != png(replace(drawn, panels=[replace(panel, series=series)]))


def test_png_holds_its_caption() -> None:
    drawn = figure(study(), "power")
    assert png(drawn) != png(replace(drawn, caption=drawn.caption.upper()))


def test_best_is_on_top_and_left_of_the_png() -> None:
    pixels = np.asarray(opened(figure(study(), "forest_energy")).convert("RGB"))

    def middle(color: tuple[int, int, int]) -> tuple[float, float]:
        rows, columns = np.nonzero((pixels == color).all(axis=2))
        return float(rows.mean()), float(columns.mean())

    (lower_y, lower_x), (higher_y, higher_x) = middle((0, 0x72, 0xB2)), middle((0xD5, 0x5E, 0))
    assert lower_y < higher_y
    assert lower_x < higher_x


def test_png_grows_with_its_rows() -> None:
    few, many = (opened(figure(study(tactics=n), "forest_energy")) for n in (2, 8))
    rows = 6 * 4
    assert many.height - few.height >= rows * 24 * 1.4 * 0.9


def test_png_takes_any_name() -> None:
    made = study(models=2)
    cells = [replace(cell, model=rf"{cell.model} $\frac{{1$ <b>&") for cell in made.cells]
    for drawn in figures(replace(made, cells=cells)):
        assert png(drawn).startswith(b"\x89PNG")


def assert_finite(drawn: Figure) -> None:
    """Fails where plotly's JSON holds what isn't JSON, or a gap among its places."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = plotly_figure(drawn).to_json()
    for trace in json.loads(text, parse_constant=refuse)["data"]:
        if trace.get("showlegend", True):
            continue  # of the legend alone
        for values in (trace["x"], trace["y"], trace.get("error_x", {}).get("array", [])):
            assert None not in values


def drawn_traces(drawn: Figure) -> list[Any]:
    """plotly's traces of series, less bands, straight lines and what stands in the legend."""
    return [
        trace
        for trace in plotly_figure(drawn).data
        if trace.showlegend is False and trace.fill is None and trace.meta is None
    ]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(study(), id="study"),
        pytest.param(study(tactics=8, settings=2), id="two settings"),
        pytest.param(study(models=1, blocks=1), id="one block"),
        pytest.param(study(models=42, tactics=20), id="large"),
    ],
)
def test_plotly_has_no_gaps(made: Study) -> None:
    for drawn in figures(made):
        assert_finite(drawn)


def test_plotly_draws_the_same_places() -> None:
    made = study()
    for drawn in figures(made):
        expected = [
            ([p.x for p in series.points], [p.y for p in series.points])
            for panel in drawn.panels
            for series in panel.series
        ]
        assert [(list(trace.x), list(trace.y)) for trace in drawn_traces(drawn)] == expected


def test_plotly_draws_lines_and_shades() -> None:
    made = study(settings=2)
    for drawn in figures(made):
        sheet = plotly_figure(drawn)
        assert [(list(trace.x), list(trace.y)) for trace in sheet.data if trace.meta == "rule"] == [
            place
            for panel in drawn.panels
            for place in [
                *(([line.at] * 2, list(panel.y.ends)) for line in panel.verticals),
                *((list(panel.x.ends), [line.at] * 2) for line in panel.horizontals),
            ]
        ]
        assert [(shape.x0, shape.x1) for shape in sheet.layout.shapes] == [
            (panel.shade.low, panel.shade.high) for panel in drawn.panels if panel.shade
        ]
    assert len(plotly_figure(figure(made, "forest_energy")).layout.shapes) == 2


def test_plotly_bars_end_where_intervals_do() -> None:
    drawn = figure(study(), "forest_energy")
    for trace, series in zip(drawn_traces(drawn), drawn.panels[0].series, strict=True):
        for index, point in enumerate(series.points):
            assert point.x_range is not None
            assert point.x + trace.error_x.array[index] == pytest.approx(point.x_range.high)
            assert point.x - trace.error_x.arrayminus[index] == pytest.approx(point.x_range.low)


def test_plotly_names_each_tactic_once_and_in_full_on_hover() -> None:
    made = study(tactics=5)
    long = "structured_pruning → int8_dynamic → torch_compile"
    drawn = plotly_figure(figure(made, "pareto"))
    named = [trace.name for trace in drawn.data if trace.showlegend is None]
    assert len(named) == len(set(named))
    assert shortened(long, 40) in named
    assert any(long in text for trace in drawn.data for text in trace.hovertext or [])


def test_page_piece_fetches_nothing_and_fits_its_place() -> None:
    for drawn in figures(study()):
        piece = div(drawn)
        assert f'id="{drawn.name}"' in piece
        assert "http" not in piece
        assert '"responsive": true' in piece
        assert plotly_figure(drawn).layout.width is None


def test_names_are_no_markup_in_the_page() -> None:
    made = study(models=2)
    wicked = "</script><img src=x onerror=alert(1)>"
    cells = [replace(cell, model=f"{wicked}{cell.model}") for cell in made.cells]
    made = replace(made, cells=cells, power={wicked: [(0.0, 1.0), (1.0, 2.0)]})
    for drawn in figures(made):
        piece = div(drawn)
        assert (
            piece.count("</script>") == 1 + div(figure(study(), drawn.name)).count("</script>") - 1
        )
        text = plotly_figure(drawn).to_json().replace("\\u003c", "<").replace("\\u003e", ">")
        places = json.loads(text)
        shown = [places["layout"], *({k: v for k, v in trace.items() if k != "legendgroup"}
                                     for trace in places["data"])]  # fmt: skip
        assert "<img" not in json.dumps(shown)


def test_quantities_without_interval_are_drawn_without_bar() -> None:
    made = study(models=2)
    cells = [
        replace(
            cell,
            quantities={
                name: Quantity(quantity.value) for name, quantity in cell.quantities.items()
            },
        )
        for cell in made.cells
    ]
    drawn = figure(replace(made, cells=cells), "catalogue")
    (trace,) = drawn_traces(drawn)
    assert trace.error_x.array is None
    assert len(trace.x) == 2
    png(drawn)


def test_endless_bars_are_cut_at_the_edge() -> None:
    made = study()
    for drawing in figures(made):
        series = [
            [
                replace(
                    curve,
                    points=[
                        replace(point, x_range=point.x_range and Interval(point.x, math.inf))
                        for point in curve.points
                    ],
                )
                for curve in panel.series
            ]
            for panel in drawing.panels
        ]
        panels = [replace(p, series=s) for p, s in zip(drawing.panels, series, strict=True)]
        endless = replace(drawing, panels=panels)
        assert_finite(endless)
        assert png(endless).startswith(b"\x89PNG")
