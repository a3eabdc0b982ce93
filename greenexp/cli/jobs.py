"""The jobs that one of Hydra's launchers has started, as their files and SLURM tell of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from hydra.plugins.launcher import Launcher

from greenexp.cli import slurm
from greenexp.errors import BadInput
from greenexp.report.words.format import plural
from greenexp.runs.result import Outcome
from greenexp.sweep.jobs import Answer, Begin, JobFiles, note_jobs, threads_given_on

LOOK_EVERY_S = 1.0
ASK_EVERY_S = 5.0  # SLURM, which serves others too
SETTLE_S = 30.0  # that a shared folder may take to show what a job wrote at its end


class Pending:
    """The jobs that have not ended.

    A shared file system is asked once for what its folder holds, rather than once for each file.

    Attributes:
        files: of every job, by its number; all in one folder.
        numbers: of those that have not ended.
    """

    def __init__(self, files: Mapping[int, JobFiles]) -> None:
        self.files = files
        self.numbers = set(files)
        self._folder = next((of_job.requests.parent for of_job in files.values()), None)
        self._by_begun = {job.begun_path.name: number for number, job in files.items()}
        self._by_ended = {job.ended_path.name: number for number, job in files.items()}
        self._names: list[str] = []
        self._begun: dict[int, float] = {}

    def look(self) -> None:
        """Looks which files there are; the other calls go by that."""
        self._names = [] if self._folder is None else [p.name for p in self._folder.iterdir()]

    def _there(self, by_name: Mapping[str, int]) -> list[int]:
        """Returns the jobs that have not ended and have a file of some name, in order."""
        numbers = {by_name[name] for name in self._names if name in by_name}
        return sorted(numbers & self.numbers)

    def begun(self) -> dict[int, Begin]:
        """Returns who has begun each of the jobs that somebody has begun."""
        begun = {number: self.files[number].begun() for number in self._there(self._by_begun)}
        return {number: by for number, by in begun.items() if by is not None}

    def newly_begun(self) -> dict[int, str]:
        """Returns the host of each job that has begun since the last call."""
        begun = self.begun()
        hosts = {n: by.host for n, by in begun.items() if self._begun.get(n) != by.created_s}
        self._begun.update({number: by.created_s for number, by in begun.items()})
        return hosts

    def answers(self) -> dict[int, Answer]:
        """Returns what each of the jobs has told that have ended since the last call."""
        answers = {number: self.files[number].answer() for number in self._there(self._by_ended)}
        known = {number: answer for number, answer in answers.items() if answer is not None}
        self.numbers.difference_update(known)
        return known

    def dead(self) -> set[int]:
        """Returns the jobs whose process on this machine has died."""
        return {number for number, by in self.begun().items() if by.is_dead}


class Jobs:
    """What a launcher has started; it waits for them in a thread, while others look on."""

    def __init__(
        self,
        launcher: Launcher,
        overrides: Sequence[list[str]],
        numbers: Sequence[int],
        first: int,
        folder: Path,
    ) -> None:
        self._launcher = launcher
        self._first = first
        self._folder = folder
        self._overrides = overrides
        self._numbers = numbers
        self._is_slurm = executor(launcher) == "slurm"
        self._submitted: list[Any] = []  # of submitit
        self._thread = threading.Thread(target=self._wait, daemon=True, name="greenexp-launcher")
        self._at_once = slurm.array_size() if self._is_slurm else len(overrides)
        self._over_since_s: dict[int, float] = {}
        self._given_up_since_s: float | None = None
        self._asked_s = float("-inf")
        self._states: dict[str, slurm.State] = {}
        self._refused = False
        self.failure = "its launcher ended without it"

    def __enter__(self) -> Jobs:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._cancel()

    def check(self, pending: Pending) -> None:
        """Checks that jobs could be started at all.

        Raises:
            BadInput: where the launcher has given up before any began.
        """
        gave_up = self._refused and not self._thread.is_alive() and not self._submitted
        if gave_up and not pending.begun() and pending.numbers >= set(self._numbers):
            raise BadInput(
                f"the launcher can't start jobs: {self.failure}; mend the options of "
                "hydra.launcher, or give another with hydra/launcher=…"
            )

    def are_over(self, pending: Pending) -> bool:
        """Tells whether nothing more will come of the jobs, so that what is pending starts anew.

        That is where the launcher has given up, and none of its jobs runs any more.
        """
        if self._thread.is_alive() or self._submitted:
            return False
        if not set(pending.begun()) <= pending.dead():
            self._given_up_since_s = None
            return False
        now_s = time.monotonic()
        self._given_up_since_s = self._given_up_since_s or now_s
        return now_s - self._given_up_since_s >= self._settles_s

    def lost(self, pending: Pending) -> dict[int, tuple[Outcome, str]]:
        """Returns the outcome and the reason of jobs that will not come back."""
        if self._is_slurm:
            over = self._over_in_slurm(pending)
        elif self._submitted or self._thread.is_alive():
            # Others go on: this one was killed. Where they don't, all start anew.
            dead = pending.dead() | self._stillborn(pending)
            over = dict.fromkeys(dead, ("killed", "its process was killed"))
        else:
            over = {}
        now_s = time.monotonic()
        # One that comes back, for it was started again, is given the same time later.
        self._over_since_s = {number: self._over_since_s.get(number, now_s) for number in over}
        # joblib ends all its workers with one that is killed, which takes long on a busy machine.
        settles_s = SETTLE_S if is_joblib(self._launcher) else self._settles_s
        return {
            number: told
            for number, told in over.items()
            if now_s - self._over_since_s[number] >= settles_s
        }

    @property
    def _settles_s(self) -> float:
        """How long a job has to be over for it to be certain that no word of it comes."""
        return SETTLE_S if self._is_slurm else 2 * LOOK_EVERY_S

    def _stillborn(self, pending: Pending) -> set[int]:
        """Returns the jobs of submitit on this machine that ended before they began."""
        begun = pending.begun()
        return {
            number
            for number, job in zip(self._numbers, self._submitted, strict=False)
            if number in pending.numbers and number not in begun and job.done()
        }

    def _over_in_slurm(self, pending: Pending) -> dict[int, tuple[Outcome, str]]:
        ids = {
            number: str(job.job_id)
            for number, job in zip(self._numbers, self._submitted, strict=False)
        }
        if time.monotonic() - self._asked_s >= ASK_EVERY_S and ids:
            self._asked_s = time.monotonic()
            self._states = slurm.states(ids.values()) or {}
        told = {number: self._states.get(job) for number, job in ids.items()}
        over: dict[int, tuple[Outcome, str]] = {
            number: (state.outcome, f"job {ids[number]} of SLURM: {state.reason}")
            for number, state in told.items()
            if state is not None and state.is_over and number in pending.numbers
        }
        if self._refused and not self._thread.is_alive():
            refused = pending.numbers.intersection(self._numbers[len(self._submitted) :])
            over |= dict.fromkeys(refused, ("killed", f"SLURM took no job: {self.failure}"))
        return over

    def _wait(self) -> None:
        try:
            with _submitted(self._submitted), _threads_of(self._launcher):
                for start in range(0, len(self._overrides), self._at_once):
                    overrides = self._overrides[start : start + self._at_once]
                    self._launcher.launch(overrides, initial_job_idx=self._first + start)
                    if self._is_slurm:
                        note_jobs(self._folder, [str(job.job_id) for job in self._submitted])
        except Exception as error:  # a job that was killed ends the launcher, and not the others
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self.failure = f"{type(error).__name__}: {lines[0]}"
            self._refused = True

    def _cancel(self) -> None:
        """Ends what was started, when the sweep is interrupted."""
        from greenexp.cli import console

        if self._is_slurm:
            ids = [str(job.job_id) for job in self._submitted]
            slurm.cancel(ids)
            if ids:
                console.note(f"cancelled {plural(len(ids), 'job')} of SLURM")
            return
        for job in self._submitted:
            job.cancel(check=False)
        if is_joblib(self._launcher):
            from joblib.externals.loky import (  # type: ignore[import-untyped]
                get_reusable_executor,
            )

            get_reusable_executor().shutdown(wait=False, kill_workers=True)


def _threads_of(launcher: Launcher) -> AbstractContextManager[None]:
    return threads_given_on() if is_joblib(launcher) else nullcontext()


def is_joblib(launcher: Launcher) -> bool:
    """Tells whether a launcher starts processes of this machine by joblib."""
    return "joblib" in type(launcher).__module__


def executor(launcher: Launcher) -> str:
    """Returns what starts the jobs of a submitit launcher, slurm or local; empty for others."""
    return str(getattr(launcher, "_EXECUTOR", ""))


class _Started:
    """Stands in for a job where Hydra's launcher would wait for it."""

    def results(self) -> list[None]:
        """Returns nothing at once; the journal tells how the job ends."""
        return [None]


@contextmanager
def _submitted(jobs: list[Any]) -> Iterator[None]:
    """Fills in the jobs that submitit starts inside the context; its launcher waits for none.

    That launcher would keep them hidden, and wait for ever for one that was cancelled where SLURM
    keeps no accounts.
    """
    try:
        import submitit
    except ImportError:
        yield
        return
    start = submitit.AutoExecutor.map_array

    def map_array(executor: Any, function: Any, *iterables: Any) -> Any:
        started = start(executor, function, *iterables)
        jobs.extend(started)
        return [_Started() for _ in started]

    submitit.AutoExecutor.map_array = map_array  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        submitit.AutoExecutor.map_array = start  # type: ignore[method-assign]
