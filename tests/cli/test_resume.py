"""A sweep that is killed goes on where it was: nothing is lost, and nothing is measured twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from greenexp.tracking.fields import CELL_TAG

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HANG_S = 600.0
SEED = 7
KILLS = 20
KILLS_IN_THE_MAKING = 5
STORE_BYTES = 800_000  # less than an empty MLflow database has when it is whole
TINY = [
    "-m",
    "model=digits_resnet",
    "sweep.baselines=2",
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
    "workload.batch_size=32",
    "workload.idle_seconds=0.05",
    "workload.warmup_min_seconds=0.05",
    "workload.min_seconds=0.05",
    "workload.min_windows=10",
    "workload.max_windows=10",
]
ONE_RUN = [*TINY, "tactic=baseline"]
THREE_RUNS = [*TINY, "tactic=baseline,local_pruning"]  # the baseline twice: A/A
BLOCKS = 3
EARLY = 0.3  # of the moments count from the command's start
STARTUPS_AFTER_THE_FIRST_RUN = 2  # that the others lie at most behind its first run

Key = tuple[str, int, int]  # cell, block, replicate

# The command in a process that kills itself where it would enter a function.
DEADLY = """
import os, pkgutil, signal, sys
owner, name = sys.argv.pop(1), sys.argv.pop(1)
def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(pkgutil.resolve_name(owner), name, die)
from greenexp.__main__ import main
main()
"""


def start(folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "greenexp")):
    """Starts the command; what it says is added to a file, which no pipe's reader can hold up."""
    folder.mkdir(exist_ok=True)
    with said(folder).open("ab") as file:
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def said(folder: Path) -> Path:
    return folder / "said.txt"


def finish(folder: Path, *arguments: str) -> str:
    """Runs the command undisturbed, which must end well, and returns what it says."""
    before = len(said(folder).read_text()) if said(folder).exists() else 0
    code = start(folder, *arguments).wait(HANG_S)
    words = said(folder).read_text()[before:]
    assert code == 0, words
    return words


def measuring_child(command: subprocess.Popen) -> psutil.Process | None:
    """Returns the process that measures at the moment: it leads a group of its own."""
    for process in psutil.Process(command.pid).children(recursive=True):
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            leads = os.getpgid(process.pid) == process.pid
            if leads and process.status() != psutil.STATUS_ZOMBIE:
                return process
    return None


@dataclass
class Killer:
    """Kills a command or what measures for it, as the dice say, at moments that they choose.

    A part of the moments counts from the command's start, the others from its first run, so that
    they spread over its whole life however busy the machine is.
    """

    dice: random.Random
    startup_s: float = 0.0  # from the start of a command to its first run, as last seen
    killed: list[str] = field(default_factory=list)

    def follow(self, command: subprocess.Popen) -> None:
        """Kills children of the command until it is killed itself or ends."""
        early = self.startup_s > 0 and self.dice.random() < EARLY
        if not early:
            self.startup_s = seconds_until_it_measures(command)
        longest_s = self.startup_s * (1 if early else STARTUPS_AFTER_THE_FIRST_RUN)
        while len(self.killed) < KILLS and goes_on_for(command, self.dice.uniform(0, longest_s)):
            whom = self.dice.choice(["parent", "child", "child"])
            child = measuring_child(command) if whom == "child" else None
            if child is None:
                command.kill()
                self.killed.append("parent")
                break
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
                self.killed.append("child")
        command.wait(HANG_S)


def seconds_until_it_measures(command: subprocess.Popen) -> float:
    """Waits for the first run of a command, or its end."""
    began_s = time.monotonic()
    while command.poll() is None and measuring_child(command) is None:
        assert time.monotonic() < began_s + HANG_S
        time.sleep(0.05)
    return time.monotonic() - began_s


def goes_on_for(command: subprocess.Popen, seconds: float) -> bool:
    """Waits and tells whether the command is still there."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        command.wait(seconds)
    return command.returncode is None


def wait_until_nothing_is_left_of_it(folder: Path) -> None:
    """Every process of the command works in its folder, the fork server's children too."""
    give_up_s = time.monotonic() + HANG_S
    while left := [
        process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(folder)
    ]:
        assert time.monotonic() < give_up_s, left
        time.sleep(0.05)


def planned(folder: Path) -> frozenset[Key]:
    """Returns the runs of the longest plan; a shorter one must be a part of it."""
    plans = [
        frozenset(
            (run["cell"], run["block"], run["replicate"])
            for run in json.loads(path.read_text(encoding="utf-8"))["runs"]
        )
        for path in (folder / "multirun").rglob("plan.json")
    ]
    longest = max(plans, key=len)
    assert all(plan <= longest for plan in plans)
    return longest


def journals(folder: Path) -> list[Path]:
    """Returns the records of blocks that are there; one half written counts as not written."""
    paths = (folder / "multirun").rglob("record.json")
    return [path for path in paths if not any(part.endswith(".partial") for part in path.parts)]


def journalled(folder: Path) -> list[dict]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in journals(folder)]


