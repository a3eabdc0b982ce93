"""What a child started dies with it, and the child with its caller; want of memory is told."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from greenexp.measuring import isolation

TIMEOUT_S = 120.0
HANG_S = 60.0  # a process that takes longer to start or die hangs
HERE = Path(__file__).parent


def start_a_child(path: str, *, own_session: bool = False) -> None:
    """Starts a process that outlives its parent and writes down the ids of both."""
    grandchild = subprocess.Popen(["sleep", "600"], start_new_session=own_session)
    whole = Path(f"{path}.part")
    whole.write_text(f"{os.getpid()} {grandchild.pid}", encoding="ascii")
    whole.replace(path)  # so that nobody reads half of it


def start_a_child_and_sleep(path: str) -> None:
    start_a_child(path)
    time.sleep(600)


def start_a_child_and_die(path: str, number: int) -> None:
    start_a_child(path)
    os.kill(os.getpid(), number)


def start_a_stray_and_sleep(path: str) -> None:
    start_a_child(path, own_session=True)
    time.sleep(600)


def start_a_stray_and_die(path: str, number: int) -> None:
    start_a_child(path, own_session=True)
    os.kill(os.getpid(), number)


def start_a_stray_of_a_stray(path: str) -> None:
    """Starts a process whose parent, in a session of its own, ends at once: a daemon's way."""
    program = (
        "import os, subprocess\n"
        "nowhere = subprocess.DEVNULL\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True, "
        "stdout=nowhere, stderr=nowhere)\n"
        "print(child.pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        start_new_session=True,
        capture_output=True,
        text=True,
        check=True,
    )
    Path(path).write_text(f"{os.getpid()} {int(done.stdout)}", encoding="ascii")


def start_a_worker(path: str) -> None:
    """Starts a process as Zeus starts the reader of RAPL's wraps, and does not end it."""
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    worker.start()
    Path(path).write_text(f"{os.getpid()} {worker.pid}", encoding="ascii")


def start_a_thread_that_does_not_end(path: str) -> None:
    threading.Thread(target=time.sleep, args=(600,)).start()
    Path(path).write_text(f"{os.getpid()} {os.getpid()}", encoding="ascii")


def start_a_child_and_leave(path: str, code: int) -> None:
    start_a_child(path)
    os._exit(code)


def end(path: str, counters: str, number: int | None) -> None:
    """Writes the kernel's counters anew, as the kernel would meanwhile, and dies by a signal."""
    Path(path).write_text(counters, encoding="ascii")
    if number is not None:
        os.kill(os.getpid(), number)


def running(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for, as in a container, does not."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def wait_until(holds: Callable[[], bool]) -> bool:
    """Waits for what other processes do, which no clock of ours can hasten."""
    deadline_s = time.monotonic() + HANG_S
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return holds()


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Path]:
    """The file of the ids of child and grandchild, which the test must not leave running."""
    file = tmp_path / "pids"
    yield file
    if file.exists():
        for pid in filter(running, pids(file)):
            os.kill(pid, signal.SIGKILL)


def pids(file: Path) -> list[int]:
    return [int(word) for word in file.read_text(encoding="ascii").split()]


def all_end(file: Path) -> bool:
    return wait_until(lambda: not any(map(running, pids(file))))


@pytest.mark.parametrize(
    ("function", "arguments", "kind"),
    [
        pytest.param(start_a_child, (), "returned", id="returns"),
        pytest.param(start_a_child_and_die, (signal.SIGKILL,), "killed", id="is killed"),
        pytest.param(start_a_child_and_leave, (3,), "crashed", id="crashes"),
        pytest.param(start_a_worker, (), "returned", id="leaves a worker"),
        pytest.param(start_a_stray_of_a_stray, (), "returned", id="leaves a daemon"),
        pytest.param(start_a_stray_and_die, (signal.SIGKILL,), "killed", id="killed with a stray"),
        pytest.param(start_a_stray_and_die, (signal.SIGSEGV,), "killed", id="segfault, a stray"),
        pytest.param(start_a_thread_that_does_not_end, (), "returned", id="leaves a thread"),
    ],
)
def test_what_the_child_started_ends_with_it(
    family: Path, function: Callable[..., None], arguments: tuple[int, ...], kind: str
) -> None:
    ended = isolation.call(function, str(family), *arguments, timeout_s=TIMEOUT_S)
    assert ended.kind == kind
    assert len(pids(family)) == 2
    assert all_end(family)


