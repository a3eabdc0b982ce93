"""What SLURM knows of jobs: whether they wait, run, or have ended and how."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.runs.result import Outcome
from greenexp.sweep.jobs import left_alone

ANSWER_S = 60.0
ARRAY_SIZE = 1000  # of slurm.conf(5), where it says nothing else
JOB = "SLURM_JOB_ID"  # in the environment of a job
# States of squeue(1) that a job does not come back from, with the outcome of what it measured.
OVER: Mapping[str, Outcome] = {
    "BOOT_FAIL": "killed",
    "CANCELLED": "killed",
    "DEADLINE": "timeout",
    "FAILED": "killed",
    "NODE_FAIL": "killed",
    "OUT_OF_MEMORY": "oom",
    "PREEMPTED": "killed",
    "REVOKED": "killed",
    "TIMEOUT": "timeout",
}
COMPLETED = "COMPLETED"
TIME_LIMIT = "it reached its time limit; give more with hydra.launcher.timeout_min=…"
WORDS = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled",
    "DEADLINE": "its deadline passed",
    "FAILED": "its process was killed, or failed",
    "NODE_FAIL": "its node failed",
    "OUT_OF_MEMORY": "it took more memory than it had asked for",
    "PREEMPTED": "another job took its place",
    "REVOKED": "it was revoked",
    "TIMEOUT": TIME_LIMIT,
}


@dataclass(frozen=True)
class State:
    """Where a job is: SLURM's word for it; empty where SLURM does not know it any more."""

    name: str

    @property
    def is_over(self) -> bool:
        """Whether the job will do nothing any more."""
        return self.name in OVER or self.name in (COMPLETED, "")

    @property
    def outcome(self) -> Outcome:
        """What became of the runs that it has not recorded."""
        return OVER.get(self.name, "killed")

    @property
    def reason(self) -> str:
        """Says why it is over."""
        return WORDS.get(self.name, "it ended without a record")


def states(jobs: Iterable[str]) -> dict[str, State] | None:
    """Returns where each job is; None where SLURM does not answer, which may pass."""
    wanted = list(jobs)
    arrays = ",".join(dict.fromkeys(job.partition("_")[0] for job in wanted))
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i %T", "--jobs"]
    try:
        told = subprocess.run(
            [*command, arrays], capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if told.returncode and "Invalid job id" not in told.stderr:
        return None
    known = dict(line.split(maxsplit=1) for line in told.stdout.splitlines() if " " in line.strip())
    return {job: State(known.get(job, "").strip()) for job in wanted}


def refuse_beside(journal: Path) -> None:
    """Refuses to start jobs beside those of a sweep whose command is gone.

    They may still measure what would be measured a second time.

    Raises:
        BadInput: where such a job waits or runs.
    """
    for folder, ids in left_alone(journal).items():
        known = states(ids) or {}
        alive = [job for job, state in known.items() if not state.is_over]
        if alive:
            more = f" and {len(alive) - 1} more" if len(alive) > 1 else ""
            arrays = " ".join(dict.fromkeys(job.partition("_")[0] for job in alive))
            raise BadInput(
                f"job {alive[0]} of SLURM{more} of the sweep in {folder} still waits or runs, and "
                f"its command is gone; wait for it, or cancel it: scancel {arrays}"
            )


def array_size() -> int:
    """Returns how many jobs SLURM takes at once, as one array."""
    try:
        told = subprocess.run(
            ["scontrol", "show", "config"],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ARRAY_SIZE
    sizes = re.findall(r"^MaxArraySize\s*=\s*(\d+)", told.stdout, re.MULTILINE)
    return max(1, int(sizes[0]) - 1) if sizes else ARRAY_SIZE


def cancel(jobs: Iterable[str]) -> None:
    """Cancels jobs that wait or run; those that have ended stay as they are."""
    wanted = list(jobs)
    if wanted:
        subprocess.run(["scancel", "--quiet", *wanted], timeout=ANSWER_S, check=False)
