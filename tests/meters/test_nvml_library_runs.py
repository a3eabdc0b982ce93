"""Whole runs beside NVIDIA GPUs: the real pynvml and Zeus, against a library that answers NVML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pynvml
import pytest

from greenexp.protocols import Reading
from greenexp.runs.energy import energy_source
from greenexp.runs.journal import Record
from greenexp.runs.result import Phase, Window
from tests.support.nvml_machine import P100, V100, Gpu, Machine
from tests.support.nvml_runs import HEAT, NEEDS_COMPILER, QUICK, doubts, figures, levels

pytestmark = NEEDS_COMPILER


def energy_of(stretch: Phase | Window) -> dict[tuple[str, str, str], float]:
    """Returns joules by component, source and meter, of GPUs."""
    return {
        (reading.component, reading.source, reading.meter): reading.value
        for reading in of_gpus(stretch)
        if reading.quantity == "energy_j"
    }


def of_gpus(stretch: Phase | Window) -> list[Reading]:
    return [reading for reading in stretch.readings if reading.component.startswith("gpu")]


def measured(machine: Machine, gpus: Sequence[Gpu], *words: str, **driver: object) -> Record:
    """Runs the command on the CPU and returns its record."""
    done = machine.command(gpus, "-m", "greenexp", "device=cpu", *QUICK, *words, **driver)
    assert done.returncode == 0, done.stderr
    (record,) = machine.records()
    assert record.result.outcome == "ok", record.result.reason
    return record


def assert_counts_no_gpu(record: Record) -> None:
    """A run on the CPU has the readings of the GPUs beside it, and no figure of theirs."""
    assert not [name for name in figures(record) if "gpu" in name]
    assert "gpu" not in (energy_source(record.result) or "")
    assert not {"gpu_throttled", "gpu_shared", "energy_counter_lost"} & set(doubts(record))


@pytest.mark.slow
def test_record_holds_both_gpus_with_their_sources(machine: Machine) -> None:
    hot = replace(V100, throttle_reasons=HEAT, processes=2)
    record = measured(machine, [hot, P100])
    windows = record.result.windows
    for stretch in (*windows, *(phase for phase in record.result.phases if phase.name == "idle")):
        assert set(energy_of(stretch)) == {
            ("gpu:0", "counter", "zeus"),
            ("gpu:0", "sampled", "nvml"),
            ("gpu:1", "sampled", "nvml"),
        }
    seconds = sum(window.duration_s for window in windows)
    for key, gpu in (
        (("gpu:0", "counter", "zeus"), V100),
        (("gpu:0", "sampled", "nvml"), V100),
        (("gpu:1", "sampled", "nvml"), P100),
    ):
        joules = sum(energy_of(window)[key] for window in windows)
        assert joules == pytest.approx(gpu.power_w * seconds, rel=0.03)
    for window in windows:
        assert levels(window, "gpu:0") == {
            "utilization_pct": pytest.approx(60),
            "temperature_c": 55,
            "memory_mib": 2048,
            "clock_mhz": pytest.approx(1380),
            "gpu_throttled_pct": pytest.approx(100),
            "other_gpu_processes": 2,
        }
        assert levels(window, "gpu:1") == {
            "utilization_pct": pytest.approx(25),
            "temperature_c": 40,
            "memory_mib": 512,
            "clock_mhz": pytest.approx(1100),
            "gpu_throttled_pct": 0,
            "other_gpu_processes": 0,
        }
    series = {
        (curve.quantity, curve.component) for curve in record.result.series if curve.meter == "nvml"
    }
    assert len(series) == 2 * 7
    assert_counts_no_gpu(record)


@pytest.mark.slow
def test_run_goes_on_where_the_driver_does_not_start(machine: Machine) -> None:
    record = measured(machine, [V100], init_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    stretches = [*record.result.windows, *record.result.phases]
    assert not [reading for stretch in stretches for reading in of_gpus(stretch)]
    assert_counts_no_gpu(record)


@pytest.mark.slow
def test_run_goes_on_where_a_gpu_is_lost(machine: Machine) -> None:
    windows = ["workload.min_windows=10", "workload.max_windows=10"]
    record = measured(machine, [replace(V100, lost_after_s=8.0), P100], *windows)
    first, last = record.result.phases[0], record.result.windows[-1]
    assert {reading.component for reading in of_gpus(first)} == {"gpu:0", "gpu:1"}
    assert {reading.component for reading in of_gpus(last)} == {"gpu:1"}
    for window in record.result.windows:  # none of a part of the window
        for (component, source, _), joules in energy_of(window).items():
            gpu = V100 if component == "gpu:0" else P100
            within = 0.03 if source == "sampled" else 0.1
            assert joules == pytest.approx(gpu.power_w * window.duration_s, rel=within)
    assert_counts_no_gpu(record)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("visible", "sources"),
    [
        pytest.param("1", {("gpu:0", "sampled", "nvml"): P100}, id="index"),
        pytest.param(
            V100.uuid,
            {("gpu:0", "counter", "zeus"): V100, ("gpu:0", "sampled", "nvml"): V100},
            id="uuid",
        ),
        pytest.param("-1", {}, id="minus_one_hides_all"),
    ],
)
def test_run_reads_the_visible_gpus(
    machine: Machine, visible: str, sources: dict[tuple[str, str, str], Gpu]
) -> None:
    record = measured(machine, [V100, P100], visible=visible)
    windows = record.result.windows
    seconds = sum(window.duration_s for window in windows)
    for window in windows:
        assert set(energy_of(window)) == set(sources)
    for key, gpu in sources.items():
        joules = sum(energy_of(window)[key] for window in windows)
        assert joules == pytest.approx(gpu.power_w * seconds, rel=0.03)
    assert record.result.environment["variables"]["CUDA_VISIBLE_DEVICES"] == visible
    assert_counts_no_gpu(record)
