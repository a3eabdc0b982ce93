"""Forests: the ratios of tactics and models, with their intervals and verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY, LATENCY
from tests.support.figures import figure, points
from tests.support.studies import study


@pytest.mark.parametrize(
    ("name", "metric"), [("forest_energy", ENERGY), ("forest_latency", LATENCY)]
)
def test_forest_draws_every_ratio_with_its_interval(name: str, metric: str) -> None:
    made = study()
    (panel,) = figure(made, name).panels
    told = {
        (effect.ratio, effect.interval)
        for effect in [
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
                line,
                effects={name: replace(e, floor=None) for name, e in line.effects.items()},
            )
            for line in made.overall
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
