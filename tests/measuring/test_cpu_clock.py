"""Whether another process sleeps, and what that says of the windows beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from greenexp.measuring.arm import Arm, Member
from greenexp.measuring.cpu_clock import asleep, cpu_time_s
from greenexp.measuring.turns import Turn, WindowRequest

SPIN = "print('ready', flush=True)\nwhile True: pass"
SLEEP = "import time\nprint('ready', flush=True)\ntime.sleep(60)"
LOOKS, LOOK_S = 20, 0.01
ASKED = WindowRequest(round=1, seconds=1.0, batches=5)


@contextmanager
def process(code: str, cpu: int | None = None) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        if cpu is not None:
            os.sched_setaffinity(child.pid, [cpu])
        yield child.pid
        child.kill()


def looks(pid: int) -> list[bool | None]:
    states = []
    for _ in range(LOOKS):
        time.sleep(LOOK_S)
        states.append(asleep(pid))
    return states


def test_process_that_sleeps_is_asleep() -> None:
    with process(SLEEP) as pid:
        assert looks(pid)[-1] is True


def test_process_that_has_ended_is_asleep() -> None:
    with process(SLEEP) as pid:
        pass
    assert asleep(pid) is True


def test_process_that_spins_is_not_asleep() -> None:
    with process(SPIN) as pid:
        assert looks(pid) == [False] * LOOKS


def test_process_that_waits_for_a_cpu_is_not_asleep_though_it_uses_none() -> None:
    cpu = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        starved = stack.enter_context(process(SPIN, cpu))
        os.sched_setscheduler(starved, os.SCHED_IDLE, os.sched_param(0))
        stack.enter_context(process(SPIN, cpu))
        before_s = cpu_time_s(starved)
        assert looks(starved) == [False] * LOOKS
        after_s = cpu_time_s(starved)
    assert before_s is not None
    assert after_s is not None
    assert after_s - before_s < 0.5 * LOOKS * LOOK_S


class Scripted(Arm):
    """A run whose windows, and whose CPU time, are given."""

    def __init__(self, kept: bool = True, used_s: float = 0.0) -> None:
        super().__init__(Member({}, is_baseline=False), Path())
        self.kept, self.used_s, self.total_s = kept, used_s, 0.0

    def ask(self, message: object, reply: type) -> object:
        return Turn(None, 0.1, self.kept) if isinstance(message, WindowRequest) else None

    def cpu_s(self) -> float:
        self.total_s += self.used_s
        return self.total_s


@pytest.mark.parametrize(
    ("kept", "used_s", "doubts"),
    [
        pytest.param(True, 0.0, [], id="it is quiet"),
        pytest.param(False, 0.0, [], id="another program disturbs it"),
        pytest.param(True, 0.02, ["parked_runs_busy"], id="a parked run disturbs it"),
        pytest.param(False, 0.02, ["parked_runs_busy"], id="both disturb it"),
    ],
)
def test_parked_runs_are_doubted_for_what_they_used_alone(
    kept: bool, used_s: float, doubts: Sequence[str]
) -> None:
    run, other = Scripted(kept), Scripted(used_s=used_s)
    turns = [run.turn(ASKED, [other]) for _ in range(10)]
    assert run.doubts == doubts
    assert (
        run.discarded == sum(turn is None for turn in turns) == (0 if kept and not doubts else 10)
    )
