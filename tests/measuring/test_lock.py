"""Two measurements on one machine would disturb each other, so the second one waits."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from greenexp.errors import BadInput
from greenexp.measuring import lock, names
from greenexp.measuring.lock import machine_lock

HOLDER = """
import sys
from greenexp.measuring import lock, names
names.PREFIX = sys.argv[1]
lock._gpus = lambda *, visible: sys.argv[3 if visible else 4].split(",") if sys.argv[4] else []
with lock.machine_lock(alone=True, device=sys.argv[2]):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def prefix(monkeypatch: pytest.MonkeyPatch) -> str:
    """Names of the test's own, so that it neither waits for a real measurement nor delays one."""
    own = uuid4().hex
    monkeypatch.setattr(names, "PREFIX", own)
    monkeypatch.setattr(lock, "_gpus", lambda *, visible: [])
    return own


@contextmanager
def holder(
    prefix: str, device: str = "cpu", *, gpu: str = "", gpus: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the lock until the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, prefix, device, gpu, gpus],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    try:
        yield process
    finally:
        process.communicate("\n")


def test_another_is_refused_in_one_line_where_it_is_not_to_wait(prefix: str) -> None:
    with holder(prefix) as process:
        refused = pytest.raises(BadInput, match=rf"\(process {process.pid}\).*isolation\.wait=true")
        with refused, machine_lock(alone=True, waits=False):
            pytest.fail("both measure")
    with machine_lock(alone=True, waits=False):
        pass


def test_another_waits_with_a_word_until_the_first_ends(
    prefix: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("greenexp.measuring.waiting.EVERY_S", 0.05)
    with holder(prefix) as process:
        ends = threading.Timer(0.5, process.terminate)
        ends.start()
        with caplog.at_level(logging.WARNING, "greenexp"), machine_lock(alone=True):
            assert process.wait() != 0
    told = f"waiting for another measurement of greenexp on this machine (process {process.pid})"
    assert told in caplog.text


def test_a_holder_that_is_killed_holds_nothing(prefix: str) -> None:
    with holder(prefix) as process:
        process.kill()
        process.wait()
        with machine_lock(alone=True, waits=False):
            pass


def test_folders_for_temporary_files_of_their_own_let_nobody_in(
    prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # as each job of a cluster may have one
    with holder(prefix):
        monkeypatch.delenv("TMPDIR")
        with pytest.raises(BadInput), machine_lock(alone=True, waits=False):
            pytest.fail("both measure")


def test_side_by_side_is_allowed_where_it_is_asked_for(prefix: str) -> None:
    with holder(prefix), machine_lock(alone=False):
        pass


def test_a_sweep_that_has_the_lock_takes_it_again_for_its_blocks(prefix: str) -> None:
    with machine_lock(alone=True, waits=False), machine_lock(alone=True, waits=False):
        pass
    with holder(prefix):
        pass


def test_threads_of_one_process_take_turns() -> None:
    inside: list[str] = []
    first_is_in, second_may_end = threading.Event(), threading.Event()

    def measure() -> None:
        with machine_lock(alone=True):
            inside.append("second")

    second = threading.Thread(target=measure)
    with machine_lock(alone=True):
        second.start()
        first_is_in.set()
        second.join(0.5)
        inside.append("first")
        second_may_end.set()
    second.join()
    assert inside == ["first", "second"]


@pytest.mark.parametrize(
    ("other", "own", "fits"),
    [
        pytest.param("GPU-a", "GPU-b", True, id="two GPUs"),
        pytest.param("GPU-a", "GPU-a", False, id="one GPU"),
        pytest.param("GPU-a", None, False, id="a GPU, then the CPU"),
        pytest.param(None, "GPU-b", False, id="the CPU, then a GPU"),
    ],
)
def test_runs_on_different_gpus_go_side_by_side_and_none_beside_a_run_on_the_cpu(
    prefix: str, monkeypatch: pytest.MonkeyPatch, other: str | None, own: str | None, fits: bool
) -> None:
    every = ["GPU-a", "GPU-b"]
    monkeypatch.setattr(lock, "_gpus", lambda *, visible: [own] if visible and own else every)
    device = "cuda" if other else "cpu"
    with holder(prefix, device, gpu=other or "", gpus=",".join(every)):
        wanted = machine_lock(alone=True, waits=False, device="auto" if own else "cpu")
        if fits:
            with wanted:
                return
        with pytest.raises(BadInput), wanted:
            pytest.fail("both measure")
