from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from studies import empty_study, study

from greenexp.report.axes import TICKS, linear_axis, log_axis, log_ticks, short
from greenexp.report.figures import figures
from greenexp.report.interactive import div, plotly_figure
from greenexp.report.pictures import png
from greenexp.report.plot import (
    Figure,
    Panel,
    Point,
    shortened,
)
from greenexp.report.study import ENERGY, LATENCY, Cell, Interval, Payback, Quantity, Study

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
TOP1 = "accuracy/top1"
PARAMETERS = "complexity/parameters"


def figure(made: Study, name: str) -> Figure:
    return next(one for one in figures(made) if one.name == name)


def points(panel: Panel) -> list[Point]:
    return [point for series in panel.series if series.marker for point in series.points]


def each_cell(made: Study, **changes: Any) -> Study:
    return replace(made, cells=[replace(cell, **changes) for cell in made.cells])


def without(made: Study, metric: str) -> Study:
    """The study as it would be, had the metric not been measured."""

    def kept(mapping: Any) -> dict[str, Any]:
        return {key: value for key, value in mapping.items() if key != metric}

    return replace(
        made,
        cells=[
            replace(cell, quantities=kept(cell.quantities), effects=kept(cell.effects))
            for cell in made.cells
        ],
        overall=[replace(one, effects=kept(one.effects)) for one in made.overall],
        noise={name: kept(metrics) for name, metrics in made.noise.items()},
    )


def with_paybacks(made: Study, **changes: Any) -> Study:
    """The study with its paybacks changed, whatever their currency."""

    def changed(cell: Cell) -> Cell:
        return replace(
            cell, paybacks={key: replace(one, **changes) for key, one in cell.paybacks.items()}
        )

    return replace(made, cells=[changed(cell) for cell in made.cells])


def test_study_has_every_figure() -> None:
    assert [one.name for one in figures(study())] == NAMES


def test_nothing_is_drawn_of_nothing() -> None:
    assert figures(empty_study()) == []


@pytest.mark.parametrize(
    ("made", "absent"),
    [
        pytest.param(
            without(study(), ENERGY),
            {"forest_energy", "pareto", "accuracy_vs_energy", "catalogue"},
            id="energy",
        ),
        pytest.param(without(study(), LATENCY), {"forest_latency"}, id="latency"),
        pytest.param(without(study(), TOP1), {"pareto", "catalogue"}, id="top-1"),
        pytest.param(study(power={}), {"power"}, id="power"),
        pytest.param(study(power={"run": []}), {"power"}, id="empty power"),
        pytest.param(each_cell(study(), paybacks={}), {"break_even"}, id="paybacks"),
        pytest.param(
            with_paybacks(study(), verdict="never", images=None), {"break_even"}, id="never"
        ),
        pytest.param(study(models=1), {"catalogue"}, id="a single model"),
        pytest.param(
            study(tactics=0),
            {name for name in NAMES if name not in ("pareto", "power", "catalogue")},
            id="baselines alone",
        ),
    ],
)
def test_figure_without_data_is_left_out(made: Study, absent: set[str]) -> None:
    assert {one.name for one in figures(made)} == set(NAMES) - absent


def test_accuracy_unknown_leaves_out_its_scatter() -> None:
    made = each_cell(study(), accuracy=None)
    made = replace(made, overall=[replace(one, accuracy=None) for one in made.overall])
    assert {one.name for one in figures(made)} == set(NAMES) - {"accuracy_vs_energy"}


# Forests.


@pytest.mark.parametrize(
    ("name", "metric"), [("forest_energy", ENERGY), ("forest_latency", LATENCY)]
)
def test_forest_draws_every_ratio_with_its_interval(name: str, metric: str) -> None:
    made = study()
    (panel,) = figure(made, name).panels
    told = {
        (one.ratio, one.interval)
        for one in [
            *(cell.effects[metric] for cell in made.cells if not cell.is_baseline),
            *(line.effects[metric] for line in made.overall),
            made.noise[panel.title][metric],
        ]
    }
    assert {(point.x, point.x_range) for point in points(panel)} == told
    assert sorted(point.y for point in points(panel)) == list(range(len(panel.y.ticks)))


