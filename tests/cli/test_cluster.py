"""A sweep on a cluster: SLURM on loopback with one node, and MLflow on PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from greenexp.runs import journal
from tests.support import cluster, postgresql
from tests.support.blocks import stretches, take_turns
from tests.support.command import QUICK, ROOT
from tests.support.loopback_tracker import mlflow_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not cluster.is_installed(), reason="SLURM and munge are not installed"),
    pytest.mark.skipif(postgresql.programs() is None, reason="PostgreSQL is not installed"),
]

SHARED = [  # a node that takes two jobs at once
    "hydra.launcher.additional_parameters.exclusive=false",
    "hydra.launcher.cpus_per_task=1",
]
NODE = 'hydra.launcher.setup=["export OMP_NUM_THREADS=1"]'  # unlike where the command is given
BLOCKS, RUNS = 4, 12  # two models, two repetitions; a block has a tactic and two baselines
SWEEP = [
    "-m",
    "hydra/launcher=slurm",
    "hydra.launcher.timeout_min=2",  # SLURM tells of it up to a minute early
    "hydra.launcher.signal_delay_s=10",
    "model=digits_resnet,digits_vit",
    "tactic=baseline,local_pruning",
    "repetitions=2",
    "report.after_sweep=false",
    *QUICK,
]
LIMIT_S = 900.0


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    with cluster.cluster(tmp_path_factory.mktemp("c"), os.cpu_count() or 1) as environment:
        yield environment


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        postgresql.postgresql() as database,
        mlflow_server(tmp_path_factory.mktemp("server"), database) as port,
    ):
        yield f"http://127.0.0.1:{port}"


class Sweep:
    """The command on the cluster, while it runs."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *words: str) -> None:
        self.folder = folder
        self._environment = os.environ | environment
        self._output = folder / "output.txt"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "greenexp", *words],
                cwd=folder,
                env=self._environment | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def begun(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Returns the jobs that have begun and not ended: their id, and their process."""
        paths = self.folder.glob("multirun/*/*/blocks/*.begun.json")
        open_ = [path for path in paths if not Path(str(path).replace("begun", "ended")).exists()]
        return [(self._job(begin["pid"]), begin) for begin in map(_read, open_)]

    def _job(self, pid: int) -> str:
        try:
            told = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return ""
        variables = dict(entry.split(b"=", 1) for entry in told if b"=" in entry)
        return variables[b"SLURM_JOB_ID"].decode()

    def slurm(self, *command: str) -> None:
        subprocess.run(command, env=self._environment, check=True)

    def wait(self) -> str:
        """Returns what the command said once it has ended."""
        self.process.wait(LIMIT_S)
        text = self._output.read_text()
        assert "Traceback" not in text, text
        return text


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def until(condition: Callable[[], Any]) -> Any:
    limit_s = time.monotonic() + LIMIT_S
    while not (met := condition()):
        assert time.monotonic() < limit_s
        time.sleep(0.2)
    return met


def finished(uri: str) -> Counter[tuple[str, str, str]]:
    """Returns how often the server has each run as finished."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("greenexp")
    assert experiment is not None
    tags = [
        run.data.tags
        for run in client.search_runs([experiment.experiment_id])
        if run.info.status == "FINISHED"
    ]
    return Counter(
        (tag["greenexp.cell"], tag["greenexp.block"], tag["greenexp.replicate"]) for tag in tags
    )


def test_sweep_goes_through_what_befalls_jobs_and_is_whole_when_given_again(
    tmp_path: Path, slurm: Mapping[str, str], tracker: str
) -> None:
    sweep = Sweep(tmp_path, slurm, *SWEEP, f"tracking.uri={tracker}")
    seen: list[str] = []

    def another() -> tuple[str, Mapping[str, Any]] | None:
        assert sweep.process.poll() is None, sweep.wait()
        fresh = [(job, begin) for job, begin in sweep.begun() if job and job not in seen]
        return fresh[0] if fresh else None

    job, begin = until(another)
    seen.append(job)
    os.kill(begin["pid"], signal.SIGKILL)
    job, begin = until(another)
    seen.append(job)
    os.kill(begin["pid"], signal.SIGSTOP)  # it runs out of time
    sweep.slurm("scontrol", "update", f"JobId={job}", "TimeLimit=1")
    job, begin = until(another)
    seen.append(job)
    sweep.slurm("scontrol", "requeue", job)
    text = sweep.wait()
    assert sweep.process.returncode == 1, text
    assert f"6 of {RUNS} runs failed" in text
    assert "its process was killed, or failed" in text
    assert "it reached its time limit; give more with hydra.launcher.timeout_min=" in text
    assert "local_pruning" in text.partition(f"[{RUNS}/{RUNS}]")[2], "the table comes"
    outcomes = Counter(
        _read(path)["result"]["outcome"] for path in tmp_path.rglob(f"multirun/**/{journal.RECORD}")
    )
    assert outcomes == {"ok": 6, "killed": 3, "timeout": 3}
    hosts = {begin["host"] for path in tmp_path.rglob("*.begun.json") for begin in [_read(path)]}
    assert hosts == {os.uname().nodename}
    again = Sweep(tmp_path, slurm, *SWEEP, f"tracking.uri={tracker}")
    text = again.wait()
    assert again.process.returncode == 0, text
    assert f"skipped 6 of {RUNS} runs" in text
    counts = finished(tracker)
    assert len(counts) == RUNS
    assert set(counts.values()) == {1}


def test_jobs_that_share_a_node_take_turns_and_resume_goes_by_the_node(
    tmp_path: Path, slurm: Mapping[str, str]
) -> None:
    words = [*SWEEP, *SHARED, NODE, "hydra.launcher.timeout_min=0", "tracking.offline=true"]
    sweep = Sweep(tmp_path, slurm, *words)
    at_once = until(lambda: sweep.process.poll() is not None or len(sweep.begun()) > 1)
    assert at_once
    assert sweep.process.poll() is None, sweep.wait()
    text = sweep.wait()
    assert sweep.process.returncode == 0, text
    measured = stretches(tmp_path)
    assert len(measured) == BLOCKS
    assert take_turns(measured)
    conditions = {_read(path)["conditions"] for path in tmp_path.rglob(journal.RECORD)}
    assert ["OMP_NUM_THREADS=1" in words for words in conditions] == [True]
    again = Sweep(tmp_path, slurm, *words)
    assert f"skipped {RUNS} of {RUNS} runs" in again.wait()


def test_what_a_node_finds_wrong_is_told_in_one_line(
    tmp_path: Path, slurm: Mapping[str, str]
) -> None:
    images = ["dataset=folder", "dataset.path=/nowhere", "dataset.labels=digits"]
    sweep = Sweep(tmp_path, slurm, *SWEEP, *images, "tracking.offline=true")
    text = sweep.wait()
    assert sweep.process.returncode == 1
    assert "dataset.path=/nowhere" in text
    assert not list(tmp_path.glob("multirun/*/*/blocks"))


def test_interrupted_sweep_cancels_its_jobs(
    tmp_path: Path, slurm: Mapping[str, str], tracker: str
) -> None:
    sweep = Sweep(
        tmp_path, slurm, *SWEEP, f"tracking.uri={tracker}", "tracking.experiment=interrupted"
    )
    until(sweep.begun)
    sweep.process.send_signal(signal.SIGINT)
    text = sweep.wait()
    assert sweep.process.returncode == 130
    assert f"cancelled {BLOCKS} jobs of SLURM" in text

    def queued() -> str:
        told = subprocess.run(
            ["squeue", "--noheader"],
            env=os.environ | slurm,
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout

    until(lambda: not queued())


def test_jobs_of_a_sweep_whose_command_was_killed_are_not_measured_twice(
    tmp_path: Path, slurm: Mapping[str, str]
) -> None:
    words = [*SWEEP, "model=digits_resnet", "repetitions=1", "tracking.offline=true"]
    killed = Sweep(tmp_path, slurm, *words)
    until(killed.begun)
    killed.process.kill()
    killed.wait()
    again = Sweep(tmp_path, slurm, *words)
    assert "and its command is gone; wait for it, or cancel it: scancel" in again.wait()
    assert again.process.returncode == 1
    until(lambda: list(tmp_path.glob("multirun/*/*/blocks/*.ended.json")))
    until(lambda: not Sweep(tmp_path, slurm, *words).wait().count("its command is gone"))
    outcomes = [_read(path)["result"]["outcome"] for path in tmp_path.rglob(journal.RECORD)]
    assert outcomes == ["ok"] * 3


def test_cluster_that_takes_no_jobs_is_told_in_one_line(
    tmp_path: Path, slurm: Mapping[str, str]
) -> None:
    wrong = [*SWEEP, "hydra.launcher.partition=nowhere", "tracking.offline=true"]
    sweep = Sweep(tmp_path, slurm, *wrong)
    text = sweep.wait()
    assert sweep.process.returncode == 1
    assert "the launcher can't start jobs" in text
    assert not list(tmp_path.glob("multirun/*/*/blocks"))
