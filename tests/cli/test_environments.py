"""Shells, notebooks, paths and accounts of all sorts: a run ends well or says why in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenexp.runs import journal
from tests.support.command import QUICK, ROOT, greenexp
from tests.support.pictures import picture

pytestmark = pytest.mark.slow

LIMIT_S = 900.0
RUN = ["model=digits_resnet", *QUICK]
PASSWORD = "hunter2-and-more"


def command(
    folder: Path, *arguments: str, without: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: value for name, value in os.environ.items() if name not in without}
    return subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments],
        cwd=folder,
        env=own | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def record(folder: Path) -> dict:
    (path,) = folder.rglob(f"multirun/**/{journal.RECORD}")
    return json.loads(path.read_bytes())


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="locale that can't print"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0"}, id="plain locale"),
        pytest.param({"MPLBACKEND": "module://matplotlib_inline.nowhere"}, id="notebook's backend"),
        pytest.param({"TERM": "dumb"}, id="no terminal"),
    ],
)
def test_environment_keeps_no_run_from_ending_well(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = command(tmp_path, *RUN, **environment)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert record(tmp_path)["result"]["outcome"] == "ok"


def test_notebook_s_backend_keeps_no_report_from_being_drawn(tmp_path: Path) -> None:
    sweep = ["-m", "tactic=baseline,local_pruning", "report.keep_flagged=true", *RUN]
    done = command(tmp_path, *sweep, MPLBACKEND="module://matplotlib_inline.nowhere")
    assert done.returncode == 0, done.stderr
    assert b"greenexp: " not in done.stderr, done.stderr


def test_account_without_home_and_name_may_measure(tmp_path: Path) -> None:
    done = command(tmp_path, *RUN, without=("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"))
    assert done.returncode == 0, done.stderr


@pytest.fixture
def nameless(tmp_path: Path) -> dict[str, str]:
    """An environment in which the system knows nothing of the account but its number."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pwd\n"
        "def unknown(uid):\n"
        "    raise KeyError(f'getpwuid(): uid not found: {uid}')\n"
        "pwd.getpwuid = unknown\n"
    )
    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


@pytest.mark.parametrize("tactic", ["baseline", "torch_compile"])
def test_account_that_the_system_has_no_entry_of_may_measure(
    tmp_path: Path, nameless: dict[str, str], tactic: str
) -> None:
    folder, absent = tmp_path / "work", ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME")
    done = command(folder, *RUN, f"tactic={tactic}", without=absent, **nameless)
    assert done.returncode == 0, done.stderr
    assert b"this account has no home folder; caches go to" in done.stderr
    assert b"Traceback" not in done.stderr
    assert record(folder)["result"]["outcome"] == "ok"


