"""The mark that each run has in the tracker's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY
from greenexp.report.words.format import factor, verdict
from greenexp.report.words.marks import intervals, marks
from greenexp.settings.report import Report
from greenexp.study.effects import compare
from greenexp.study.study import Study
from tests.support.studies import empty_study
from tests.support.synthetic_runs import (
    STUDY,
    Row,
    compared,
    predictions,
    rows,
    runs_of,
    used,
    without_energy,
)


def study_of(made: list[Row]) -> Study:
    comparison = compared(made, STUDY)
    return replace(empty_study(), cells=comparison.cells, overall=comparison.overall)


def marked(made: list[Row]) -> dict[tuple[str, int, int], str]:
    """Returns the marks by tactic, block and replicate."""
    texts = marks(study_of(made), runs_of(made))
    return {(row["tactic"], row["block"], row["replicate"]): texts[row["run_id"]] for row in made}


def test_mark_of_a_tactic_is_its_verdict_with_ratio_and_interval() -> None:
    made = rows(tactics=STUDY)
    texts = marked(made)
    for cell in study_of(made).cells:
        if cell.is_baseline:
            continue
        effect = cell.effects[ENERGY]
        assert effect.interval is not None
        low, high = factor(effect.interval.low), factor(effect.interval.high)
        expected = f"{verdict(effect)} ×{factor(effect.ratio)} ({low} to {high})"
        assert {texts[cell.tactic, block, 1] for block in range(1, 9)} == {expected}
    assert texts["quantized", 1, 1].startswith("lower ×0.6")


def test_baselines_are_told_from_each_other() -> None:
    texts = marked(rows(blocks=1))
    assert (texts["baseline", 1, 1], texts["baseline", 1, 2]) == ("baseline", "A/A")


def test_without_energy_the_mark_is_of_what_else_was_compared() -> None:
    made = without_energy(rows(tactics=STUDY))
    assert marked(made)["quantized", 1, 1].startswith("lower ×0.699 (")


@pytest.mark.parametrize(
    ("column", "value", "mark"),
    [
        pytest.param("validity", "throttled, other_processes", None, id="flagged"),
        pytest.param("outcome", "unsupported", "unsupported", id="no run"),
    ],
)
def test_a_run_that_does_not_count_says_why(column: str, value: str, mark: str | None) -> None:
    made = rows(blocks=2)
    (row,) = (row for row in made if (row["tactic"], row["block"]) == ("quantized", 2))
    row[column] = value
    texts = marked(made)
    assert texts["quantized", 2, 1] == (mark or f"flagged: {value}")
    assert "×" in texts["quantized", 1, 1]


def test_a_tactic_beside_no_baseline_has_no_mark() -> None:
    made = [row for row in rows(blocks=1) if row["tactic"] != "baseline"]
    assert set(marked(made).values()) == {"–"}


def test_intervals_stand_beside_the_ratios_of_each_run() -> None:
    made = rows(tactics=STUDY)
    study = study_of(made)
    ends = intervals(study)
    (cell,) = (cell for cell in study.cells if cell.tactic == "quantized")
    interval = cell.effects[ENERGY].interval
    assert interval is not None
    for run_id in cell.run_ids:
        assert ends[run_id]["vs_baseline/energy_ratio_ci_low"] == interval.low
        assert ends[run_id]["vs_baseline/energy_ratio_ci_high"] == interval.high
        assert set(ends[run_id]) == {
            f"vs_baseline/{name}_ratio_ci_{end}"
            for name in ("energy", "latency", "cost")
            for end in ("low", "high")
        }
    assert all(
        not ends[run_id] for cell in study.cells if cell.is_baseline for run_id in cell.run_ids
    )


def test_flagged_runs_that_count_keep_their_flag_beside_the_verdict() -> None:
    made = [row | {"validity": "cpu_steal"} for row in rows(tactics=STUDY)]
    runs = used(made, keep_flagged=True)
    comparison = compare(runs, predictions(made, STUDY), Report(keep_flagged=True))
    study = replace(empty_study(), cells=comparison.cells, overall=comparison.overall)
    texts = marks(study, runs_of(made))
    assert all(mark.endswith("flagged: cpu_steal") for mark in texts.values())
    assert texts[made[2]["run_id"]].startswith("lower ×0.6")
    assert {texts[row["run_id"]] for row in made if row["tactic"] == "baseline"} == {
        "baseline; flagged: cpu_steal",
        "flagged: cpu_steal",  # of a further baseline
    }
