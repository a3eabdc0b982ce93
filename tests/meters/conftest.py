"""Stands for GPUs and counters: a library that answers NVML, fakes of its binding and of Zeus."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zeus.monitor as zeus_monitor

from tests.support.nvml_binding import FakeNvml, Gpu, Install
from tests.support.nvml_machine import Machine, compiled
from tests.support.zeus_machine import Device

if TYPE_CHECKING:
    from tests.support.clock import Clock


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def machine(tmp_path: Path, library: Path) -> Machine:
    return Machine(tmp_path, library)


@pytest.fixture
def nvml(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts the fake, holding the GPUs given, in the place of `pynvml`."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def install(*gpus: Gpu) -> FakeNvml:
        fake = FakeNvml(clock, list(gpus))
        monkeypatch.setitem(sys.modules, "pynvml", fake)
        return fake

    return install


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Device]:
    """Makes `zeus.monitor.ZeusMonitor(…)` the monitor of a device with these joules."""
    monkeypatch.setattr("greenexp.meters.zeus.QUIET_S", 0.0)

    def replace(**joules: Any) -> Device:
        device = Device(**joules)
        monkeypatch.setattr(zeus_monitor, "ZeusMonitor", device.monitor)
        return device

    return replace
