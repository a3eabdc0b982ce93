"""A run of a block, in its process: parked, woken for its windows, ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from greenexp.measuring import isolation
from greenexp.measuring.child import measure
from greenexp.measuring.cpu_clock import asleep, cpu_time_s
from greenexp.measuring.isolated import result_of
from greenexp.measuring.isolation import Process, ProcessEnd
from greenexp.measuring.turns import (
    BlockPlace,
    DropRequest,
    FinishRequest,
    ParkedRun,
    Turn,
    WindowRequest,
)
from greenexp.measuring.windows import MeasuringEnd
from greenexp.runs.result import Result
from greenexp.settings.build import typed
from greenexp.settings.sweep import Isolation

BUSY = 0.01  # of a CPU; a parked run that uses more in another's window voids it
LOOK_S = 0.002  # s between two looks at a run that falls asleep
QUIET_LOOKS = 3  # in a row; the system's count of a spinning thread lags behind by a tick
ASLEEP_WITHIN_S = 0.1  # s; GNU's OpenMP spins for about 0.01
OFTEN_VOID = 0.2  # of a run's windows that parked runs disturbed; more are a doubt

Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Member:
    """A run of a block.

    Attributes:
        configuration: of it.
        is_baseline: whether the others are compared with it.
        judges: whether it predicts every image; False: its speed alone is asked for.
    """

    configuration: Mapping[str, Any]
    is_baseline: bool
    judges: bool = True


@dataclass
class Arm:
    """One run of a block, in its process.

    Attributes:
        parked: what it told when it was parked; None where it has not come so far.
        settled: whether its figures are known as well as asked.
        discarded: windows that a parked run disturbed, or that it found disturbed itself.
        voided: windows that a parked run disturbed.
        taken: windows that it measured, the discarded ones among them.
    """

    member: Member
    path: Path
    parked: ParkedRun | None = None
    settled: bool = False
    discarded: int = 0
    voided: int = 0
    taken: int = 0
    _process: Process | None = None
    _connection: Connection | None = None
    _ended: ProcessEnd | None = None
    _timeout_s: float = field(default=0.0)

    @property
    def alive(self) -> bool:
        """Whether its process runs, as far as is known."""
        return self._process is not None and self._ended is None

    @property
    def doubts(self) -> list[str]:
        """About its windows, from what the other runs did in them."""
        return ["parked_runs_busy"] if self.voided > OFTEN_VOID * self.taken else []

    def start(self, *, watches_idle: bool) -> None:
        """Starts the process and waits until it is parked, or has ended."""
        isolation_ = typed(self.member.configuration, "isolation", Isolation)
        self._timeout_s = isolation_.timeout_s
        self._connection, theirs = Pipe()
        place = BlockPlace(theirs, watches_idle, self.member.judges)
        configuration = dict(self.member.configuration)
        self._process = isolation.start(measure, configuration, str(self.path), place)
        theirs.close()
        self.parked = self._answer(ParkedRun)

    def ask(self, message: object, reply: type[Reply]) -> Reply | None:
        """Returns the answer to a message; None where the process has ended or must be."""
        if not self.alive or self._connection is None:
            return None
        with suppress(OSError):  # where it has ended, which is found out below
            self._connection.send(message)
        return self._answer(reply)

    def turn(self, asked: WindowRequest, others: Sequence[Arm]) -> Turn | None:
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
        self.voided += busy
        if turn.kept and busy:
            self.ask(DropRequest(), type(None))
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
            still = now_s - before_s < BUSY * LOOK_S and self._asleep() is not False
            quiet = quiet + 1 if still else 0
            before_s = now_s

    def _asleep(self) -> bool | None:
        return asleep(self._process.pid) if self.alive and self._process else None

    def cpu_s(self) -> float | None:
        """Returns the CPU time that its process has used; None once that has ended."""
        return cpu_time_s(self._process.pid) if self.alive and self._process else None

    def finish(self) -> None:
        """Lets the run write its result, and waits for it."""
        if not self.alive or self._process is None or self._connection is None:
            return
        end = MeasuringEnd(self.discarded, self.settled)
        with suppress(OSError):  # likewise
            self._connection.send(FinishRequest(end, self.doubts))
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
        return result_of(self._ended or ProcessEnd("killed", "its block has ended"), self.path)

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
