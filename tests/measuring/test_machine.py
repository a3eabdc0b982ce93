"""One name for machines that are alike, by processors and GPUs, without waking a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from types import ModuleType, SimpleNamespace

import pytest

from greenexp.measuring import machine

XEON = "Intel(R) Xeon(R) Platinum 8488C"
L4, A10G = "NVIDIA L4", "NVIDIA A10G"


class NVMLError(Exception):
    """NVML's answer where it has none."""


def fake_nvml(gpus: list[str] | None, opened: list[str]) -> ModuleType:
    """Returns `pynvml` over the names of GPUs; None: no driver. "lost": it tells no name."""

    def begin() -> None:
        if gpus is None:
            raise NVMLError("driver not loaded")
        opened.append("nvml")

    def name(handle: str) -> str:
        if handle == "lost":
            raise NVMLError("GPU is lost")
        return handle

    module = ModuleType("pynvml")
    module.NVMLError = NVMLError  # type: ignore[attr-defined]
    module.nvmlInit = begin  # type: ignore[attr-defined]
    module.nvmlShutdown = opened.pop  # type: ignore[attr-defined]
    module.nvmlDeviceGetCount = lambda: len(gpus or [])  # type: ignore[attr-defined]
    module.nvmlDeviceGetHandleByIndex = lambda index: (gpus or [])[index]  # type: ignore[attr-defined]
    module.nvmlDeviceGetName = name  # type: ignore[attr-defined]
    return module


Fingerprint = Callable[..., str]


@pytest.fixture
def opened() -> list[str]:
    """One entry while NVML is open."""
    return []


@pytest.fixture
def fingerprint(monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> Iterator[Fingerprint]:
    """Returns the fingerprint of a machine described: a Xeon of 8 logical CPUs, unless said."""

    def of(cpu: str = XEON, threads: int = 8, gpus: list[str] | None = None) -> str:
        counts = SimpleNamespace(cpu_count=lambda logical: threads if logical else threads // 2)
        monkeypatch.setattr(machine, "cpu_name", lambda: cpu)
        monkeypatch.setattr(machine, "psutil", counts)
        monkeypatch.setitem(sys.modules, "pynvml", fake_nvml(gpus, opened))
        machine.fingerprint.cache_clear()
        return machine.fingerprint()

    yield of
    machine.fingerprint.cache_clear()  # other tests ask about the machine they are on


def test_equal_machines_have_one_fingerprint(fingerprint: Fingerprint) -> None:
    assert fingerprint(gpus=[L4, L4]) == fingerprint(gpus=[L4, L4])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "fb0b8b92db1b", id="no GPU"),
        pytest.param({"gpus": [L4, A10G]}, "3fa3016dc780", id="two GPUs"),
    ],
)
def test_fingerprint_is_the_same_tomorrow(
    fingerprint: Fingerprint, fields: dict[str, list[str]], expected: str
) -> None:
    """Earlier runs are found by it: a new recipe would measure everything anew.

    The first 12 digits of `printf 'Intel(R) Xeon(R) Platinum 8488C\\n8' | sha256sum`, and so on.
    """
    assert fingerprint(**fields) == expected


def test_whatever_differs_is_told_apart(fingerprint: Fingerprint) -> None:
    fingerprints = [
        fingerprint(),
        fingerprint(cpu="AMD EPYC 7R13"),
        fingerprint(threads=16),
        fingerprint(gpus=[L4]),
        fingerprint(gpus=[A10G]),
        fingerprint(gpus=[L4, L4]),
        fingerprint(gpus=[L4, A10G]),
    ]
    assert len(set(fingerprints)) == len(fingerprints)


def test_no_driver_and_no_gpu_are_alike(fingerprint: Fingerprint) -> None:
    assert fingerprint(gpus=None) == fingerprint(gpus=[])


@pytest.mark.parametrize("gpus", [None, [], [L4]])
def test_nvml_is_left_closed(
    fingerprint: Fingerprint, opened: list[str], gpus: list[str] | None
) -> None:
    fingerprint(gpus=gpus)
    assert opened == []


def test_nvml_is_left_closed_where_a_gpu_does_not_answer(
    fingerprint: Fingerprint, opened: list[str]
) -> None:
    assert fingerprint(gpus=[L4, "lost"]) != fingerprint(gpus=[L4, L4])
    assert opened == []


def test_machine_is_asked_once(fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint()
    monkeypatch.setattr(machine, "cpu_name", lambda: "another")
    assert machine.fingerprint() == first


def test_asking_loads_no_torch() -> None:
    """Every sweep asks before anything has run; torch takes seconds to load."""
    command = (
        "import sys, greenexp.measuring.machine as m; "
        "print(m.fingerprint(), 'torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    name, loaded = ended.stdout.split()
    assert loaded == "False"
    assert len(name) == 12
    assert set(name) <= set("0123456789abcdef")


def test_conditions_name_cpus_threads_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    cpus, threads, *versions = machine.conditions().split(", ")
    assert cpus == f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} CPUs"
    assert threads == "OMP_NUM_THREADS=1"
    assert f"torch {metadata.version('torch')}" in versions
    assert f"transformers {metadata.version('transformers')}" in versions


def test_conditions_follow_the_cpus_that_may_be_used() -> None:
    allowed = os.sched_getaffinity(0)
    before = machine.conditions()
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert machine.conditions().startswith("1 of ")
    finally:
        os.sched_setaffinity(0, allowed)
    assert machine.conditions() == before
