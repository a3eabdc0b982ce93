"""The doctor as a user types it, on this machine and on simulated ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import rapl
from tests.support.rapl import Zone

ROOT = Path(__file__).parents[2]
DOCTOR = (sys.executable, "-m", "greenexp.doctor")
namespaces = pytest.mark.skipif(
    shutil.which("unshare") is None or shutil.which("setpriv") is None,
    reason="needs Linux's unshare and setpriv, for a folder that only the command sees",
)


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def has_no_counter() -> bool:
    folders = ("/sys/class/powercap/intel-rapl", "/zeus_sys/class/powercap/intel-rapl")
    return not any(Path(folder).exists() for folder in folders)


def test_machine_without_a_counter_is_told_plainly(tmp_path: Path) -> None:
    done = run(tmp_path, *DOCTOR)
    assert done.returncode == 0, done.stderr
    first = done.stdout.splitlines()[0]
    if has_no_counter():
        assert first.startswith("CPU energy is an estimate, no measurement")
        assert "no RAPL counter" in first
        assert "modprobe intel_rapl_msr" in done.stdout
    for word in ("processor", "memory", "C++ compiler", "tracker", "neighbours", "cpu_estimate"):
        assert word in done.stdout
    assert list(tmp_path.iterdir()) == []  # nothing is written
    assert len(done.stdout.splitlines()) <= 45  # one screen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["device=cuda"], "no CUDA device is there", id="device"),
        pytest.param(["doctor.require=[gpu:counter]"], "gpu:counter is not there", id="source"),
        pytest.param(["doctor.require=[gpu:count]"], "Did you mean", id="no source"),
        pytest.param(["doctor.requires=[]"], "doctor.requires is unknown", id="key"),
    ],
)
def test_what_is_asked_and_absent_is_exit_code_1_and_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = run(tmp_path, *DOCTOR, *words)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@namespaces
@pytest.mark.slow
def test_counter_that_can_be_read_is_told_with_its_memory(tmp_path: Path) -> None:
    server = [Zone("package-0", 20.0, parts=[Zone("dram", 3.0)]), Zone("package-1", 9.0)]
    done = run(
        tmp_path, *rapl.command(server, *DOCTOR, "doctor.require=[cpu:counter,dram:counter]")
    )
    assert done.returncode == 0, done.stderr
    assert "CPU cpu:0 energy is measured by a counter: RAPL's counter of package-0" in done.stdout
    assert "CPU cpu:1 energy is measured by a counter: RAPL's counter of package-1" in done.stdout
    assert "dram:0" in done.stdout
    assert "CPU energy is an estimate" not in done.stdout


@namespaces
@pytest.mark.slow
@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(Zone("package-0", 20.0, readable=False), id="package"),
        pytest.param(
            Zone("package-0", 20.0, parts=[Zone("core", 3.0, readable=False)]), id="one sub-zone"
        ),
    ],
)
def test_counter_that_may_not_be_read_is_told_with_the_command(tmp_path: Path, zone: Zone) -> None:
    done = run(tmp_path, *rapl.command([zone], *DOCTOR))
    assert done.returncode == 0, done.stderr
    assert "CPU energy is an estimate, no measurement" in done.stdout
    assert "no right to read RAPL's counter" in done.stdout
    assert "sudo chmod -R a+r /sys/class/powercap/intel-rapl" in done.stdout
    assert "zeusd" in done.stdout
