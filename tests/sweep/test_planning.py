"""What the rules of a sweep make of its cells and of what was measured before."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.runs.run import Run
from greenexp.sweep.events import Composition, Plan
from greenexp.sweep.plan import Cell
from greenexp.sweep.planning import plan_of
from greenexp.sweep.survey import Survey
from tests.support.builders import a_run

BASELINE = Cell((), "vit · baseline", "base", "peers", is_baseline=True)
TACTIC = Cell((), "vit · pruned", "pruned", "peers", is_baseline=False)
HERE = Survey("host", "here", "quiet", "1.0", inspections=[])


def planned(earlier: list[Run], **sections: dict[str, Any]) -> Plan:
    """Returns the plan of one block of baseline (A/A) and tactic."""
    first = {"repetitions": 1, **sections, "sweep": {"baselines": 2, **sections.get("sweep", {})}}
    composed = Composition(first, {})
    return plan_of([BASELINE, TACTIC], [], first, lambda overrides: composed, earlier, HERE)


def measured(cell: str, replicate: int = 1, *doubts: str) -> Run:
    tactic = "baseline" if cell == "base" else "local_pruning"
    return a_run(
        id=f"{cell} {replicate}",
        cell=cell,
        choices={"model": "vit", "tactic": tactic},
        block=1,
        replicate=replicate,
        machine="here",
        conditions="quiet",
        version="1.0",
        together="first",
        doubts=doubts,
    )


def block(*doubts: str) -> list[Run]:
    return [measured("base"), measured("base", 2), measured("pruned", 1, *doubts)]


@pytest.mark.parametrize(
    ("sections", "left"),
    [
        pytest.param({}, ["base", "base", "pruned"], id="again, beside baselines of its own"),
        pytest.param({"sweep": {"rerun": "flagged"}}, ["base", "base", "pruned"], id="asked for"),
        pytest.param({"sweep": {"rerun": False}}, [], id="it has ended"),
        pytest.param({"sweep": {"attempts": 1}}, [], id="as often as is allowed"),
        pytest.param({"report": {"keep_flagged": True}}, [], id="it counts"),
        pytest.param({"sweep": {"rerun": True}}, ["base", "base", "pruned"], id="all are"),
    ],
)
def test_rules_decide_whether_a_flagged_run_is_measured_again(
    sections: dict[str, dict[str, Any]], left: list[str]
) -> None:
    plan = planned(block("other_processes"), **sections)
    assert sorted(run.cell.id for runs in plan.left for run in runs) == left


def test_the_user_is_told_why_a_flagged_run_is_measured_again() -> None:
    (line,) = planned(block("other_processes")).notices
    assert line.startswith("1 run was flagged (other_processes), so it is measured again")
    assert planned(block("other_processes"), sweep={"rerun": False}).notices == []


def test_what_is_valid_is_not_measured_again() -> None:
    plan = planned(block())
    assert (plan.left, plan.notices) == ([], [])
    assert len(planned(block(), sweep={"rerun": True}).left[0]) == 3