def test_forest_rows_are_tactics_and_below_each_its_models() -> None:
    made = study(models=2, tactics=2)
    (panel,) = figure(made, "forest_energy").panels
    rows = [(tick.text, tick.strong) for tick in panel.y.ticks]
    models = [("vit_base_patch16_224", False), ("resnet_50", False)]
    assert [tick.at for tick in panel.y.ticks] == list(range(7))
    assert rows == [
        ("dynamic_quantization", True),
        *models,
        ("torch_compile", True),
        *models,
        ("baseline again (A/A)", False),
    ]
    first = next(point for point in points(panel) if point.y == 0)
    assert first.x == made.overall[0].effects[ENERGY].ratio
    assert panel.y.ends[0] > panel.y.ends[1]  # so that the first is on top


def test_forest_of_one_model_has_a_row_a_tactic() -> None:
    made = study(models=1, tactics=2)
    (panel,) = figure(made, "forest_energy").panels
    ticks = [tick.text for tick in panel.y.ticks]
    assert ticks == ["dynamic_quantization", "torch_compile", "baseline again (A/A)"]
    first = next(point for point in points(panel) if point.y == 0)
    assert first.x_range == made.cells[1].effects[ENERGY].interval


def test_verdicts_differ_in_colour_and_shape() -> None:
    (panel,) = figure(study(tactics=7), "forest_energy").panels
    assert {series.name for series in panel.series} == {"lower", "higher", "no difference shown"}
    assert len({series.color for series in panel.series}) == 3
    assert len({series.marker for series in panel.series}) == 3
    for series in panel.series:
        assert all(series.name in point.text for point in series.points)


def test_forest_shades_what_two_baselines_differ_by() -> None:
    made = study()
    (panel,) = figure(made, "forest_energy").panels
    floor = made.overall[0].effects[ENERGY].floor
    assert floor is not None
    assert panel.shade is not None
    assert panel.shade.high == pytest.approx(1 + floor)
    assert panel.shade.low * panel.shade.high == pytest.approx(1)
    assert "A/A" in figure(made, "forest_energy").caption


def test_forest_without_aa_has_no_shade() -> None:
    made = study(noise={})
    made = replace(
        made,
        overall=[
            replace(
                one,
                effects={name: replace(e, floor=None) for name, e in one.effects.items()},
            )
            for one in made.overall
        ],
    )
    drawn = figure(made, "forest_energy")
    assert drawn.panels[0].shade is None
    assert "A/A" not in drawn.caption


def test_effects_of_one_block_are_hollow_and_said_to_be() -> None:
    drawn = figure(study(models=1, blocks=1), "forest_energy")
    assert all(point.hollow for point in points(drawn.panels[0]))
    assert "Hollow" in drawn.caption
    assert "Hollow" not in figure(study(), "forest_energy").caption


def test_large_forest_shows_the_tactics_alone() -> None:
    drawn = figure(study(models=42, tactics=20), "forest_energy")
    (panel,) = drawn.panels
    assert len(panel.y.ticks) == 21
    assert all(tick.strong for tick in panel.y.ticks[:-1])
    assert "Single models are left out" in drawn.caption
    assert "Single models" not in figure(study(), "forest_energy").caption


def test_forest_past_its_limit_says_how_many_rows_are_missing() -> None:
    drawn = figure(study(models=2, tactics=70), "forest_energy")
    assert len(drawn.panels[0].y.ticks) == 61
    assert "10 more rows are left out" in drawn.caption


def test_forest_has_a_panel_a_setting() -> None:
    made = study(settings=2)
    assert [panel.title for panel in figure(made, "forest_energy").panels] == [
        setting.name for setting in made.settings
    ]


# Scatters.


def test_pareto_places_every_cell_and_fills_the_front() -> None:
    made = study()
    (panel,) = figure(made, "pareto").panels
    assert {(p.x, p.y, p.x_range, p.hollow) for p in points(panel)} == {
        (
            cell.quantities[ENERGY].value,
            100 * cell.quantities[TOP1].value,
            cell.quantities[ENERGY].interval,
            not cell.on_front,
        )
        for cell in made.cells
    }
    assert {series.name for series in panel.series if series.marker} == {
        cell.tactic for cell in made.cells
    }