@pytest.mark.parametrize("function", [start_a_child_and_sleep, start_a_stray_and_sleep])
def test_what_the_child_started_ends_with_its_timeout(
    family: Path, function: Callable[..., None]
) -> None:
    for timeout_s in (1.0, 4.0, 16.0, 64.0):  # a busy machine starts the child late
        ended = isolation.call(function, str(family), timeout_s=timeout_s)
        assert ended.kind == "timeout"
        if family.exists():
            break
    assert len(pids(family)) == 2
    assert all_end(family)


@pytest.mark.parametrize("function", ["start_a_child_and_sleep", "start_a_stray_and_sleep"])
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGTERM, id="told to end"),
        pytest.param(signal.SIGINT, id="Ctrl-C"),
    ],
)
def test_child_ends_with_its_caller(family: Path, number: signal.Signals, function: str) -> None:
    """Else a run nobody waits for would go on beside the next, and its figures be disturbed."""
    program = (
        "import signal, sys; sys.path.insert(0, sys.argv[1])\n"
        # A job in the background of a shell, as this test may be, ignores Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from greenexp.measuring import isolation\n"
        "import test_isolation_group as functions\n"
        "isolation.PRELOAD = []\n"  # torch takes seconds to import and is not asked for here
        "isolation.call(getattr(functions, sys.argv[3]), sys.argv[2], timeout_s=600)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", program, str(HERE), str(family), function],
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: family.exists() or caller.poll() is not None)
        assert all(map(running, pids(family)))
        caller.send_signal(number)
        caller.wait(HANG_S)
        assert all_end(family)
    finally:
        caller.kill()
        caller.wait()


BEFORE = "nr_free_pages 12345\noom_kill 4\nswap_ra 0\n"
ROSE = BEFORE.replace("oom_kill 4", "oom_kill 5")


@pytest.mark.parametrize(
    ("before", "after", "number", "kind"),
    [
        pytest.param(BEFORE, ROSE, signal.SIGKILL, "oom", id="killed and counted"),
        pytest.param(BEFORE, BEFORE, signal.SIGKILL, "killed", id="killed by somebody"),
        pytest.param(BEFORE, ROSE, signal.SIGSEGV, "killed", id="another signal"),
        pytest.param(BEFORE, ROSE, None, "returned", id="another process was killed"),
        pytest.param(
            "oom_kill 9\n", "oom_kill 10\n", signal.SIGKILL, "oom", id="compared as numbers"
        ),
        pytest.param(
            "oom_kill_disable 0\n", "oom_kill_disable 1\n", signal.SIGKILL, "killed", id="alike"
        ),
        pytest.param(None, "", signal.SIGKILL, "killed", id="kernel that does not count"),
    ],
)
def test_want_of_memory_is_told_from_other_deaths(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str | None,
    after: str,
    number: int | None,
    kind: str,
) -> None:
    counters = tmp_path / "vmstat"
    if before is not None:
        counters.write_text(before, encoding="ascii")
    monkeypatch.setattr(isolation, "KERNEL_COUNTERS", counters)
    ended = isolation.call(end, str(counters), after, number, timeout_s=TIMEOUT_S)
    assert ended.kind == kind
    assert ("memory" in ended.detail) is (kind == "oom")


def test_kernel_without_counters_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "KERNEL_COUNTERS", tmp_path / "absent")
    ended = isolation.call(os._exit, 0, timeout_s=TIMEOUT_S)
    assert ended == isolation.ProcessEnd("returned")
