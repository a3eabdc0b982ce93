"""The doctor as a user types it: on this machine, and on simulated ones with the real Zeus."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support import nvml_machine, rapl
from tests.support.nvml_machine import P100, V100
from tests.support.rapl import Zone

ROOT = Path(__file__).parents[2]
ESTIMATE = "CPU energy is an estimate, not a measurement"
SERVER = Zone("package-0", 20.0, parts=[Zone("core", 9.0), Zone("dram", 3.0)])
UNREADABLE = Zone("package-0", 20.0, readable=False)
QUICK = ["device=cpu"]  # torch need not be asked for CUDA

needs_namespaces = pytest.mark.skipif(
    shutil.which("unshare") is None or shutil.which("setpriv") is None,
    reason="needs Linux's unshare and setpriv, for a folder that only the command sees",
)
needs_no_counter = pytest.mark.skipif(
    any(Path(root, "sys/class/powercap/intel-rapl").exists() for root in ("/", "/zeus_sys"))
    or sys.platform == "darwin",
    reason="this machine has an energy counter of its own",
)


def doctor(
    folder: Path, *words: str, zones: list[Zone] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the doctor in a folder, on a machine with RAPL zones where such are given."""
    command = [sys.executable, "-m", "greenexp.doctor", *words]
    return subprocess.run(
        command if zones is None else rapl.command(zones, *command),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Returns the one line that a refused command ends with."""
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@needs_no_counter
def test_this_machine_says_that_cpu_energy_is_an_estimate_and_writes_nothing(
    tmp_path: Path,
) -> None:
    done = doctor(tmp_path, *QUICK, "doctor.require=[cpu:model]")
    assert done.returncode == 0, done.stderr
    verdict, *rest = done.stdout.splitlines()
    assert verdict.startswith(ESTIMATE)
    assert "RAPL" in verdict
    for heading in ("How to get more", "Machine"):
        assert heading in rest
    for name in ("device", "CPU", "memory", "free disk", "C++ compiler", "engines", "tracker"):
        assert any(line.startswith(name) for line in rest), name
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["tracking.uri=sqlite:///x/y.db"], ["+meter@meters.x=zeus"]])
def test_whatever_is_looked_at_nothing_is_written(tmp_path: Path, words: list[str]) -> None:
    done = doctor(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert "device=auto" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_cuda_that_is_absent_ends_with_one_line(tmp_path: Path) -> None:
    words = ["device=cuda"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", "greenexp.doctor", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "device=cuda is asked for and no CUDA device is there" in refusal(done)
    assert re.search(r"^device +cuda: absent", done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["doctor.require=[cpu:count]"], "Did you mean cpu:counter?"),
        (["doctor.require=cpu:counter"], "doctor.require"),
        (["device=gpu"], "allowed: auto, cpu, cuda"),
        (["-m", "device=cpu"], "-m is for sweeps"),
        (["hardware=nowhere"], "hardware=nowhere is unknown"),
        (["meters.zeus.gpu_relative_error=-1"], "out of range"),
        (["model=digits_vit"], "model"),
    ],
)
def test_words_that_can_not_be_used_take_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = doctor(tmp_path, *words)
    assert message in refusal(done)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_preset_and_meters_are_those_of_the_command_line(tmp_path: Path) -> None:
    power = ["hardware.power.cpu_idle_w=40", "hardware.power.cpu_rated_w=140"]
    done = doctor(tmp_path, *QUICK, "hardware=aws_g5_xlarge", "hardware.cpu=null", *power)
    assert done.returncode == 0, done.stderr
    assert "40.0 W idle to 140.0 W at full load: the hardware preset's figures" in done.stdout
    without = doctor(tmp_path, *QUICK, "~meters.zeus", "~meters.nvml", "~meters.machine")
    assert without.returncode == 0, without.stderr
    assert "meters.zeus reads counters" in without.stdout
    assert "psutil" not in without.stdout


@pytest.mark.slow
@needs_namespaces
def test_readable_counter_measures_package_and_memory(tmp_path: Path) -> None:
    required = "doctor.require=[cpu:counter,dram:counter]"
    done = doctor(tmp_path, *QUICK, required, zones=[SERVER])
    assert done.returncode == 0, done.stderr
    assert ESTIMATE not in done.stdout
    assert done.stdout.startswith("CPU energy is measured by a counter (cpu:0, RAPL")
    assert re.search(r"^DRAM energy is measured by a counter \(dram:0", done.stdout, re.MULTILINE)
    assert re.search(r"^cpu:0 +energy +counter +RAPL", done.stdout, re.MULTILINE)
    assert re.search(r"^dram:0 +energy +counter +RAPL", done.stdout, re.MULTILINE)
    assert "chmod" not in done.stdout
    left = [process for process in psutil.process_iter() if in_folder(process, tmp_path)]
    assert left == []
    assert list(tmp_path.iterdir()) == []


def in_folder(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


@pytest.mark.slow
@needs_namespaces
@needs_no_counter
def test_counter_without_the_right_to_read_it_names_the_command(tmp_path: Path) -> None:
    done = doctor(tmp_path, *QUICK, "doctor.require=[cpu:counter]", zones=[UNREADABLE])
    assert done.stdout.startswith(f"{ESTIMATE} (no right to read RAPL's counter")
    line = refusal(done)
    assert "doctor.require=cpu:counter is not there: no right to read RAPL's counter" in line
    command = "sudo chmod -R a+r /sys/class/powercap/intel-rapl"
    assert command in line
    assert command in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(
    nvml_machine.compiler() is None or sys.platform != "linux",
    reason="needs a C compiler and Linux, for a library that answers NVML's calls",
)
def test_gpus_are_listed_with_their_sources(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    machine = nvml_machine.Machine(tmp_path, nvml_machine.compiled(library))

    def examined(*words: str) -> subprocess.CompletedProcess[str]:
        return machine.command([V100, P100], "-m", "greenexp.doctor", *QUICK, *words)

    done = examined("doctor.require=[gpu:counter,gpu:sampled]")
    assert done.returncode == 0, done.stderr
    assert "GPU energy is measured by a counter (gpu:0, Zeus, Simulated V100)." in done.stdout
    rows = re.findall(r"^(gpu:\d) +energy.*? (counter|sampled) +(.*)$", done.stdout, re.MULTILINE)
    assert [(component, source, detail.strip()) for component, source, detail in rows] == [
        ("gpu:0", "counter", "Zeus, Simulated V100"),
        ("gpu:0", "sampled", "NVML, Simulated V100"),
        ("gpu:1", "sampled", "NVML, Simulated P100"),
    ]
    assert re.search(r"^memory .*gpu:0 .*GiB free; gpu:1 ", done.stdout, re.MULTILINE)

    swapped = machine.command(
        [V100, P100], "-m", "greenexp.doctor", "doctor.require=[gpu:counter]", *QUICK, visible="1,0"
    )
    assert "GPU energy is added up from power samples (gpu:0, NVML, Simulated P100)" in (
        swapped.stdout
    )
    assert "doctor.require=gpu:counter is not there: its source here is sampled" in refusal(swapped)
