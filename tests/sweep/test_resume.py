"""What counts as measured already, and what the forecast goes by."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.runs.identity import settings_hash
from greenexp.runs.run import Run
from greenexp.sweep.forecast import Usage
from greenexp.sweep.plan import Cell
from greenexp.sweep.resume import changes, finished, flagged_lines, measured_here, usages
from tests.support.builders import a_run

HERE = "2 of 2 CPUs, torch 2.13.0"


def ran(name: str = "run", **fields: Any) -> Run:
    given = {"cell": "vit", "machine": "here", "block": 1, "version": "1.0", **fields}
    return a_run(id=name, **given)


def test_runs_are_known_by_cell_block_and_replicate_and_the_latest_counts() -> None:
    runs = [ran("first"), ran("second", replicate=2), ran("single", block=None), ran("again")]
    known = finished(measured_here(runs, "here", HERE), "1.0")
    assert {key: run.id for key, run in known.items()} == {
        ("vit", 1, 1): "again",
        ("vit", 1, 2): "second",
        ("vit", None, 1): "single",
    }


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(ran(machine="there"), id="another machine"),
        pytest.param(ran(machine=None), id="machine not known"),
        pytest.param(ran(conditions="1 of 2 CPUs, torch 2.13.0"), id="under taskset"),
        pytest.param(ran(conditions="2 of 2 CPUs, torch 2.12.0"), id="another version of torch"),
        pytest.param(ran(outcome="oom"), id="out of memory"),
        pytest.param(ran(outcome="error"), id="error"),
        pytest.param(ran(outcome="timeout"), id="timeout"),
        pytest.param(ran(outcome="killed"), id="killed"),
        pytest.param(ran(outcome="unsupported", version="0.9"), id="finding of another version"),
        pytest.param(ran(outcome="unsupported", version=None), id="finding of an unknown version"),
    ],
)
def test_what_is_to_be_measured_again(run: Run) -> None:
    assert finished(measured_here([run], "here", HERE), "1.0") == {}


def test_a_finding_of_this_version_is_not_measured_again() -> None:
    assert list(finished([ran(outcome="unsupported")], "1.0")) == [("vit", 1, 1)]


BUSY = ["other_processes"]
FLAGGED = ran("flagged", doubts=BUSY)
AGAIN = ran("again", doubts=BUSY, started="2026-01-02T00:00:00+00:00")
GOOD = ran("good", started="2026-01-03T00:00:00+00:00")


def baseline(name: str, **fields: Any) -> Run:
    choices = {**ran().choices, "tactic": "baseline"}
    return ran(name, **{"cell": "base", "together": "first", "choices": choices, **fields})


@pytest.mark.parametrize(
    ("runs", "attempts", "counts"),
    [
        pytest.param([FLAGGED], 1, "flagged", id="sweep.rerun=false: it has ended"),
        pytest.param([FLAGGED], 3, None, id="flagged once: it is measured again"),
        pytest.param([FLAGGED, AGAIN], 3, None, id="flagged twice"),
        pytest.param([FLAGGED, AGAIN], 2, "again", id="as often as is allowed: the latest stands"),
        pytest.param([FLAGGED, GOOD], 3, "good", id="measured again, and valid"),
        pytest.param([GOOD, FLAGGED], 3, "good", id="a valid one counts, whatever came later"),
        pytest.param(
            [ran("wide", doubts=["precision_not_reached"])], 3, "wide", id="harmless: it counts"
        ),
        pytest.param(
            [ran("priced", doubts=["hardware_mismatch"])], 3, "priced", id="about prices alone"
        ),
        pytest.param(
            [ran("constant", doubts=["constant_predictions", *BUSY])],
            3,
            "constant",
            id="a doubt that another attempt can't clear",
        ),
        pytest.param([ran("oom", outcome="oom")] * 5, 3, None, id="a failed run is no attempt"),
    ],
)
def test_a_flagged_run_is_measured_again_so_often_and_no_more(
    runs: list[Run], attempts: int, counts: str | None
) -> None:
    known = finished(runs, "1.0", attempts)
    assert [run.id for run in known.values()] == ([] if counts is None else [counts])


@pytest.mark.parametrize(
    ("doubts", "missing"),
    [
        pytest.param([[], []], set(), id="both baselines are valid"),
        pytest.param([BUSY, []], {("base", 1, 1)}, id="one is flagged: it alone is missing"),
        pytest.param(
            [BUSY, BUSY],
            {("base", 1, 1), ("base", 1, 2), ("vit", 1, 1)},
            id="no valid baseline: the block is lost, its tactic too",
        ),
    ],
)
def test_a_tactic_without_a_valid_baseline_is_measured_again_with_new_ones(
    doubts: list[list[str]], missing: set[tuple[str, int, int]]
) -> None:
    runs = [
        baseline("first", doubts=doubts[0]),
        baseline("second", doubts=doubts[1], replicate=2),
        ran("tactic", together="first", choices={"tactic": "local_pruning"}),
    ]
    every = {run.key for run in runs}
    assert every - set(finished(runs, "1.0", 3)) == missing
    assert every == set(finished(runs, "1.0"))


def test_what_is_measured_again_is_said_and_what_stays_flagged_too() -> None:
    runs = [
        FLAGGED,
        AGAIN,
        baseline("base", cell="swin", doubts=["cpu_steal", *BUSY]),
        ran("tactic", cell="swin pruned", together="first", choices={"tactic": "local_pruning"}),
    ]
    planned = [*(run.key for run in runs), ("new", 1, 1)]
    known = finished(runs, "1.0", 2)
    assert flagged_lines(planned, runs, known, 2) == [
        "1 run was flagged (cpu_steal, other_processes), so 2 runs are measured again, with those "
        "that nothing valid is left to compare with; each run 2 times at most. sweep.rerun=false "
        "leaves them as they are",
        "1 run stays flagged (other_processes), measured as often as sweep.attempts=2 allows; on a "
        "quiet machine sweep.attempts=4 measures it again",
    ]


def test_nothing_is_said_where_nothing_is_flagged_or_it_is_not_in_the_plan() -> None:
    known = finished([GOOD], "1.0", 3)
    assert flagged_lines([GOOD.key], [GOOD], known, 3) == []
    assert flagged_lines([("other", 1, 1)], [FLAGGED], {}, 3) == []


def test_the_forecast_goes_by_the_runs_of_a_cell_that_ended_well() -> None:
    spent = {"run/energy_j": 5.0, "run/cost_usd": 0.25}
    runs = [
        ran(metrics=spent, started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:30+00:00"),
        ran(metrics={"run/time_s": 7.0}, ended=""),
        ran(metrics={}, ended=""),
        ran(outcome="oom"),
        ran(machine="there"),
    ]
    told = [Usage(90.0, 5.0, 0.25), Usage(7.0, None, None), Usage(None, None, None)]
    assert usages(runs, "here") == {"vit": told, runs[0].peers: told}


def test_runs_of_a_block_share_the_time_that_it_lasted() -> None:
    """Two runs of 4 s and 6 s each slept while the other measured; the block lasted 20 s."""
    ends = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:20+00:00"}
    runs = [
        ran("one", together="block", peers=None, metrics={"run/time_s": 4.0}, **ends),
        ran("other", together="block", peers=None, metrics={"run/time_s": 6.0}, **ends),
    ]
    assert usages(runs, "here") == {"vit": [Usage(8.0, None, None), Usage(12.0, None, None)]}


def read(**inputs: str) -> dict[str, Any]:
    return {"model": {"path": "net"}, "dataset": {"path": "photos"}, "inputs": inputs}


def cell(title: str = "net", **inputs: str) -> Cell:
    settings = settings_hash(read(**inputs))
    return Cell((), title, "new", "peers", is_baseline=False, inputs=inputs, settings=settings)


def measured(**inputs: str) -> Run:
    when = "2026-11-29T08:12:30+00:00"
    return ran(title="net", configuration=read(**inputs), started=when)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"dataset": "a"}, {"dataset": "b"}, "the evaluated images differ"),
        (
            {"model": "a", "dataset": "a"},
            {"model": "b", "dataset": "a"},
            "the model's files differ",
        ),
        ({"calibration": "a"}, {"calibration": "b"}, "the calibration images differ"),
    ],
)
def test_what_changed_since_it_was_measured_is_said(
    before: dict[str, str], now: dict[str, str], words: str
) -> None:
    (line,) = changes([cell(**now)], [measured(**before)])
    assert line.startswith(f"{words} from those of 2026-11-29 08:12 UTC: net is measured anew")


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(measured(dataset="b"), id="the same"),
        pytest.param(measured(), id="not known"),
        pytest.param(ran(title="other", configuration=read(dataset="a")), id="another"),
        pytest.param(ran(title="net", outcome="oom", configuration=read(dataset="a")), id="failed"),
    ],
)
def test_what_did_not_change_is_not_said(run: Run) -> None:
    assert changes([cell(dataset="b")], [run]) == []


def test_cells_that_one_change_touches_are_said_together() -> None:
    runs = [measured(dataset="a"), ran(title="swin", configuration=read(dataset="a") | {"x": 1})]
    cells = [cell(dataset="b"), cell("net, twice", dataset="b")]
    assert len(changes(cells, runs)) <= 1
