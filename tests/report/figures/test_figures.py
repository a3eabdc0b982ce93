"""The figures of a study: which of them are drawn, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.figures.figures import figures
from greenexp.report.figures.plot import shortened
from greenexp.study.study import Study
from tests.support.figures import TOP1, figure
from tests.support.studies import empty_study, study
from tests.support.studies_changed import with_cells, with_paybacks, without

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


def test_study_has_every_figure() -> None:
    assert [drawing.name for drawing in figures(study())] == NAMES


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
        pytest.param(with_cells(study(), paybacks={}), {"break_even"}, id="paybacks"),
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
    assert {drawing.name for drawing in figures(made)} == set(NAMES) - absent


def test_accuracy_unknown_leaves_out_its_scatter() -> None:
    made = with_cells(study(), accuracy=None)
    made = replace(made, overall=[replace(line, accuracy=None) for line in made.overall])
    assert {drawing.name for drawing in figures(made)} == set(NAMES) - {"accuracy_vs_energy"}


# All of them.


@pytest.mark.parametrize("name", NAMES)
def test_axes_carry_their_units(name: str) -> None:
    for panel in figure(study(), name).panels:
        assert panel.x.title.endswith(")")
        if not panel.y.ticks:
            assert panel.y.title.endswith(")")


@pytest.mark.parametrize("name", ["forest_energy", "forest_cost", "pareto", "power", "break_even"])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("cpu:model", "Energy is an estimate"),
        ("cpu:model+gpu:counter", "Energy is in part an estimate"),
        ("cpu:counter", None),
    ],
)
def test_caption_says_what_is_an_estimate(name: str, source: str, words: str | None) -> None:
    caption = figure(with_cells(study(), energy_source=source), name).caption
    assert words in caption if words else "estimate" not in caption


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
