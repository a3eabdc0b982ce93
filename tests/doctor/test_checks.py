"""What the doctor finds: what each meter says is there, and facts of the machine."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from greenexp.doctor import checks
from greenexp.meters.cpu_estimate import CpuEstimate
from greenexp.meters.machine import Machine
from greenexp.meters.neighbours import Neighbours
from greenexp.meters.replay import Replay
from greenexp.protocols import Source


class Silent:
    """A user's meter without a word on what is there."""


def test_meter_that_says_nothing_has_no_line() -> None:
    meters: list[Any] = [Silent(), Machine(0.2)]
    told = checks.availability_of(meters)
    assert {entry.quantity for entry in told} == {"utilization", "memory", "temperature"}


def test_estimate_names_its_power_and_whose_figures_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 8)
    (by_thread,) = CpuEstimate(0.2, 0.5, 3.0, relative_error=0.5).availability()
    assert (by_thread.component, by_thread.quantity, by_thread.source) == ("cpu", "energy", "model")
    assert "4.0 W idle to 24.0 W at full load" in by_thread.detail
    assert "default figures per thread, times 8, may be off by 50%" in by_thread.detail
    assert "hardware.power.cpu_rated_w" in by_thread.cure
    (by_preset,) = CpuEstimate(0.2, 0.5, 3.0, idle_w=40.0, rated_w=140.0).availability()
    assert "40.0 W idle to 140.0 W at full load: the hardware preset's figures" in by_preset.detail
    assert by_preset.cure == ""


@pytest.mark.parametrize(
    ("celsius", "source"), [pytest.param(50.0, "sampled"), pytest.param(None, None)]
)
def test_machine_tells_whether_a_sensor_is(
    monkeypatch: pytest.MonkeyPatch, celsius: float | None, source: Source | None
) -> None:
    monkeypatch.setattr("greenexp.meters.machine._temperature_c", lambda: celsius)
    sources = {entry.quantity: entry.source for entry in Machine(0.2).availability()}
    assert sources == {"utilization": "sampled", "memory": "sampled", "temperature": source}


def test_neighbours_tell_whether_throttling_is_counted(tmp_path: Path) -> None:
    def throttling() -> Source | None:
        (source,) = (
            entry.source
            for entry in Neighbours(str(tmp_path)).availability()
            if entry.quantity == "throttling"
        )
        return source

    assert throttling() is None
    counts = tmp_path / "cpu0" / "thermal_throttle" / "core_throttle_count"
    counts.parent.mkdir(parents=True)
    counts.write_text("3\n", encoding="ascii")
    assert throttling() == "sampled"


def test_replay_tells_the_energy_of_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("t_s,gpu:0 power_w,cpu counter_j,gpu:0 clock_mhz\n0,1,1,1\n1,1,2,1\n")
    told = Replay(str(path), kind="sampled").availability()
    assert [(entry.component, entry.source) for entry in told] == [
        ("gpu:0", "sampled"),
        ("cpu", "counter"),
    ]
    assert all("replayed" in entry.detail for entry in told)


def planted(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("files", "counted", "remark", "cured"),
    [
        pytest.param({}, False, None, False, id="bare metal"),
        pytest.param({".dockerenv": ""}, False, "container", True, id="docker"),
        pytest.param({".dockerenv": ""}, True, "container", False, id="docker with a counter"),
        pytest.param({"run/.containerenv": ""}, False, "container", True, id="podman"),
        pytest.param({"proc/1/cgroup": "0::/kubepods/x\n"}, False, "container", True, id="pod"),
        pytest.param(
            {"proc/cpuinfo": "flags\t\t: fpu hypervisor lm\n"},
            False,
            "virtual machine",
            False,
            id="virtual machine",
        ),
        pytest.param(
            {"proc/version": "Linux 5.15-microsoft-standard-WSL2", "proc/cpuinfo": "hypervisor"},
            False,
            "WSL",
            False,
            id="WSL",
        ),
    ],
)
def test_surroundings_are_named(
    tmp_path: Path, files: dict[str, str], counted: bool, remark: str | None, cured: bool
) -> None:
    fact = checks.surroundings(planted(tmp_path, files), counted=counted)
    remarks = [name for name in ("container", "virtual machine", "WSL") if name in fact.text]
    assert remarks == [remark] * (remark is not None)
    assert ("/zeus_sys/class/powercap/intel-rapl" in fact.cure) == cured


@pytest.mark.parametrize(
    ("limit", "remark"),
    [
        pytest.param(f"{2**30}\n", "this container may use 1.0 GiB", id="limited"),
        pytest.param("max\n", None, id="unlimited"),
        pytest.param(f"{2**62}\n", None, id="more than there is"),
    ],
)
def test_memory_tells_the_limit_of_a_container(
    tmp_path: Path, limit: str, remark: str | None
) -> None:
    text = checks.memory(planted(tmp_path, {"sys/fs/cgroup/memory.max": limit})).text
    assert re.match(r"\d+\.\d of \d+\.\d GiB free", text)
    assert ("this container" in text) == (remark is not None)
    assert remark is None or remark in text


def test_disk_is_that_of_the_nearest_folder_and_makes_none(tmp_path: Path) -> None:
    journal = tmp_path / "not" / "there"
    fact = checks.disk(journal)
    assert f"journal {journal} " in fact.text
    assert f"temporary folder {tempfile.gettempdir()} " in fact.text
    assert list(tmp_path.iterdir()) == []


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)
    return str(path)


def test_compiler_is_the_one_that_inductor_takes(tmp_path: Path) -> None:
    given = script(tmp_path / "own++", "echo 'own++ 9.9'; echo more")
    fact = checks.compiler({"CXX": given}, sys.platform)
    assert fact.there
    assert fact.text == f"{given}: own++ 9.9"


@pytest.mark.parametrize(
    ("system", "cure"),
    [pytest.param("linux", "install g++"), pytest.param("darwin", "xcode-select --install")],
)
def test_compiler_that_does_not_run_is_absent(tmp_path: Path, system: str, cure: str) -> None:
    for name in (str(tmp_path / "none"), script(tmp_path / "broken", "exit 3")):
        fact = checks.compiler({"CXX": name}, system)
        assert not fact.there
        assert fact.text.startswith("absent: ")
        assert cure in fact.cure


def test_engine_that_is_absent_names_the_extra_that_installs_it() -> None:
    there, absent = checks.engines({"torch": "", "no-such-package": "onnx", "neither": "onnx"})
    assert re.fullmatch(r"torch \d+\..*", there.text)
    assert (absent.there, absent.text) == (False, "absent: no-such-package, neither")
    assert absent.cure == "pip install 'greenexp[onnx]'"
