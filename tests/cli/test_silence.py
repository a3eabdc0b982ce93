"""A command never keeps silent for long: it says what it does, or what it waits for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from greenexp.cli import console, sweep
from greenexp.measuring import waiting
from greenexp.measuring.block import Stage
from greenexp.runs import journal, journalled
from greenexp.sweep import launch
from greenexp.sweep.events import BlockStart, RunEnd
from greenexp.sweep.forecast import forecast
from greenexp.sweep.jobs import JobEnd, JobEvent, JobStart, LaunchResult
from greenexp.sweep.plan import Cell, PlannedRun, blocks
from greenexp.sweep.survey import Survey
from tests.support.builders import cpu_run, record, window

SHORT_S, LONG_S = 0.05, 0.4


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "SILENT_AT_MOST_S", SHORT_S)
    monkeypatch.setattr(waiting, "EVERY_S", SHORT_S)


@pytest.mark.usefixtures("impatient")
def test_what_is_done_is_said_again_and_again(capfd: pytest.CaptureFixture[str]) -> None:
    with console.telling(lambda: "still measuring"):
        time.sleep(LONG_S)
    assert capfd.readouterr().err.count("still measuring\n") > 1


def test_who_speaks_is_not_spoken_for(capfd: pytest.CaptureFixture[str]) -> None:
    console.note("a line")
    with console.telling(lambda: "still measuring"):
        pass
    assert capfd.readouterr().err == "a line\n"


@pytest.mark.usefixtures("impatient")
def test_sweep_s_progress_without_a_terminal_names_what_a_block_does(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with console.SweepProgress(3).shown():
        console.stage(["net · baseline", "net · pruned"])(Stage("prepare", 1))
        time.sleep(LONG_S)
        console.stage(["net · baseline", "net · pruned"])(Stage("measure", round=7, rounds=40))
        time.sleep(LONG_S)
    words = capfd.readouterr().err
    assert "prepare net · pruned, 3 runs to go\n" in words
    assert "round 7 of at most 40, 2 together, 3 runs to go\n" in words


@pytest.mark.usefixtures("impatient")
def test_of_waits_inside_waits_one_speaks(caplog: pytest.LogCaptureFixture) -> None:
    with waiting.waiting("the run"), waiting.waiting("its server"):
        time.sleep(LONG_S)
    assert {line.partition(",")[0] for line in caplog.messages} == {"waiting for the run"}
    with waiting.waiting("its server"):
        time.sleep(LONG_S)
    assert "waiting for its server" in caplog.text


class Elsewhere:
    """Measures blocks on other machines."""

    in_turn = False
    is_here = False

    def __init__(self, path: Path) -> None:
        self._path = path

    def launch(self, block: Sequence[PlannedRun], number: int) -> Sequence[LaunchResult]:
        raise AssertionError("nothing is measured here")

    def survey(self, configurations: Iterable[Mapping[str, Any]]) -> Survey:
        raise AssertionError("nothing is asked")

    def side_by_side(
        self, blocks: Sequence[Sequence[PlannedRun]], limit_min: int
    ) -> Iterator[JobEvent]:
        assert limit_min > 0
        for number, block in enumerate(blocks):
            yield JobStart(number, f"node{number}")
            yield JobEnd(number, [LaunchResult(self._path) for _ in block])


def test_a_block_that_begins_elsewhere_is_told_with_its_machine(tmp_path: Path) -> None:
    journalled.write(record(cpu_run(window()), title="net · baseline"), tmp_path)
    cell = Cell(("model=net",), "net · baseline", "net", "net", is_baseline=True)
    planned = blocks([cell], 3, 0, 2)
    launcher = Elsewhere(tmp_path / journal.RECORD)
    events = list(launch._launch(planned, launcher, forecast(["net"] * 3, [1.0] * 3, {})))
    hosts = [event.host for event in events if isinstance(event, BlockStart)]
    assert hosts == ["node0", "node1", "node2"]
    ended = [event.run.name for event in events if isinstance(event, RunEnd)]
    assert ended == [run.name for block in planned for run in block]


def test_the_runs_of_a_block_end_together(capfd: pytest.CaptureFixture[str]) -> None:
    """The first line of the last block must not say that there is as much to do as it took."""
    cell = Cell((), "net", "cell", "peers", is_baseline=True)
    block = [PlannedRun(cell, 1, replicate) for replicate in (1, 2)]
    ends = [RunEnd(run, "ok", 1.0) for run in block]
    assert sweep._progress(iter([BlockStart(block), *ends]), 2, None) is None
    assert [line.rpartition(", ")[2] for line in capfd.readouterr().out.splitlines()] == [
        "done",
        "done",
    ]