def tracked(folder: Path, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("greenexp")
    runs = client.search_runs([experiment.experiment_id], run_view_type=view)
    return [run for run in runs if CELL_TAG in run.data.tags]  # the summary is no measured run


def key_of_record(record: dict) -> Key:
    place = record["configuration"]["sweep"]
    return record["cell"], place["block"], place["replicate"]


def key_of_run(run: Run) -> Key:
    tags = run.data.tags
    return tags["greenexp.cell"], int(tags["greenexp.block"]), int(tags["greenexp.replicate"])


def assert_each_run_is_there_once(folder: Path, runs: int) -> None:
    """Shows that plan, journals and tracker agree, however often the command was killed."""
    plan = planned(folder)
    assert len(plan) == runs
    records = journalled(folder)
    assert {record["result"]["outcome"] for record in records} <= {"ok", "killed"}
    fine = [record for record in records if record["result"]["outcome"] == "ok"]
    assert set(map(key_of_record, fine)) == plan
    assert_nothing_is_measured_without_need(records)
    finished = [run for run in tracked(folder, ViewType.ALL) if run.info.status == "FINISHED"]
    assert Counter(map(key_of_run, finished)) == Counter(map(key_of_record, fine))
    statuses = {"ok": "FINISHED", "killed": "FAILED"}
    assert Counter((r["id"], statuses[r["result"]["outcome"]]) for r in records) == Counter(
        (run.data.tags["greenexp.id"], run.info.status) for run in tracked(folder)
    )
    assert all(path.with_name("sent").exists() for path in journals(folder))
    assert "Traceback" not in said(folder).read_text()


def assert_nothing_is_measured_without_need(records: list[dict]) -> None:
    """Shows that each block measured something that was missing; only baselines stand by again.

    What a block measured in vain, for it was killed there, is missing still. So is a tactic whose
    baselines were all killed, for it was compared with nothing.
    """
    blocks: dict[str, list[dict]] = {}
    for record in sorted(records, key=lambda record: record["started"]):
        blocks.setdefault(record["together"] or record["id"], []).append(record)
    measured: set[Key] = set()
    for block in blocks.values():
        assert set(map(key_of_record, block)) - measured
        fine = [record for record in block if record["result"]["outcome"] == "ok"]
        baselines = [record for record in fine if is_baseline(record)]
        others = [record for record in fine if baselines and not is_baseline(record)]
        assert not set(map(key_of_record, others)) & measured
        measured.update(map(key_of_record, [*baselines, *others]))


def is_baseline(record: dict) -> bool:
    return record["choices"]["tactic"] == "baseline"


def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(tmp_path) -> None:
    killer = Killer(random.Random(SEED))
    blocks = BLOCKS
    while len(killer.killed) < KILLS:
        command = start(tmp_path, *THREE_RUNS, f"repetitions={blocks}")
        killer.follow(command)
        wait_until_nothing_is_left_of_it(tmp_path)
        if command.returncode == 0:  # all is measured: there must be more to kill
            blocks += BLOCKS
    finish(tmp_path, *THREE_RUNS, f"repetitions={blocks}")
    wait_until_nothing_is_left_of_it(tmp_path)
    assert_each_run_is_there_once(tmp_path, 3 * blocks)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param(
            "greenexp.tracking.tracker:Tracker", "log", id="journalled, MLflow knows nothing"
        ),
        pytest.param("mlflow:MlflowClient", "log_artifacts", id="MLflow has half"),
        pytest.param("greenexp.runs.journal", "mark_sent", id="MLflow has all, no mark says so"),
    ],
)
def test_killed_between_journal_and_tracker(tmp_path, owner, name) -> None:
    command = start(tmp_path, owner, name, *ONE_RUN, program=("-c", DEADLY))
    assert command.wait(HANG_S) == -signal.SIGKILL, said(tmp_path).read_text()
    (path,) = journals(tmp_path)
    assert not path.with_name("sent").exists()
    wait_until_nothing_is_left_of_it(tmp_path)
    assert "skipped 1 of 1 runs" in finish(tmp_path, *ONE_RUN)
    assert journals(tmp_path) == [path]
    assert_each_run_is_there_once(tmp_path, 1)


def test_killed_while_the_store_is_made(tmp_path) -> None:
    dice = random.Random(SEED)
    killed = 0
    for _ in range(KILLS_IN_THE_MAKING):
        command = start(tmp_path, *ONE_RUN)
        enough = dice.uniform(0, STORE_BYTES)
        while command.poll() is None and store_bytes(tmp_path) < enough:
            time.sleep(0.001)
        command.kill()
        killed += command.wait(HANG_S) == -signal.SIGKILL
        wait_until_nothing_is_left_of_it(tmp_path)
    assert killed == KILLS_IN_THE_MAKING
    finish(tmp_path, *ONE_RUN)
    assert_each_run_is_there_once(tmp_path, 1)


def store_bytes(folder: Path) -> int:
    """Returns the size that the SQLite file has reached, be it whole or in the making."""
    sizes = [0]
    for path in (folder / "mlruns").rglob("*.db"):
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return max(sizes)
