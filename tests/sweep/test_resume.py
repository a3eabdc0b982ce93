"""What counts as measured already, and what the forecast goes by."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.runs.identity import settings_hash
from greenexp.runs.run import Run
from greenexp.sweep.forecast import Usage
from greenexp.sweep.plan import Cell
from greenexp.sweep.resume import changes, finished, usages
from tests.support.builders import a_run

HERE = "2 of 2 CPUs, torch 2.13.0"


def ran(name: str = "run", **fields: Any) -> Run:
    given = {"cell": "vit", "machine": "here", "block": 1, "version": "1.0", **fields}
    return a_run(id=name, **given)


def test_runs_are_known_by_cell_block_and_replicate_and_the_latest_counts() -> None:
    runs = [ran("first"), ran("second", replicate=2), ran("single", block=None), ran("again")]
    known = finished(runs, "here", HERE, "1.0")
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
    assert finished([run], "here", HERE, "1.0") == {}


def test_a_finding_of_this_version_is_not_measured_again() -> None:
    assert list(finished([ran(outcome="unsupported")], "here", HERE, "1.0")) == [("vit", 1, 1)]


def test_the_forecast_goes_by_the_runs_of_a_cell_that_ended_well() -> None:
    spent = {"run/energy_j": 5.0, "run/cost_usd": 0.25}
    runs = [
        ran(metrics=spent, started="2026-01-01T00:00:00+00:00", ended="2026-01-01T00:01:30+00:00"),
        ran(metrics={"run/time_s": 7.0}, ended=""),
        ran(metrics={}, ended=""),
        ran(outcome="oom"),
        ran(machine="there"),
    ]
    assert usages(runs, "here") == {
        "vit": [Usage(90.0, 5.0, 0.25), Usage(7.0, None, None), Usage(None, None, None)]
    }


def read(**inputs: str) -> dict[str, Any]:
    return {"model": {"path": "net"}, "dataset": {"path": "photos"}, "inputs": inputs}


def cell(title: str = "net", **inputs: str) -> Cell:
    settings = settings_hash(read(**inputs))
    return Cell((), title, "new", "peers", is_baseline=False, inputs=inputs, settings=settings)


def measured(**inputs: str) -> Run:
    when = "2026-11-29T08:12:30+00:00"
    return ran(title="net", configuration=read(**inputs), started=when)


@pytest.mark.parametrize(
    ("before", "now", "said"),
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
    before: dict[str, str], now: dict[str, str], said: str
) -> None:
    (line,) = changes([cell(**now)], [measured(**before)])
    assert line.startswith(f"{said} from those of 2026-11-29 08:12 UTC: net is measured anew")


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