def test_front_is_joined_in_stairs_that_only_rise() -> None:
    made = study()
    (panel,) = figure(made, "pareto").panels
    (front,) = [series for series in panel.series if series.stepped]
    xs, ys = [p.x for p in front.points], [p.y for p in front.points]
    assert xs == sorted(xs)
    assert ys == sorted(set(ys))
    members = [cell for cell in made.cells if cell.on_front]
    assert xs[0] == min(cell.quantities[ENERGY].value for cell in members)
    assert ys[-1] == max(100 * cell.quantities[TOP1].value for cell in members)


def test_every_tactic_looks_the_same_in_every_figure() -> None:
    made = study(models=2, tactics=30)
    looks = {}
    for name in ("pareto", "accuracy_vs_energy"):
        for panel in figure(made, name).panels:
            for series in panel.series:
                if series.marker:
                    looks.setdefault(series.name, set()).add((series.color, series.marker))
    assert len(looks) == 31
    assert all(len(found) == 1 for found in looks.values())
    assert len(set.union(*looks.values())) == 31


def test_accuracy_lost_against_energy_saved() -> None:
    made = study(models=1, tactics=2)
    (panel,) = figure(made, "accuracy_vs_energy").panels
    cell = made.cells[1]
    effect, accuracy = cell.effects[ENERGY], cell.accuracy
    assert effect.interval is not None
    assert accuracy is not None
    assert accuracy.interval is not None
    (point,) = next(one for one in panel.series if one.name == cell.tactic).points
    assert (point.x, point.y) == (100 * (1 - effect.ratio), -100 * accuracy.delta)
    assert point.x_range == Interval(
        100 * (1 - effect.interval.high), 100 * (1 - effect.interval.low)
    )
    assert point.y_range == Interval(-100 * accuracy.interval.high, -100 * accuracy.interval.low)
    assert not point.hollow
    assert [line.at for line in panel.horizontals] == [0, 100 * made.max_top1_drop]


def test_models_are_small_and_hollow_beside_the_tactic_over_them() -> None:
    made = study(models=3, tactics=2)
    (panel,) = figure(made, "accuracy_vs_energy").panels
    for series in panel.series:
        *models, over = series.points
        assert [point.hollow for point in models] == [True] * 3
        assert not over.hollow
        assert all(over.size_px > point.size_px for point in models)
    large = figure(study(models=42, tactics=20), "accuracy_vs_energy")
    assert len(points(large.panels[0])) == 20
    assert "Single models are left out" in large.caption


def test_catalogue_holds_baselines_alone_sized_by_parameters() -> None:
    made = study(models=5)
    (panel,) = figure(made, "catalogue").panels
    baselines = [cell for cell in made.cells if cell.is_baseline]
    drawn = points(panel)
    assert {(p.label, p.x, p.y) for p in drawn} == {
        (
            cell.model,
            cell.quantities[ENERGY].value,
            100 * cell.quantities[TOP1].value,
        )
        for cell in baselines
    }
    assert len(drawn) == 5
    by_size = sorted(drawn, key=lambda point: point.size_px)
    by_count = sorted(baselines, key=lambda cell: cell.quantities[PARAMETERS].value)
    assert [point.label for point in by_size] == [cell.model for cell in by_count]
    assert not any(point.hollow for point in drawn)


def test_unknown_size_is_hollow_and_not_invented() -> None:
    made = without(study(models=2), PARAMETERS)
    drawn = figure(made, "catalogue")
    assert all(point.hollow for point in points(drawn.panels[0]))
    assert "not known" in drawn.caption
    assert "million" not in drawn.caption


# Break-even and power.


def payback(made: Study, model: str, tactic: str) -> Payback:
    (cell,) = [one for one in made.cells if (one.model, one.tactic) == (model, tactic)]
    return cell.paybacks["usd"]


def test_break_even_lines_are_the_saving_less_the_price() -> None:
    made = study()
    drawn = figure(made, "break_even")
    assert [panel.title for panel in drawn.panels] == list(
        dict.fromkeys(cell.model for cell in made.cells)
    )
    for panel in drawn.panels:
        lines = [series for series in panel.series if series.dash]
        marks = {series.name: series.points for series in panel.series if series.marker}
        assert {line.name for line in lines} == {"dynamic_quantization", "torch_compile"}
        for line in lines:
            one = payback(made, panel.title, line.name)
            assert one.saving_interval is not None
            for point in line.points:
                assert point.y == pytest.approx(one.saving * point.x - one.price)
                assert point.y_range is not None
                assert point.y_range.low == pytest.approx(
                    one.saving_interval.low * point.x - one.price
                )
            (mark,) = marks[line.name]
            assert (mark.x, mark.y, mark.x_range) == (one.images, 0, one.interval)
            at = next(point.y for point in line.points if point.x == one.images)
            assert at == pytest.approx(0, abs=1e-9 * one.price)


