"""A child's end, whatever it is, reaches the parent as a value."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from greenexp.measuring import isolation

TIMEOUT_S = 120.0


def write(path: str) -> None:
    Path(path).write_text(str(os.getpid()), encoding="utf-8")


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(code: int) -> None:
    os._exit(code)


def sleep(path: str) -> None:
    write(path)
    time.sleep(600)


def test_returns_and_runs_in_another_process(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert isolation.call(write, str(file), timeout_s=TIMEOUT_S).kind == "returned"
    assert int(file.read_text()) != os.getpid()


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "detail"),
    [
        pytest.param(segfault, (), "killed", "SIGSEGV", id="segfault"),
        pytest.param(kill_itself, (), "killed", "SIGKILL", id="kill"),
        pytest.param(leave, (3,), "crashed", "3", id="exit code"),
    ],
)
def test_death_is_typed(function, arguments, kind, detail) -> None:
    ended = isolation.call(function, *arguments, timeout_s=TIMEOUT_S)
    assert ended.kind == kind
    assert detail in ended.detail


def test_timeout_kills_the_child(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    ended = isolation.call(sleep, str(file), timeout_s=3.0)
    assert ended.kind == "timeout"
    if file.exists():  # it may not have got as far
        assert not psutil.pid_exists(int(file.read_text()))


def test_nothing_of_one_child_reaches_the_next(tmp_path: Path) -> None:
    isolation.call(kill_itself, timeout_s=TIMEOUT_S)
    first, second = tmp_path / "first", tmp_path / "second"
    for file in (first, second):
        assert isolation.call(write, str(file), timeout_s=TIMEOUT_S).kind == "returned"
    assert first.read_text() != second.read_text()
