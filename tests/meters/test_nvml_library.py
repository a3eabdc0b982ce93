"""Whole runs beside NVIDIA GPUs: the real pynvml and Zeus, against a library that answers NVML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from greenexp.protocols import Reading
from greenexp.runs import metrics
from greenexp.runs.doubts import validity
from greenexp.runs.energy import energy_source
from greenexp.runs.journal import Record
from greenexp.runs.result import Phase, Result, Window, from_json
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support.nvml_machine import LIBRARY, P100, V100, Gpu, Machine, compiled, compiler

pytestmark = pytest.mark.skipif(
    compiler() is None, reason="needs a C compiler, cc or $CC, for the library that answers NVML"
)

QUICK = [
    "workload.batch_size=32",
    "workload.idle_seconds=1",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=1",
]
HEAT = pynvml.nvmlClocksThrottleReasonHwThermalSlowdown


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def machine(tmp_path: Path, library: Path) -> Machine:
    return Machine(tmp_path, library)


def energy_of(stretch: Phase | Window) -> dict[tuple[str, str, str], float]:
    """Returns joules by component, source and meter, of GPUs."""
    return {
        (reading.component, reading.source, reading.meter): reading.value
        for reading in of_gpus(stretch)
        if reading.quantity == "energy_j"
    }


def of_gpus(stretch: Phase | Window) -> list[Reading]:
    return [reading for reading in stretch.readings if reading.component.startswith("gpu")]


def levels(stretch: Phase | Window, component: str) -> dict[str, float]:
    """Returns what NVML tells of a GPU besides its joules."""
    readings = [r for r in stretch.readings if r.component == component]
    assert {r.source for r in readings if r.quantity != "energy_j"} <= {"sampled"}
    return {r.quantity: r.value for r in readings if r.quantity != "energy_j"}


def figures(record: Record) -> dict[str, float]:
    return dict(metrics.evaluate(record.result, typed(record.configuration, "hardware", Hardware)))


def doubts(record: Record) -> list[str]:
    hardware = typed(record.configuration, "hardware", Hardware)
    return validity(
        record.result, hardware, typed(record.configuration, "interference", Interference)
    )


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


# The meter


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
    readings = {case: [Reading(*one) for one in told] for case, told in answer["read"].items()}
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
    sources = {(one["quantity"], one["component"]): one["source"] for one in told}
    wanted = ("energy", "utilization", "temperature", "memory", "clock")
    assert sources == {
        **{(quantity, "gpu:0"): "sampled" for quantity in wanted},
        **{(quantity, "gpu:1"): "sampled" for quantity in ("temperature", "memory", "clock")},
        ("energy", "gpu:1"): None,
        ("utilization", "gpu:1"): None,
    }
    details = {one["detail"] for one in told}
    assert details == {
        "NVML, Simulated V100",
        "NVML, Simulated P100",
        "Simulated P100, NVML: Not Supported",
    }


def test_availability_of_a_gpu_with_mig_says_whose_power_it_is(machine: Machine) -> None:
    told = availability(machine, [replace(V100, mig=1, utilization_pct=None)])
    by_quantity = {one["quantity"]: one for one in told}
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


# Whole runs on the CPU beside GPUs


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
    series = {(one.quantity, one.component) for one in record.result.series if one.meter == "nvml"}
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


# A run on the GPU, as far as its accounting goes: torch computes on the CPU


RUN_ON_CUDA = """
import json, sys
from dataclasses import asdict

import torch
from hydra import compose, initialize_config_dir

to = torch.Tensor.to


def stays_on_the_cpu(tensor, *arguments, **named):
    devices = [torch.device("cpu") if device_of(one) == "cuda" else one for one in arguments]
    return to(tensor, *devices, **named)


def device_of(argument):
    is_device = isinstance(argument, (str, torch.device))
    return torch.device(argument).type if is_device else None


torch.Tensor.to = stays_on_the_cpu
torch.cuda.is_available = lambda: True
torch.cuda.is_initialized = lambda: True
torch.cuda.current_device = lambda: 0
torch.cuda.get_device_name = lambda index: sys.argv[1]
torch.cuda.synchronize = lambda: None

from greenexp.cli.compose import register, settings
from greenexp.settings.conf import config_dir
from greenexp.measuring.experiment import run
from greenexp.measuring.child import experiment
from greenexp.runs.result import to_json

register()
with initialize_config_dir(str(config_dir()), version_base="1.3"):
    configuration = settings(compose("config", overrides=["device=cuda", *sys.argv[2:]]))
result = run(experiment(configuration))
print(json.dumps([json.loads(to_json(result)), configuration]))
"""
TWO_WINDOWS = ["workload.min_windows=2", "workload.max_windows=2"]


def run_on_cuda(machine: Machine, gpus: Sequence[Gpu], **driver: object) -> Record:
    words = ["-c", RUN_ON_CUDA, gpus[0].name, *QUICK, *TWO_WINDOWS]
    done = machine.command(gpus, *words, **driver)
    assert done.returncode == 0, done.stderr
    result, configuration = json.loads(done.stdout.splitlines()[-1])
    return Record("", "", "", None, {}, configuration, "", "", from_json(json.dumps(result)))


def planted_j_per_image(result: Result, gpu: Gpu) -> float:
    seconds = sum(window.duration_s for window in result.windows)
    return gpu.power_w * seconds / sum(window.images for window in result.windows)


OWN = {"processes": 1}  # the run itself, as NVML lists it


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpu", "source", "against"),
    [
        pytest.param(replace(V100, **OWN), "gpu:counter", set(), id="counter"),
        pytest.param(replace(P100, **OWN), "gpu:sampled", set(), id="no_counter"),
        pytest.param(
            replace(V100, processes=2, throttle_reasons=HEAT),
            "gpu:counter",
            {"gpu_shared", "gpu_throttled", "busy_at_start:gpu_shared"},
            id="hot_and_shared",
        ),
    ],
)
def test_run_on_a_gpu_is_accounted(
    machine: Machine, gpu: Gpu, source: str, against: set[str]
) -> None:
    beside = replace(P100, name="Simulated P100 beside", throttle_reasons=HEAT, processes=1)
    record = run_on_cuda(machine, [gpu, beside])
    result, told = record.result, figures(record)
    assert result.device == "cuda"
    assert "gpu:0" in result.components
    assert told["energy/gpu_per_image_j"] == pytest.approx(
        planted_j_per_image(result, gpu), rel=0.03
    )
    assert told["utilization/gpu_pct"] == pytest.approx(gpu.utilization_pct)
    assert told["memory/peak_mib"] == gpu.memory_mib
    assert source in (energy_source(result) or "").split("+")
    assert {doubt for doubt in doubts(record) if "gpu" in doubt or "energy" in doubt} == against
    for window in result.windows:
        assert window.duration_s >= 5.0
        assert len(window.latencies_s) >= 32
        assert levels(window, "gpu:1")["other_gpu_processes"] == 1
    assert result.environment["gpus"] == [gpu.name]
    assert result.environment["gpu_driver"] == "999.0"