def test_break_even_names_what_never_pays_back() -> None:
    caption = figure(study(), "break_even").caption
    assert "Never, as far as can be told: global_pruning, local_pruning." in caption or (
        "Never, as far as can be told: local_pruning, global_pruning." in caption
    )


def test_break_even_names_what_is_free() -> None:
    made = study(tactics=8)
    caption = figure(made, "break_even").caption
    free = [
        cell for cell in made.cells if cell.paybacks and cell.paybacks["usd"].verdict == "at once"
    ]
    assert {cell.tactic for cell in free} == {"channels_last"}
    assert "At once: channels_last" in caption


def test_break_even_is_in_joules_where_dollars_are_unknown() -> None:
    made = study()
    cells = [
        replace(cell, paybacks={key: one for key, one in cell.paybacks.items() if key != "usd"})
        for cell in made.cells
    ]
    assert figure(made, "break_even").panels[0].y.title.endswith("(USD)")
    assert figure(replace(made, cells=cells), "break_even").panels[0].y.title.endswith("(J)")


def test_break_even_without_an_upper_end_runs_out_of_the_panel() -> None:
    made = with_paybacks(study(), interval=Interval(1e3, math.inf), verdict="pays back")
    drawn = figure(made, "break_even")
    for panel in drawn.panels:
        assert all(map(math.isfinite, panel.x.ends))
        for point in points(panel):
            assert point.x_range is not None
            assert panel.x.within(point.x_range).high == max(panel.x.ends)
    assert_finite(drawn)
    png(drawn)


def test_break_even_of_one_block_has_no_bands() -> None:
    drawn = figure(study(blocks=1), "break_even")
    assert not any(series.band for panel in drawn.panels for series in panel.series)
    assert all(point.hollow for panel in drawn.panels for point in points(panel))
    assert "nothing is claimed" in drawn.caption
    assert "Nothing saved in the one block measured: " in drawn.caption


def test_break_even_of_many_models_says_how_many_it_shows() -> None:
    drawn = figure(study(models=10), "break_even")
    assert len(drawn.panels) == 6
    assert "6 of 10 models" in drawn.caption


def test_power_is_as_recorded() -> None:
    made = study()
    (panel,) = figure(made, "power").panels
    assert {
        series.name: [(point.x, point.y) for point in series.points] for series in panel.series
    } == made.power
    assert panel.y.ends[0] == 0


# All of them.


@pytest.mark.parametrize("name", NAMES)
def test_axes_carry_their_units(name: str) -> None:
    for panel in figure(study(), name).panels:
        assert panel.x.title.endswith(")")
        if not panel.y.ticks:
            assert panel.y.title.endswith(")")


@pytest.mark.parametrize("name", ["forest_energy", "forest_cost", "pareto", "power", "break_even"])
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("cpu:model", "Energy is an estimate"),
        ("cpu:model+gpu:counter", "Energy is in part an estimate"),
        ("cpu:counter", None),
    ],
)
def test_caption_says_what_is_an_estimate(name: str, source: str, said: str | None) -> None:
    caption = figure(each_cell(study(), energy_source=source), name).caption
    assert said in caption if said else "estimate" not in caption


def test_latency_is_no_estimate() -> None:
    assert "estimate" not in figure(study(), "forest_latency").caption


def test_figures_of_many_models_stay_small() -> None:
    for drawn in figures(study(models=42, tactics=20)):
        assert sum(panel.height_px for panel in drawn.panels) < 3000


