"""Scatters: accuracy against energy, the front, and the baselines by size."""

from __future__ import annotations

from greenexp.quantities import ENERGY
from greenexp.study.estimates import Interval
from tests.support.figures import TOP1, figure, points
from tests.support.studies import study
from tests.support.studies_changed import without

PARAMETERS = "complexity/parameters"


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
    assert all(len(pairs) == 1 for pairs in looks.values())
    assert len(set.union(*looks.values())) == 31


def test_accuracy_lost_against_energy_saved() -> None:
    made = study(models=1, tactics=2)
    (panel,) = figure(made, "accuracy_vs_energy").panels
    cell = made.cells[1]
    effect, accuracy = cell.effects[ENERGY], cell.accuracy
    assert effect.interval is not None
    assert accuracy is not None
    assert accuracy.interval is not None
    (point,) = next(series for series in panel.series if series.name == cell.tactic).points
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
