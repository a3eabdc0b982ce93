from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.figures.figures import figures
from greenexp.report.figures.plot import Figure, Panel, Point, shortened
from greenexp.study.estimates import Interval
from greenexp.study.savings import Payback
from greenexp.study.study import Cell, Study
from tests.support.studies import empty_study, study

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
    assert drawn == by_size[::-1]  # the small ones on top
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


def test_names_are_shortened_in_their_middle() -> None:
    long = "deit_base_distilled_patch16_384"
    assert len(shortened(long, 24)) <= 24
    assert shortened(long, 24).startswith("deit_base")
    assert shortened(long, 24).endswith("16_384")
    assert shortened("resnet_50", 24) == "resnet_50"
