"""A block: what is to be compared is measured together, in rounds.

Each run has a fresh process. One after the other they are brought to the steady state and parked.
Then, in each round, each measures one short window, in an order drawn anew, while all others
sleep. A run whose figures are known well enough leaves the rounds; the baselines stay as long as
any other does. A run that fails leaves them too, and the others go on.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from greenexp.measuring import isolation
from greenexp.measuring.child import measure
from greenexp.measuring.cpu_clock import cpu_time_s
from greenexp.measuring.isolated import result_of
from greenexp.measuring.isolation import Ended, Process
from greenexp.measuring.memory import available_mib
from greenexp.measuring.rounds import Rounds
from greenexp.measuring.turns import Among, Drop, Finish, Parked, Take, Turn, Watch
from greenexp.measuring.windows import Measured
from greenexp.runs.result import Phase, Result
from greenexp.settings.build import typed
from greenexp.settings.sweep import Isolation
from greenexp.settings.workload import Workload

HEADROOM = 1.25  # the next run may take so many times what the largest so far did
BUSY = 0.01  # of a CPU; a parked run that uses more in another's window voids it
LOOK_S = 0.002  # s between two looks at a run that falls asleep
QUIET_LOOKS = 3  # in a row; the system's count of a spinning thread lags behind by a tick
ASLEEP_WITHIN_S = 0.1  # s; GNU's OpenMP spins for about 0.01
OFTEN_VOID = 0.2  # of a run's windows; more are a doubt

Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Member:
    """A run of a block: its configuration, and whether the others are compared with it."""

    configuration: Mapping[str, Any]
    is_baseline: bool


@dataclass(frozen=True)
class Stage:
    """Where a block is: what it does, for which of its runs, in which round of how many."""

    name: str
    member: int | None = None
    round: int = 0
    rounds: int = 0


Tell = Callable[[Stage], None]


def together(
    members: Sequence[Member], seed: str, tell: Tell = lambda stage: None
) -> list[dict[int, Result]]:
    """Measures the runs of a block and returns their results by the members' numbers.

    All are measured together where memory allows. Else in parts, one after the other, each with
    the baselines; a run that does not fit beside one baseline is not measured.

    Args:
        members: they differ in their tactic alone.
        seed: of the order of the turns.
        tell: is called as the block goes.
    """
    dice = random.Random(seed)
    baselines = [number for number, member in enumerate(members) if member.is_baseline]
    left = [number for number in range(len(members)) if number not in baselines]
    parts: list[dict[int, Result]] = []
    while left or not parts:
        part, left = _part(members, baselines, left, dice, tell)
        parts.append(part)
    return parts


def _part(
    members: Sequence[Member],
    baselines: Sequence[int],
    others: Sequence[int],
    dice: random.Random,
    tell: Tell,
) -> tuple[dict[int, Result], list[int]]:
    """Measures as many runs together as fit; returns their results, and who is left."""
    workload = typed(members[0].configuration, "workload", Workload)
    arms: dict[int, _Arm] = {}
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder, ExitStack() as stack:
        idle: Sequence[Phase] = ()
        results: dict[int, Result] = {}
        left = list(others)
        for number in [*baselines, *others]:
            if not _fits(list(arms.values())):
                if any(other in arms for other in others):
                    break
                if number in others and len(arms) > 1:  # a baseline makes room
                    last = arms.pop(max(arms))
                    last.end()
                    results[max(baselines)] = _too_large(last)
            if number in others:
                left.remove(number)
            if not _fits(list(arms.values())):
                results[number] = _too_large(*arms.values())
                continue
            tell(Stage("prepare", number))
            arm = arms[number] = _Arm(members[number], Path(folder) / str(number))
            stack.callback(arm.end)
            arm.start(watches_idle=not idle)
            if arm.parked is not None:
                idle = idle or arm.parked.idle
        parked = [arm for arm in arms.values() if arm.parked is not None]
        standing_by = _standing_by(parked, workload, tell)
        _measure_rounds(list(arms.values()), parked, workload, dice, tell)
        for number, arm in arms.items():
            tell(Stage("record", number))
            arm.finish()
            results[number] = _with_phases(arm, idle, standing_by)
    return results, left


def _fits(arms: Sequence[_Arm]) -> bool:
    """Tells whether another run fits into memory beside those that are parked."""
    known = [arm.parked.memory for arm in arms if arm.alive and arm.parked is not None]
    if not known:
        return True
    if available_mib() < HEADROOM * max(memory.peak_mib for memory in known):
        return False
    on_gpu = [memory for memory in known if memory.gpu_peak_mib and memory.gpu_free_mib is not None]
    if not on_gpu:
        return True
    peak_mib = max(memory.gpu_peak_mib or 0.0 for memory in on_gpu)
    return (on_gpu[-1].gpu_free_mib or 0.0) > HEADROOM * peak_mib


def _too_large(*arms: _Arm) -> Result:
    peaks = [arm.parked.memory.peak_mib for arm in arms if arm.parked is not None]
    return Result(
        "oom",
        reason=f"not measured: a run takes up to {HEADROOM * max(peaks, default=0):.0f} MiB, and "
        f"beside the baseline that it would be compared with {available_mib():.0f} MiB are free",
    )


def _standing_by(parked: Sequence[_Arm], workload: Workload, tell: Tell) -> list[Phase]:
    """Returns the machine while all runs sleep: what their contexts on a GPU cost, say."""
    if len(parked) < 2 or workload.idle_seconds == 0:
        return []
    tell(Stage("watch"))
    for arm in parked:
        phases: list[Phase] | None = arm.ask(Watch(workload.idle_seconds), list)
        if phases is not None:
            return phases
    return []


def _measure_rounds(
    arms: Sequence[_Arm],
    parked: Sequence[_Arm],
    workload: Workload,
    dice: random.Random,
    tell: Tell,
) -> None:
    """Lets the parked runs measure in turn until each is known well enough."""
    needs = [arm.parked.shortest for arm in parked if arm.parked is not None]
    seconds = max([workload.min_seconds, *(need.seconds for need in needs)])
    batches = max([workload.min_batches, *(need.batches for need in needs)])
    baselines = [arms.index(arm) for arm in parked if arm.member.is_baseline]
    rounds = Rounds([arms.index(arm) for arm in parked], baselines, workload)
    while rounds.open:
        tell(Stage("measure", None, rounds.number + 1, workload.max_windows))
        order = dice.sample(rounds.open, len(rounds.open))
        taken: dict[int, Turn] = {}
        for number in order:
            # Lengths vary, so that no disturbance with a period of its own keeps step.
            asked = Take(rounds.number + 1, seconds * dice.uniform(1.0, 1.25), batches)
            turn = arms[number].turn(asked, [arm for arm in parked if arm is not arms[number]])
            if turn is not None:
                taken[number] = turn
        rounds.add(taken, gone=[n for n in rounds.open if not arms[n].alive])
    for number, settled in rounds.settled.items():
        arms[number].settled = settled


@dataclass
class _Arm:
    """One run of a block, in its process."""

    member: Member
    path: Path
    parked: Parked | None = None
    settled: bool = False
    discarded: int = 0
    taken: int = 0
    _process: Process | None = None
    _connection: Connection | None = None
    _ended: Ended | None = None
    _timeout_s: float = field(default=0.0)

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as is known."""
        return self._process is not None and self._ended is None

    def start(self, *, watches_idle: bool) -> None:
        """Starts the process and waits until it is parked, or has ended."""
        isolation_ = typed(self.member.configuration, "isolation", Isolation)
        self._timeout_s = isolation_.timeout_s
        self._connection, theirs = Pipe()
        place = Among(theirs, watches_idle)
        configuration = dict(self.member.configuration)
        self._process = isolation.start(measure, configuration, str(self.path), place)
        theirs.close()
        self.parked = self._answer(Parked)

    def ask(self, message: object, reply: type[Reply]) -> Reply | None:
        """Returns the answer to a message; None where the process has ended or must be."""
        if not self.alive or self._connection is None:
            return None
        with suppress(OSError):  # where it has ended, which is found out below
            self._connection.send(message)
        return self._answer(reply)

    def turn(self, asked: Take, others: Sequence[_Arm]) -> Turn | None:
        """Returns what a window took; None where it does not count or the run has ended."""
        before = [arm.cpu_s() for arm in others]
        turn = self.ask(asked, Turn)
        self._fall_asleep()
        after = [arm.cpu_s() for arm in others]
        if turn is None:
            return None
        self.taken += 1
        limit_s = BUSY * max(asked.seconds, turn.latency_s * asked.batches)
        busy = any(
            end_s - start_s > limit_s
            for start_s, end_s in zip(before, after, strict=True)
            if start_s is not None and end_s is not None
        )
        if turn.kept and busy:
            self.ask(Drop(), type(None))
        if busy or not turn.kept:
            self.discarded += 1
            return None
        return turn

    def _fall_asleep(self) -> None:
        """Waits until its threads, which spin for a while after a pass, sleep as well."""
        deadline_s = time.monotonic() + ASLEEP_WITHIN_S
        before_s, quiet = self.cpu_s(), 0
        while time.monotonic() < deadline_s and quiet < QUIET_LOOKS:
            time.sleep(LOOK_S)
            now_s = self.cpu_s()
            if before_s is None or now_s is None:
                return
            quiet = quiet + 1 if now_s - before_s < BUSY * LOOK_S else 0
            before_s = now_s

    def cpu_s(self) -> float | None:
        """Returns the CPU time that its process has used; None once that has ended."""
        return cpu_time_s(self._process.pid) if self.alive and self._process else None

    def finish(self) -> None:
        """Lets the run write its result, and waits for it."""
        if not self.alive or self._process is None or self._connection is None:
            return
        often = self.taken > 0 and self.discarded > OFTEN_VOID * self.taken
        doubts = ["parked_runs_busy"] if often else []
        with suppress(OSError):  # likewise
            self._connection.send(Finish(Measured(self.discarded, self.settled), doubts))
        in_time = self._process.wait(self._timeout_s)
        self._process.end()
        self._ended = self._process.ended() if in_time else isolation.too_long(self._timeout_s)

    def end(self) -> None:
        """Ends the process, if it is still there."""
        if self._process is not None:
            self._process.end()
        if self._connection is not None:
            self._connection.close()

    def result(self) -> Result:
        """Returns what the run wrote, or how its process died."""
        return result_of(self._ended or Ended("killed", "its block has ended"), self.path)

    def _answer(self, reply: type[Reply]) -> Reply | None:
        process, connection = self._process, self._connection
        if process is None or connection is None:
            return None
        ready = wait([connection, process.ends], self._timeout_s)
        if connection in ready:
            with suppress(EOFError, OSError):
                answer = connection.recv()
                return answer if isinstance(answer, reply) else None
        if ready:
            process.wait(self._timeout_s)
        process.end()
        self._ended = process.ended() if ready else isolation.too_long(self._timeout_s)
        return None


def _with_phases(arm: _Arm, idle: Sequence[Phase], standing_by: Sequence[Phase]) -> Result:
    """Returns the run's result with what was seen once for the whole block."""
    result = arm.result()
    if not result.phases:
        return result
    own = arm.parked is not None and arm.parked.idle
    return replace(result, phases=[*([] if own else idle), *standing_by, *result.phases])
