"""Devices that Zeus knows: systems on a chip, AMD's GPUs, and what a machine says is there."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import zeus.monitor as zeus_monitor
from zeus.device.soc.apple import AppleSiliconMeasurement
from zeus.device.soc.jetson import JetsonMeasurement

from greenexp.meters.zeus import Zeus
from greenexp.protocols import Availability, Shortest
from tests.support.zeus_machine import GPU_ERROR, Device, measured

APPLE = AppleSiliconMeasurement(
    cpu_total_mj=4000, performance_cores_mj=[1000, 2000], dram_mj=500, gpu_mj=250, ane_mj=0
)
JETSON = JetsonMeasurement(cpu_energy_mj=4000.0, gpu_energy_mj=2000.0, total_energy_mj=9000.0)


@pytest.mark.parametrize(
    ("soc", "expected"),
    [
        pytest.param(
            APPLE,
            {("cpu", "counter"): 4.0, ("gpu:0", "counter"): 0.25, ("dram", "counter"): 0.5},
            id="apple",
        ),
        pytest.param(
            JETSON,
            {("cpu", "sampled"): 4.0, ("gpu:0", "sampled"): 2.0, ("board", "sampled"): 3.0},
            id="jetson",
        ),
        pytest.param(
            JetsonMeasurement(cpu_energy_mj=4000.0),
            {("cpu", "sampled"): 4.0},
            id="jetson that tells one rail",
        ),
        pytest.param(
            JetsonMeasurement(total_energy_mj=9000.0),
            {("board", "sampled"): 9.0},
            id="jetson that tells its input",
        ),
    ],
)
def test_system_on_a_chip_is_read_by_component(
    install: Callable[..., Device], soc: object, expected: dict[tuple[str, str], float]
) -> None:
    install(soc=soc)
    assert {(r.component, r.source): r.value for r in measured()} == pytest.approx(expected)


def test_amd_gpu_without_a_counter_is_integrated_from_its_power(
    install: Callable[..., Device], clock: Any
) -> None:
    install(gpu={0: 0.0, 1: 0.0}, amd=True)
    with Zeus(GPU_ERROR) as zeus:
        with zeus.window() as readings:
            clock.run_to(clock.now_s + 2.0)
        assert zeus.shortest_window("cuda") == Shortest(seconds=5.0, batches=32)
    assert [(r.component, r.source, r.relative_error) for r in readings] == [
        ("gpu:0", "sampled", GPU_ERROR),
        ("gpu:1", "sampled", GPU_ERROR),
    ]
    assert [r.value for r in readings] == pytest.approx([200.0, 202.0])


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        pytest.param(
            {"gpu": {0: 1.0, 1: 1.0}, "counting": (1,), "cpu": {0: 1.0}, "dram": {0: 1.0}},
            [("gpu:1", "counter"), ("cpu:0", "counter"), ("dram:0", "counter")],
            id="server",
        ),
        pytest.param(
            {"gpu": {0: 1.0}, "amd": True}, [("gpu:0", "sampled"), ("cpu", None)], id="amd"
        ),
        pytest.param({"soc": JETSON}, [("cpu", "sampled")], id="system on a chip"),
        pytest.param({}, [("cpu", None)], id="virtual machine"),
    ],
)
def test_availability_names_what_would_be_measured(
    install: Callable[..., Device], device: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    install(**device)
    told = Zeus().availability()
    assert [
        (availability.component, availability.source)
        for availability in told
        if availability.quantity == "energy"
    ] == expected
    assert all(availability.detail for availability in told)


def test_machine_without_a_counter_says_why() -> None:
    (cpu,) = [
        availability
        for availability in Zeus().availability()
        if availability.component.startswith("cpu")
    ]
    assert isinstance(cpu, Availability)
    assert cpu.source == "counter" or "RAPL" in cpu.detail


def test_real_monitor_is_what_the_fake_stands_for() -> None:
    for name in ("begin_window", "end_window"):
        real = inspect.signature(getattr(zeus_monitor.ZeusMonitor, name))
        real.bind(None, "key", sync_execution=False)
    inspect.signature(zeus_monitor.ZeusMonitor).bind(gpu_indices=[], cpu_indices=[])
    readings = measured()
    assert all(reading.value > 0 for reading in readings)
    assert len({reading.component for reading in readings}) == len(readings)
