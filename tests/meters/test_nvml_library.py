"""The meter of NVIDIA GPUs: the real pynvml, against a library that answers NVML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from greenexp.protocols import Reading
from tests.support.nvml_machine import LIBRARY, P100, V100, Gpu, Machine
from tests.support.nvml_runs import NEEDS_COMPILER

pytestmark = NEEDS_COMPILER

READ = """
import json, os, sys, time
from dataclasses import astuple
import pynvml
from greenexp.meters.nvml import Nvml

read = {}
for visible in json.loads(sys.argv[1]):
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    with Nvml(0.01) as meter, meter.window() as readings:
        time.sleep(0.1)
    read[str(visible)] = [astuple(reading) for reading in readings]
try:
    pynvml.nvmlDeviceGetCount()
    left = "open"
except pynvml.NVMLError as error:
    left = str(error)
print(json.dumps({"read": read, "left": left}))
"""
Read = dict[str, list[Reading]]
K80 = replace(
    P100,
    name="Simulated K80",
    uuid="GPU-cccccccc-0000-0000-0000-000000000000",
    architecture=pynvml.NVML_DEVICE_ARCH_KEPLER,
    clock_mhz=600,
)


def read(
    machine: Machine, gpus: Sequence[Gpu], *visible: str | None, init_error: int | None = None
) -> tuple[Read, str]:
    """Returns the meter's readings by CUDA_VISIBLE_DEVICES, and how it left NVML."""
    words = ["-c", READ, json.dumps(visible or [None])]
    done = machine.command(gpus, *words, init_error=init_error)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    readings = {
        case: [Reading(*fields) for fields in told] for case, told in answer["read"].items()
    }
    return readings, answer["left"]


VISIBLE = {
    "None": [V100, P100, K80],
    "": [],
    "1": [P100],
    "2,0": [K80, V100],
    " 2 , 1 ": [K80, P100],
    P100.uuid: [P100],
    f"{K80.uuid},{V100.uuid}": [K80, V100],
    "-1": [],
    "0,-1,2": [V100],
    "1,7": [P100],
    "GPU-dddddddd-0000-0000-0000-000000000000": [],
}


def test_gpus_are_numbered_as_cuda_sees_them(machine: Machine) -> None:
    cases = [None if case == "None" else case for case in VISIBLE]
    readings, left = read(machine, [V100, P100, K80], *cases)
    seen = {
        case: [(r.component, r.value) for r in told if r.quantity == "clock_mhz"]
        for case, told in readings.items()
    }
    assert seen == {
        case: [(f"gpu:{index}", pytest.approx(gpu.clock_mhz)) for index, gpu in enumerate(gpus)]
        for case, gpus in VISIBLE.items()
    }
    assert left == "Uninitialized"  # every session was ended


@pytest.mark.parametrize(
    ("gpus", "init_error"),
    [
        pytest.param([V100], pynvml.NVML_ERROR_DRIVER_NOT_LOADED, id="driver_not_loaded"),
        pytest.param([V100], pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, id="driver_updated"),
        pytest.param([], None, id="driver_without_a_gpu"),
    ],
)
def test_nothing_is_read_where_there_is_nothing(
    machine: Machine, gpus: list[Gpu], init_error: int | None
) -> None:
    readings, left = read(machine, gpus, init_error=init_error)
    assert readings == {"None": []}
    assert left == "Uninitialized"


def test_gpu_that_is_lost_from_the_beginning_has_no_number(machine: Machine) -> None:
    readings, _ = read(machine, [replace(V100, lost_after_s=0.0), P100])
    assert {(r.component, r.value) for r in readings["None"] if r.quantity == "memory_mib"} == {
        ("gpu:0", P100.memory_mib)
    }


