"""The command as a user types it, in a process of its own, on real models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.command import QUICK, ROOT, greenexp, runs


def test_help_and_cfg_work_beside_all(tmp_path) -> None:
    shown = greenexp(tmp_path, "model=all", "tactic=all", "--help")
    assert shown.returncode == 0
    assert "local_pruning" in shown.stdout
    for command in ("report", "catalog", "doctor", "export", "store", "ui"):
        assert f"\ngreenexp {command} " in shown.stdout
    _, _, options = shown.stdout.partition("== Options ==")
    assert re.search(r"\n  rerun: flagged +# also measure again", options)
    bare = re.findall(r"^ *(\w+): (?!.* # ).*$", options, re.MULTILINE)
    assert set(bare) <= {"_target_", "source", "electricity_source"}
    shown = greenexp(tmp_path, "tactic=all", "--cfg", "job", "hardware.carbon.g_per_kwh=90")
    assert shown.returncode == 0
    assert "g_per_kwh: 90" in shown.stdout


def test_completion_offers_options(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "greenexp", "-sc", "query=bash"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "COMP_LINE": "greenexp tactic=local",
            "COMP_POINT": "21",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tactic=local_pruning" in done.stdout


@pytest.mark.slow
def test_another_machines_prices_are_marked(tmp_path) -> None:
    done = greenexp(tmp_path, "hardware=aws_g5_xlarge", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "hardware_mismatch" in done.stdout
    (run,) = runs(tmp_path)
    assert "hardware_mismatch" in run["tags"]["greenexp.validity"]
    assert run["tags"]["greenexp.cost_holds"] == "machine"


@pytest.mark.slow
def test_cuda_asked_for_and_absent(tmp_path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    done = greenexp(tmp_path, "device=cuda")
    assert done.returncode == 1
    assert "no CUDA device is there" in done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_the_wheel_works_from_any_directory(tmp_path) -> None:
    """Built and unpacked beside the environment's libraries; the checkout is out of sight."""
    subprocess.run(
        [
            *f"{sys.executable} -m pip wheel --quiet --no-deps --no-build-isolation".split(),
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    mine = tmp_path / "mine" / "tactic"
    mine.mkdir(parents=True)
    text = (ROOT / "conf" / "tactic" / "local_pruning.yaml").read_text()
    (mine / "my_pruning.yaml").write_text(text.replace("0.3", "0.6"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", "import greenexp; print(greenexp.__file__)"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(site) in where.stdout
    arguments = ["--config-dir", str(mine.parent), "-m", "tactic=baseline,my_pruning", *QUICK]
    done = subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {run["name"] for run in runs(elsewhere)}
    assert names == {
        "digits_vit · baseline · block 1",
        "digits_vit · baseline · block 1 · A/A",
        "digits_vit · my_pruning · block 1",
    }