@given(
    st.floats(1e-9, 1e9),
    st.floats(1.001, 1e12),
)
def test_log_ticks_lie_within_and_are_few(low: float, times: float) -> None:
    ticks = log_ticks(low, low * times)
    assert len(ticks) <= TICKS
    assert ticks == sorted(set(ticks))
    assert all(low * (1 - 1e-5) <= tick <= low * times * (1 + 1e-5) for tick in ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        pytest.param(0.35, 1.4, [0.4, 0.6, 0.8, 1.0, 1.2], id="1.2 and 1.4 have no room for both"),
        pytest.param(0.97, 1.03, [0.98, 1.0, 1.02], id="narrow"),
        pytest.param(0.07, 0.9, [0.1, 0.2, 0.5], id="1-2-5"),
        pytest.param(0.05, 15, [0.1, 0.3, 1.0, 3.0, 10.0], id="1-3"),
        pytest.param(1e-3, 1e9, [1e-3, 1.0, 1e3, 1e6, 1e9], id="every third decade"),
    ],
)
def test_log_ticks_are_round_and_keep_apart(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == ticks


@given(st.floats(1e-9, 1e9), st.floats(1.5, 1e12))
def test_log_axes_have_a_tick(low: float, times: float) -> None:
    assert log_ticks(low, low * times)


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1),
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(0, math.inf)), max_size=5),
)
def test_axes_hold_their_values_whatever_the_bars(
    values: list[float], bars: list[tuple[float, float]]
) -> None:
    intervals = [Interval(low, low + length) for low, length in bars]
    for axis in (linear_axis("x (J)", values, intervals), log_axis("x (J)", values, intervals)):
        start, end = axis.ends
        assert start < min(values)
        assert max(values) < end
        assert math.isfinite(start)
        assert math.isfinite(end)
        assert not axis.log or start > 0


def test_axis_is_not_stretched_by_one_wild_bar() -> None:
    bars = [Interval(0.9, 1.1), Interval(0.8, 1.0), Interval(1e-300, 1e300)]
    axis = log_axis("ratio (J)", [1.0, 0.9, 1.2], bars)
    assert axis.ends[0] > 0.5
    assert axis.ends[1] < 2
    assert axis.within(bars[-1]) == Interval(*axis.ends)


def test_names_are_shortened_in_their_middle() -> None:
    long = "deit_base_distilled_patch16_384"
    assert len(shortened(long, 24)) <= 24
    assert shortened(long, 24).startswith("deit_base")
    assert shortened(long, 24).endswith("16_384")
    assert shortened("resnet_50", 24) == "resnet_50"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02, "0.02"), (1.0, "1"), (20e3, "20k"), (1.5e6, "1.5M"), (3e9, "3B"), (1e-6, "1e-06")],
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert short(value) == text


# Drawn.


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


def test_png_grows_with_its_rows() -> None:
    few, many = (opened(figure(study(tactics=n), "forest_energy")) for n in (2, 8))
    rows = 6 * 4
    assert many.height - few.height >= rows * 24 * 1.4 * 0.9


def test_png_takes_any_name() -> None:
    made = study(models=2)
    cells = [replace(cell, model=f"{cell.model} $x_{{1}}$ <b>&") for cell in made.cells]
    for drawn in figures(replace(made, cells=cells)):
        assert png(drawn).startswith(b"\x89PNG")


def assert_finite(drawn: Figure) -> None:
    """Fails where plotly's JSON holds what isn't JSON, or a gap among its places."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = plotly_figure(drawn).to_json()
    for trace in json.loads(text, parse_constant=refuse)["data"]:
        if not trace.get("showlegend", True):
            assert None not in trace["x"]
            assert None not in trace["y"]


def drawn_traces(drawn: Figure) -> list[Any]:
    """plotly's traces of series, less bands, straight lines and what stands in the legend."""
    return [
        one
        for one in plotly_figure(drawn).data
        if one.showlegend is False and one.fill is None and one.meta is None
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
        assert [(list(one.x), list(one.y)) for one in drawn_traces(drawn)] == expected


def test_plotly_draws_lines_and_shades() -> None:
    made = study(settings=2)
    for drawn in figures(made):
        sheet = plotly_figure(drawn)
        assert [(list(one.x), list(one.y)) for one in sheet.data if one.meta == "rule"] == [
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
        shown = [places["layout"], *({k: v for k, v in one.items() if k != "legendgroup"}
                                     for one in places["data"])]  # fmt: skip
        assert "<img" not in json.dumps(shown)


def test_quantities_without_interval_are_drawn_without_bar() -> None:
    made = study(models=2)
    cells = [
        replace(
            cell,
            quantities={name: Quantity(one.value) for name, one in cell.quantities.items()},
        )
        for cell in made.cells
    ]
    drawn = figure(replace(made, cells=cells), "catalogue")
    (trace,) = drawn_traces(drawn)
    assert trace.error_x.array is None
    assert len(trace.x) == 2
    png(drawn)