@pytest.mark.parametrize(
    ("untold", "absent"),
    [
        ("power_w", "energy_j"),
        ("utilization_pct", "utilization_pct"),
        ("temperature_c", "temperature_c"),
        ("memory_mib", "memory_mib"),
        ("clock_mhz", "clock_mhz"),
        ("throttle_reasons", "gpu_throttled_pct"),
        ("processes", "other_gpu_processes"),
    ],
)
def test_quantity_a_gpu_does_not_tell_is_absent(machine: Machine, untold: str, absent: str) -> None:
    readings, _ = read(machine, [V100, replace(V100, **{untold: None})])
    told = {
        component: {r.quantity for r in readings["None"] if r.component == component}
        for component in ("gpu:0", "gpu:1")
    }
    assert len(told["gpu:0"]) == 7
    assert told["gpu:0"] - told["gpu:1"] == {absent}


# What the meter says beforehand


AVAILABILITY = """
import json
from dataclasses import asdict
from greenexp.meters.nvml import Nvml
print(json.dumps([asdict(available) for available in Nvml(0.1).availability()]))
"""


def availability(machine: Machine, gpus: Sequence[Gpu], **driver: object) -> list[dict]:
    done = machine.command(gpus, "-c", AVAILABILITY, **driver)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_availability_names_what_each_gpu_tells(machine: Machine) -> None:
    told = availability(machine, [V100, replace(P100, utilization_pct=None, power_w=None)])
    sources = {(entry["quantity"], entry["component"]): entry["source"] for entry in told}
    wanted = ("energy", "utilization", "temperature", "memory", "clock")
    assert sources == {
        **{(quantity, "gpu:0"): "sampled" for quantity in wanted},
        **{(quantity, "gpu:1"): "sampled" for quantity in ("temperature", "memory", "clock")},
        ("energy", "gpu:1"): None,
        ("utilization", "gpu:1"): None,
    }
    details = {entry["detail"] for entry in told}
    assert details == {
        "NVML, Simulated V100",
        "NVML, Simulated P100",
        "Simulated P100, NVML: Not Supported",
    }


def test_availability_of_a_gpu_with_mig_says_whose_power_it_is(machine: Machine) -> None:
    told = availability(machine, [replace(V100, mig=1, utilization_pct=None)])
    by_quantity = {entry["quantity"]: entry for entry in told}
    assert by_quantity["energy"]["source"] == "sampled"
    assert "the power of the whole GPU only" in by_quantity["energy"]["detail"]
    assert by_quantity["utilization"]["source"] is None
    assert "MIG is on" in by_quantity["utilization"]["detail"]
    assert by_quantity["utilization"]["cure"] == "sudo nvidia-smi -mig 0 turns MIG off"
    assert by_quantity["memory"]["detail"] == "NVML, Simulated V100"


@pytest.mark.parametrize(
    ("gpus", "driver", "detail", "cure"),
    [
        pytest.param(
            [V100],
            {"init_error": pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH},
            "NVML can't be started: RM has detected an NVML/RM version mismatch.",
            "--gpus all",
            id="driver_updated_and_not_restarted",
        ),
        pytest.param([], {}, "NVIDIA's driver shows no GPU", "--gpus all", id="no_gpu"),
        pytest.param(
            [V100],
            {"visible": "-1"},
            "CUDA_VISIBLE_DEVICES=-1 names no GPU that is there",
            "unset CUDA_VISIBLE_DEVICES",
            id="hidden",
        ),
    ],
)
def test_availability_says_why_no_gpu_is_there(
    machine: Machine, gpus: list[Gpu], driver: dict, detail: str, cure: str
) -> None:
    (told,) = availability(machine, gpus, **driver)
    assert (told["quantity"], told["component"], told["source"]) == ("energy", "gpu", None)
    assert told["detail"] == detail
    assert cure in told["cure"]


def test_availability_without_a_driver_names_the_library(tmp_path: Path) -> None:
    (tmp_path / LIBRARY).touch()  # no library, and it hides a real one
    (told,) = availability(Machine(tmp_path, tmp_path), [])
    assert told["source"] is None
    assert told["detail"] == "no NVIDIA driver: libnvidia-ml.so.1 is not there"
    assert "install NVIDIA's driver" in told["cure"]
