"""Runs that die, hang or refuse, in one sweep with runs that don't: each is typed as it ended."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from greenexp.tracking.fields import CELL_TAG

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HANG_S = 900.0
ENOUGH_S = 60  # for an honest run on a slow and busy machine; the hanging one waits for it
TINY = [
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
    "sweep.baselines=2",
    "workload.batch_size=32",
    "workload.idle_seconds=0.05",
    "workload.warmup_min_seconds=0.05",
    "workload.min_seconds=0.05",
    "workload.min_windows=10",
    "workload.max_windows=10",
]


class Fault(NamedTuple):
    """What a tactic does, and how its run is to be recorded."""

    does: str
    outcome: str
    reason: str


FAULTS = {
    "Segfault": Fault("ctypes.string_at(0)", "killed", "SIGSEGV"),
    "Sigkill": Fault("os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL"),
    "Greedy": Fault("bytearray(1 << 62)", "oom", "MemoryError"),
    "Sleepy": Fault("time.sleep(1e6)", "timeout", f"longer than {ENOUGH_S} s"),
    "Refusing": Fault("raise Unsupported('not on this device')", "unsupported", "not on this"),
}
IMPORTS = """
import ctypes, os, signal, time
from dataclasses import dataclass
from greenexp.errors import Unsupported
from greenexp.protocols import Traits
"""
TACTIC = """
@dataclass(frozen=True)
class {name}:
    @property
    def traits(self):
        return Traits()

    def __call__(self, module, sample):
        {does}
        return module

    def effect(self, module):
        return {{}}
"""


def checkout(folder: Path) -> Path:
    """Returns a copy of the program to which the faulty tactics are added as a user adds one."""
    for name in ("greenexp", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / name, folder / name)
    write_tactics(folder, {name: fault.does for name, fault in FAULTS.items()})
    for name in FAULTS:
        yaml = f"_target_: greenexp.tactics.faulty.{name}\n"
        (folder / "conf" / "tactic" / f"{name.lower()}.yaml").write_text(yaml)
    return folder


def write_tactics(folder: Path, does: dict[str, str]) -> None:
    classes = [TACTIC.format(name=name, does=line) for name, line in does.items()]
    (folder / "greenexp" / "tactics" / "faulty.py").write_text(IMPORTS + "".join(classes))


def sweep(program: Path, folder: Path, *tactics: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    arguments = ["-m", "model=digits_resnet", f"tactic={','.join(tactics)}"]
    return subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments, f"isolation.timeout_s={ENOUGH_S}", *TINY],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(program), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def tracked(folder: Path) -> list[Run]:
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("greenexp")
    runs = client.search_runs([experiment.experiment_id])
    return [run for run in runs if CELL_TAG in run.data.tags]  # the summary is no measured run


def by_tactic(runs: list[Run]) -> dict[str, Run]:
    return {run.data.params["tactic"]: run for run in runs}


def journalled(folder: Path) -> dict[str, tuple[str, str | None]]:
    """Returns outcome and reason of every journal, by the id of its record."""
    outcomes = {}
    for path in (folder / "multirun").rglob("record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        outcomes[record["id"]] = (record["result"]["outcome"], record["result"]["reason"])
    return outcomes


def test_five_faults_are_typed_and_three_runs_finish(tmp_path) -> None:
    program, folder = checkout(tmp_path / "program"), tmp_path / "work"
    done = sweep(program, folder, "baseline", "local_pruning", *map(str.lower, FAULTS))
    assert done.returncode == 1, done.stderr
    assert "4 of 8 runs failed" in done.stderr
    assert "Traceback" not in done.stderr
    runs = tracked(folder)
    assert Counter(run.info.status for run in runs) == {"FINISHED": 3, "FAILED": 5}
    assert Counter(run.data.tags["greenexp.outcome"] for run in runs) == {
        "ok": 3,
        "killed": 2,
        "oom": 1,
        "timeout": 1,
        "unsupported": 1,
    }
    runs_by_tactic = by_tactic(runs)
    for name, fault in FAULTS.items():
        run = runs_by_tactic[name.lower()]
        assert run.info.status == "FAILED"
        assert run.data.tags["greenexp.outcome"] == fault.outcome
        assert fault.reason in run.data.tags["greenexp.reason"]
        assert "latency/p50_ms" not in run.data.metrics
    assert journalled(folder) == {
        run.data.tags["greenexp.id"]: (
            run.data.tags["greenexp.outcome"],
            run.data.tags.get("greenexp.reason"),
        )
        for run in runs
    }


def test_a_failed_run_is_measured_again_and_a_finished_one_is_not(tmp_path) -> None:
    program, folder = checkout(tmp_path / "program"), tmp_path / "work"
    first = sweep(program, folder, "local_pruning", "segfault")
    assert first.returncode == 1, first.stderr
    assert "1 of 2 runs failed" in first.stderr
    write_tactics(program, {"Segfault": "pass"})  # mended; the command is the same
    again = sweep(program, folder, "local_pruning", "segfault")
    assert again.returncode == 0, again.stderr
    assert "skipped 1 of 2 runs" in again.stderr
    ended = Counter((run.data.params["tactic"], run.info.status) for run in tracked(folder))
    assert ended == {
        ("local_pruning", "FINISHED"): 1,
        ("segfault", "FAILED"): 1,
        ("segfault", "FINISHED"): 1,
    }
    assert len(journalled(folder)) == 3
