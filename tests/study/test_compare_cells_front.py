"""Which cells are on the front."""

from __future__ import annotations

import pytest

from tests.support.synthetic_runs import Planted, cell_of, compared, no_predictions, rows


@pytest.mark.parametrize("blocks", [1, 8])
def test_cell_is_dominated_only_where_the_intervals_say_so(blocks: int) -> None:
    tactics = {
        "better": Planted(energy=0.5),
        "near": Planted(energy=0.5001),
        "worse": Planted(energy=0.9, lost=20),
        "dearer but right": Planted(energy=1.2, gained=30),
    }
    comparison = compared(rows(tactics=tactics, blocks=blocks), tactics)
    fronts = {cell.tactic: cell.on_front for cell in comparison.cells}
    shown = blocks > 1
    assert fronts == {
        "baseline": not shown,  # as right as `better`, which takes half
        "better": True,
        "near": True,
        "worse": not shown,
        "dearer but right": True,
    }


def test_front_is_over_the_models_of_a_setting() -> None:
    comparison = compared(rows(["vit", "swin"], {}, aa=False, drift=0.0))
    assert {cell.model: cell.on_front for cell in comparison.cells} == {"vit": True, "swin": False}
    apart = [*rows(["vit"], {}, drift=0.0), *rows(["swin"], {}, drift=0.0, workload="quick")]
    assert {cell.on_front for cell in compared(apart).cells} == {True}


def test_joules_of_different_sources_dominate_nothing() -> None:
    made = [
        row | ({"energy_source": "cpu:model"} if row["tactic"] == "better" else {})
        for row in rows(tactics={"better": Planted(energy=0.1)})
    ]
    assert {cell.on_front for cell in compared(made).cells} == {True}


def test_without_predictions_no_cell_of_another_accuracy_is_dominated() -> None:
    tactics = {"worse": Planted(energy=0.9, lost=100), "best": Planted(energy=0.5)}
    comparison = compared(rows(tactics=tactics), tactics, judged=no_predictions)
    fronts = {cell.tactic: cell.on_front for cell in comparison.cells}
    assert fronts == {"baseline": False, "worse": True, "best": True}
    assert cell_of(comparison, "worse").accuracy is not None
    assert cell_of(comparison, "worse").accuracy.interval is None  # type: ignore[union-attr] # see above