def test_folder_that_may_not_be_written_to_is_told_before_any_cost(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = command(small_disk, *RUN)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("greenexp: the folder multirun/")
    assert "can't be made (Read-only file system); give a folder that may be" in line


def test_path_with_a_space_may_be_worked_in_and_compiled_in(tmp_path: Path) -> None:
    folder = tmp_path / "my project"
    done = command(folder, *RUN, "tactic=torch_compile")
    assert done.returncode == 0, done.stderr
    assert record(folder)["result"]["outcome"] == "ok"


def test_store_with_a_space_in_its_path_is_opened_by_a_command_that_can_be_pasted(
    tmp_path: Path,
) -> None:
    done = command(tmp_path, *RUN, "tracking.uri='sqlite:///my runs/mlflow.db'")
    assert done.returncode == 0, done.stderr
    assert b"--backend-store-uri 'sqlite:///my runs/mlflow.db'" in done.stderr


@pytest.mark.parametrize(
    ("address", "more"),
    [
        pytest.param(f"http://bob:{PASSWORD}@127.0.0.1:9", [], id="server"),
        pytest.param(f"postgresql+pg8000://bob:{PASSWORD}@127.0.0.1:9/db", [], id="database"),
        pytest.param("${oc.env:MY_URI}", [], id="from the environment"),
        pytest.param(f"http://bob:{PASSWORD}@127.0.0.1:9", ["-m", "tactic=baseline"], id="sweep"),
    ],
)
def test_password_of_the_tracker_stands_nowhere(
    tmp_path: Path, address: str, more: list[str]
) -> None:
    environment = {"MY_URI": f"http://bob:{PASSWORD}@127.0.0.1:9"}
    words = [f"tracking.uri='{address}'", "tracking.offline=true", *RUN]
    done = command(tmp_path, *more, *words, **environment)
    assert done.returncode == 0, done.stderr
    assert PASSWORD.encode() not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == journal.RECORD for path in files)
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_password_in_a_file_of_options_stands_nowhere_else(tmp_path: Path) -> None:
    own = tmp_path / "own" / "experiment"
    own.mkdir(parents=True)
    text = f"# @package _global_\ntracking:\n  uri: http://bob:{PASSWORD}@127.0.0.1:9\n"
    (own / "mine.yaml").write_text(text, encoding="utf-8")
    words = ["--config-dir", str(own.parent), "experiment=mine", "tracking.offline=true", *RUN]
    done = command(tmp_path / "work", *words)
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def digit_folder(folder: bytes) -> None:
    """Makes a class of each digit; names that aren't UTF-8, formulas and escapes among them."""
    names = [b"plain.png", b"caf\xe9.png", b"=cmd.png", b"\x1b[31mred.png"]
    for digit in range(10):
        for number, name in enumerate(names):
            path = Path(os.fsdecode(folder)) / str(digit) / os.fsdecode(name)
            picture(path, (20 * digit, number, 7))


def test_files_of_any_name_are_measured_and_written_harmlessly(tmp_path: Path) -> None:
    digit_folder(os.fsencode(tmp_path / "2024"))
    words = ["dataset=folder", "dataset.path=2024", "dataset.labels=digits", *RUN]
    done = command(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert b"40 images of 40 files in 10 classes" in done.stderr
    assert b"\x1b[31m" not in done.stdout + done.stderr
    measured = record(tmp_path)
    assert measured["configuration"]["dataset"]["path"] == "2024"
    identifiers = measured["result"]["predictions"]["identifiers"]
    assert {"0/plain.png", "0/caf\\xe9.png", "0/=cmd.png"} <= set(identifiers)
    (predictions,) = tmp_path.rglob("predictions.csv")
    assert not any(line.startswith("=") for line in predictions.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hydra.job.chdir=true"], "hydra.job.chdir=true moves each run"),
        (["-m", "tactic=baseline", "hydra.job.chdir=true"], "hydra.job.chdir=true moves each run"),
        (["tracking.uri=./mlruns"], "is no address that runs are kept at"),
        (["tracking.experiment=' '"], "is empty; give a name"),
        (["tracking.timeout_s=0"], "tracking.timeout_s=0"),
        (["-m", "tactic=baseline,local_pruning", "sweep.baselines=1"], "sweep.baselines=1"),
        (["hydra.run.dir=/dev/null/x"], "can't be written (Not a directory)"),
        (["-m", "tactic=baseline", "hydra.sweep.dir=/proc/nowhere"], "can't be made"),
    ],
)
def test_what_can_t_be_is_told_in_one_line_before_any_cost(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = greenexp(tmp_path, *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert words in done.stderr.strip().splitlines()[-1]
    assert list(tmp_path.rglob(journal.RECORD)) == []


def test_decimal_comma_under_a_sweep_is_asked_about(tmp_path: Path) -> None:
    price = "hardware.price.usd_per_hour=0,25"
    done = greenexp(tmp_path, "-m", price, "sweep.dry_run=true")
    assert "for the number 0.25 write hardware.price.usd_per_hour=0.25" in done.stderr
    sizes = greenexp(tmp_path, "-m", "workload.batch_size=1,8", "sweep.dry_run=true")
    assert "for the number" not in sizes.stderr
