"""Commands that start together, a store that is locked, disks that are full: nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from greenexp.runs import journal
from tests.support.command import QUICK, runs, said
from tests.support.command import start as start_module

pytestmark = pytest.mark.slow

TOGETHER = "isolation.alone=false"
SWEEP = ["-m", "model=digits_resnet", "tactic=baseline,local_pruning", "report.after_sweep=false"]
LOCKED_S = 20


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return start_module(folder, "greenexp", *arguments, *QUICK, **environment)


def records(folder: Path) -> list[dict]:
    return [
        json.loads(p.read_bytes()) for p in sorted(folder.rglob(f"multirun/**/{journal.RECORD}"))
    ]


def store(folder: Path) -> str:
    return said(start_module(folder, "greenexp.store"))


def in_mlflow(folder: Path) -> Counter[str]:
    return Counter(run["tags"]["greenexp.id"] for run in runs(folder) if run["status"] != "RUNNING")


def test_eight_single_runs_and_three_sweeps_of_one_second_keep_their_results(
    tmp_path: Path,
) -> None:
    batches = [[f"workload.batch_size={size}"] for size in range(1, 9)]
    singles = [start(tmp_path, "model=digits_resnet", TOGETHER, *batch) for batch in batches]
    sweeps = [start(tmp_path, *SWEEP, TOGETHER, f"workload.batch_size={n}") for n in (9, 10, 11)]
    texts = [said(command) for command in [*singles, *sweeps]]
    assert [command.returncode for command in [*singles, *sweeps]] == [0] * 11, texts
    store(tmp_path)
    measured = records(tmp_path)
    assert len(measured) == 8 + 3 * 3
    assert Counter(record["configuration"]["workload"]["batch_size"] for record in measured) == {
        **dict.fromkeys(range(1, 9), 1),
        **dict.fromkeys((9, 10, 11), 3),
    }
    assert in_mlflow(tmp_path) == Counter(record["id"] for record in measured)
    assert set(in_mlflow(tmp_path).values()) == {1}


def test_folder_that_is_given_twice_overwrites_nothing(tmp_path: Path) -> None:
    for size in (1, 2):
        text = said(start(tmp_path, "hydra.run.dir=here", f"workload.batch_size={size}"))
        assert "measuring" in text
    sizes = {
        path.parent.name: json.loads(path.read_bytes())["configuration"]["workload"]["batch_size"]
        for path in tmp_path.glob(f"here*/{journal.RECORD}")
    }
    assert sizes == {"here": 1, "here-2": 2}


def test_store_that_another_process_locks_for_20_s_gets_the_run(tmp_path: Path) -> None:
    assert "measuring" in said(start(tmp_path, "model=digits_resnet"))
    program = (
        "import sqlite3, time\n"
        "c = sqlite3.connect('mlruns/mlflow.db', isolation_level=None)\n"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True)\n"
        f"time.sleep({LOCKED_S}); c.execute('ROLLBACK')"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as locking:
        assert locking.stdout is not None
        locking.stdout.readline()
        second = start(tmp_path, "model=digits_resnet", "workload.batch_size=2")
        text = said(second)
    assert second.returncode == 0, text
    assert "waiting for MLflow at sqlite:///" in text
    assert len(in_mlflow(tmp_path)) == 2


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


def test_full_disk_under_the_journal_leaves_the_run_in_mlflow(
    tmp_path: Path, small_disk: Path
) -> None:
    (small_disk / "multirun").mkdir()
    command = start(
        tmp_path, "model=digits_resnet", f"hydra.run.dir={small_disk}/multirun/x", "tactic=baseline"
    )
    wait_for((small_disk / "multirun" / "x").exists)
    fill(small_disk)
    text = said(command)
    assert command.returncode == 1
    assert "No space left on device" in text
    assert "it is in MLflow" in text
    assert len(in_mlflow(tmp_path)) == 1


def test_full_disks_under_journal_and_store_print_the_run(tmp_path: Path, small_disk: Path) -> None:
    uri = f"tracking.uri=sqlite:///{small_disk}/mlflow.db"
    said(start(tmp_path, "model=digits_resnet", uri))  # makes the store
    command = start(tmp_path, "model=digits_resnet", f"hydra.run.dir={small_disk}/x", uri)
    wait_for((small_disk / "x").exists)
    fill(small_disk)
    text = said(command)
    assert command.returncode == 1
    assert "MLflow did not take" in text
    (line,) = [line for line in text.splitlines() if line.startswith('{"id"')]
    (tmp_path / "rescued").mkdir()
    (tmp_path / "rescued" / journal.RECORD).write_text(line, encoding="utf-8")
    assert journal.read(tmp_path / "rescued" / journal.RECORD).result.outcome == "ok"


def test_full_disk_under_the_store_leaves_the_run_in_the_journal(
    tmp_path: Path, small_disk: Path
) -> None:
    uri = f"tracking.uri=sqlite:///{small_disk}/mlflow.db"
    said(start(tmp_path, "model=digits_resnet", uri))  # makes the store
    command = start(tmp_path, "model=digits_resnet", uri, "hydra.run.dir=multirun/second")
    wait_for((tmp_path / "multirun" / "second").exists)
    fill(small_disk)
    text = said(command)
    assert command.returncode == 1
    assert "MLflow did not take it" in text
    assert [record["result"]["outcome"] for record in records(tmp_path)] == ["ok"] * 2
    (small_disk / "ballast").unlink()
    assert "MLflow run" in store(tmp_path)


def test_small_folder_for_temporary_files_is_told_before_any_cost(
    tmp_path: Path, small_disk: Path
) -> None:
    command = start(tmp_path, "model=digits_resnet", TMPDIR=str(small_disk))
    text = said(command)
    assert command.returncode == 1
    assert f"TMPDIR={small_disk} has 4 MiB free; runs need 64 there" in text
    assert records(tmp_path) == []


@pytest.mark.parametrize("small_disk", ["80m"], indirect=True)
def test_folder_for_temporary_files_that_fills_up_is_named(
    tmp_path: Path, small_disk: Path
) -> None:
    command = start(tmp_path, "model=digits_resnet", TMPDIR=str(small_disk))
    wait_for(lambda: [*small_disk.glob("greenexp-*")])
    fill(small_disk)
    said(command)
    assert command.returncode == 1
    (record,) = records(tmp_path)
    assert record["result"]["outcome"] == "error"
    assert "No space left on device" in record["result"]["reason"] or (
        f"the folder for temporary files, {small_disk}, is full" in record["result"]["reason"]
    )


def wait_for(there: Callable[[], object]) -> None:
    for _ in range(600):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError("it is not made")
