"""The command on a cluster of simulated nodes: what surrounds measuring, at any size.

    python -m tests.support.simulated_cluster NODES KILLED SEED word…

runs `greenexp word…` with a launcher whose jobs go to processes that stand for
nodes. Measuring is made up; requests, journals, tracker and resume are real. A share KILLED of the
jobs lose their node at a random moment: half of them go back to the queue, the others are lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import submitit
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from greenexp.runs.files import write_atomically
from greenexp.sweep import record
from tests.support.unmeasured import Unmeasured

IMAGES = 10
LONGEST_S = 0.4  # that a job runs before its node is lost
TICK_S = 0.02
TOLD_EVERY_S = 0.5  # of the states of all jobs
REQUESTS = "sweep.requests="
SURVEY = "sweep.survey="
ARRAY_SIZE = 1001


def serve(number: int, orders: Connection) -> None:
    """Stands for a node: does the jobs that come, until the command is gone."""
    from greenexp.cli import run

    threading.Thread(target=_die_with_command, daemon=True).start()
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - so long as the node is
    socket.gethostname = lambda: f"node{number}"
    made = Unmeasured(IMAGES, seed=number)
    record.together = made.together  # type: ignore[assignment]
    record.isolated = made.alone  # type: ignore[assignment]
    while True:
        kind, path = orders.recv()
        with contextlib.suppress(Exception):  # the job's files tell of it
            run._survey(Path(path)) if kind == SURVEY else run._measure_block(Path(path))
        orders.send(path)


def _die_with_command() -> None:
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)


@dataclass
class Job:
    """A job of the cluster; it has of submitit's what the sweep looks at.

    Attributes:
        job_id: as SLURM calls it.
        order: what it is to do, and the file that says it.
        state: SLURM's word.
    """

    job_id: str
    order: tuple[str, str]
    state: str = "PENDING"


@dataclass
class Node:
    """A process that stands for a node.

    Attributes:
        process: that it is.
        orders: to it, and its answers.
        job: that it does.
        lost_at_s: when it is killed; None: it is not.
    """

    process: BaseProcess
    orders: Connection
    job: Job | None = None
    lost_at_s: float | None = None


class SimulatedLauncher(Launcher):
    """Gives jobs to simulated nodes."""

    _EXECUTOR = "slurm"

    def __init__(self, nodes: int, killed: float, seed: int) -> None:
        self.params: dict[str, Any] = {"timeout_min": 0}
        self._cluster = Cluster(nodes, killed, seed)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Needs nothing of Hydra's: a job is done as the command does it."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[None]:
        """Gives jobs to the cluster, as submitit's launcher does: in one array."""
        submitit.AutoExecutor.map_array(self._cluster, lambda words: None, job_overrides)  # type: ignore[arg-type]
        return [None for _ in job_overrides]


@dataclass
class Cluster:
    """Nodes, a queue, and what happens to them."""

    nodes: int
    killed: float
    seed: int
    _queue: deque[Job] = field(default_factory=deque)
    _jobs: dict[str, Job] = field(default_factory=dict)
    _arrays: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["greenexp.cli.run", "tests.support.preload_node"])
        self._started = 0

    def _internal_process_submissions(self, submissions: Sequence[Any]) -> list[Job]:
        """Stands in for submitit's: puts an array into the queue."""
        self._arrays += 1
        jobs = [
            Job(f"{self._arrays}_{number}", _order(submission.args[0]))
            for number, submission in enumerate(submissions)
        ]
        self._jobs.update({job.job_id: job for job in jobs})
        self._queue.extend(jobs)
        if self._arrays == 1:
            threading.Thread(target=self._run, daemon=True).start()
        return jobs

    def _run(self) -> None:
        nodes = [self._node() for _ in range(self.nodes)]
        told_s = 0.0
        while True:
            try:
                for orders in wait([node.orders for node in nodes], TICK_S):
                    self._answered(next(node for node in nodes if node.orders is orders))
            except EOFError:  # the command ends, and its nodes with it
                return
            now_s = time.monotonic()
            for place, node in enumerate(nodes):
                if node.lost_at_s is not None and now_s >= node.lost_at_s:
                    self._lose(node)
                    nodes[place] = self._node()
                elif node.job is None and self._queue:
                    self._give(node)
            if now_s - told_s >= TOLD_EVERY_S:
                told_s = now_s
                self._tell()

    def _node(self) -> Node:
        ours, theirs = self._context.Pipe()
        self._started += 1
        process = self._context.Process(target=serve, args=(self._started, theirs), daemon=True)
        process.start()
        theirs.close()
        return Node(process, ours)

    def _give(self, node: Node) -> None:
        node.job = self._queue.popleft()
        node.job.state = "RUNNING"
        node.orders.send(node.job.order)
        if node.job.order[0] == REQUESTS and self._random.random() < self.killed:
            node.lost_at_s = time.monotonic() + self._random.uniform(0, LONGEST_S)

    def _answered(self, node: Node) -> None:
        node.orders.recv()
        if node.job is not None:
            node.job.state = "COMPLETED"
        node.job = node.lost_at_s = None

    def _lose(self, node: Node) -> None:
        node.process.kill()
        node.process.join()
        node.orders.close()
        if node.job is not None and self._random.random() < 1 / 2:
            node.job.state = "PENDING"
            self._queue.append(node.job)
        elif node.job is not None:
            node.job.state = "NODE_FAIL"

    def _tell(self) -> None:
        """Writes what `squeue` prints."""
        lines = [f"{job.job_id} {job.state}" for job in list(self._jobs.values())]
        write_atomically(Path(os.environ["GREENEXP_TEST_STATES"]), "\n".join(lines))


def _order(words: Sequence[str]) -> tuple[str, str]:
    """Returns what a job is to do, of its overrides."""
    for kind in (REQUESTS, SURVEY):
        for word in words:
            if word.startswith(kind):
                return kind, word.removeprefix(kind).strip("'")
    raise RuntimeError(f"{words} ask for nothing")


@contextlib.contextmanager
def programs() -> Iterator[None]:
    """Puts SLURM's programs on the PATH as far as the sweep asks them."""
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        states = Path(folder) / "states"
        states.touch()
        os.environ["GREENEXP_TEST_STATES"] = str(states)
        for name, does in {
            "squeue": f"cat {states}",
            "scontrol": f"echo 'MaxArraySize = {ARRAY_SIZE}'",
            "sbatch": "exit 1",
            "scancel": "true",
        }.items():
            path = Path(folder) / name
            path.write_text(f"#!/bin/sh\n{does}\n")
            path.chmod(0o755)
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
        yield


def run() -> None:
    """Runs the command with the launcher that its first three words describe."""
    from greenexp.cli.main import main

    nodes, killed, seed = (sys.argv.pop(1) for _ in range(3))
    launcher = SimulatedLauncher(int(nodes), float(killed), int(seed))
    # Hydra makes launchers of its plugins' package alone.
    Plugins.instance().instantiate_launcher = lambda **_: launcher  # type: ignore[method-assign]
    sys.argv.append("isolation.alone=false")
    with programs():
        main()


if __name__ == "__main__":
    run()
