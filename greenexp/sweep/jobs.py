"""What a job and the sweep that started it know of each other: files beside its requests.

A job tells that it has begun and how it ended, whatever launcher it came by and on what machine it
runs. The journal's folder is the one place that both can see.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from greenexp.runs.files import write_atomically

GIVEN = "GREENEXP_GIVEN_THREADS"
THREADS = (  # that joblib sets in its processes
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
BEGUN, ENDED = ".begun.json", ".ended.json"
JOBS = "jobs.json"  # in the folder of a sweep


@dataclass(frozen=True)
class LaunchResult:
    """How a launched run came back: its journal, or why it has none.

    Attributes:
        journal: path of its record.
        failure: one line where there is none.
        extra: records of baselines that were measured again for a part of the block.
    """

    journal: Path | None
    failure: str = ""
    extra: Sequence[Path] = ()


@dataclass(frozen=True)
class JobStart:
    """The job of a block, by its number, has begun on a machine."""

    number: int
    host: str


@dataclass(frozen=True)
class JobEnd:
    """The job of a block, by its number, has ended; its runs came back so."""

    number: int
    back: Sequence[LaunchResult]


JobEvent = JobStart | JobEnd


@dataclass(frozen=True)
class Begin:
    """The process that a job runs in.

    Attributes:
        host: its machine.
        pid: its id there.
        created_s: when it began, Unix time; tells it from a later process of the same id.
    """

    host: str
    pid: int
    created_s: float

    @classmethod
    def here(cls) -> Begin:
        """Returns this process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; of other machines it is not known."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            return (
                process.create_time() != self.created_s or process.status() == psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return True


def note_jobs(folder: Path, ids: Sequence[str]) -> None:
    """Notes the jobs that this process has given to a queue, in the folder of its sweep."""
    noted = {"owner": asdict(Begin.here()), "jobs": list(ids)}
    write_atomically(folder / JOBS, json.dumps(noted))


def left_alone(journal: Path) -> dict[Path, list[str]]:
    """Returns the jobs of sweeps whose command is dead, by the sweep's folder."""
    left = {}
    for path in sorted(journal.glob(f"*/*/{JOBS}")):
        noted = json.loads(path.read_bytes())
        if Begin(**noted["owner"]).is_dead:
            left[path.parent] = noted["jobs"]
    return left


@dataclass(frozen=True)
class Answer:
    """What a job tells at its end.

    Attributes:
        told: as JSON takes it.
        failure: one line that says why it tells nothing.
    """

    told: Mapping[str, Any] | None = None
    failure: str = ""


def block_told(runs: Mapping[int, Path], extra: Sequence[Path] = ()) -> dict[str, Any]:
    """Returns what the job of a block tells: where its records are.

    Args:
        runs: the record of each request, by its number.
        extra: records of baselines that were measured again for a part of the block.
    """
    return {
        "runs": {str(number): str(path) for number, path in runs.items()},
        "extra": list(map(str, extra)),
    }


def launch_results(answer: Answer, runs: int) -> list[LaunchResult]:
    """Returns how each of so many runs of a block came back."""
    if answer.told is None:
        return [LaunchResult(None, answer.failure)] * runs
    paths, extra = answer.told["runs"], [Path(path) for path in answer.told["extra"]]
    return [
        LaunchResult(Path(paths[str(number)]), extra=[] if number else extra)
        for number in range(runs)
    ]


@dataclass(frozen=True)
class JobFiles:
    """The files of one job.

    Attributes:
        requests: names what it is to do: the runs of a block, or the cells to look at.
    """

    requests: Path

    def begin(self) -> None:
        """Tells that this process has begun the job."""
        write_atomically(self.begun_path, json.dumps(asdict(Begin.here())))

    def begun(self) -> Begin | None:
        """Returns who has begun the job; None: nobody yet."""
        try:
            return Begin(**json.loads(self.begun_path.read_bytes()))
        except FileNotFoundError:
            return None

    def end(self, told: Mapping[str, Any]) -> None:
        """Ends the job with what it has to tell, as JSON takes it."""
        write_atomically(self.ended_path, json.dumps({"told": told}, ensure_ascii=False))

    def fail(self, why: str) -> None:
        """Ends the job with one line that says why it has nothing to tell."""
        write_atomically(self.ended_path, json.dumps({"failure": why}))

    def answer(self) -> Answer | None:
        """Returns what the job has told at its end; None where it has not ended."""
        try:
            return Answer(**json.loads(self.ended_path.read_bytes()))
        except FileNotFoundError:
            return None

    @property
    def begun_path(self) -> Path:
        """The file that tells who has begun the job."""
        return self.requests.with_suffix(BEGUN)

    @property
    def ended_path(self) -> Path:
        """The file that tells how the job has ended."""
        return self.requests.with_suffix(ENDED)


@contextmanager
def threads_given_on() -> Iterator[None]:
    """Lets jobs that are started inside the context know how many threads this process may use.

    A launcher that runs several side by side, such as joblib, gives each its share. But blocks take
    turns, and each is measured as it would be alone.
    """
    os.environ[GIVEN] = json.dumps({name: os.environ.get(name) for name in THREADS})
    try:
        yield
    finally:
        del os.environ[GIVEN]


def take_threads() -> None:
    """Takes the threads that `threads_given_on` has given on."""
    given: dict[str, str | None] = json.loads(os.environ.get(GIVEN, "{}"))
    for name, value in given.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
