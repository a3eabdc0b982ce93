"""What stands against a run's figures: each reason by itself, at its limit and beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from greenexp.runs.doubts import constant_predictions, validity
from greenexp.runs.result import OUTCOMES, Predictions, Result
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support.builders import ANY_MACHINE, cpu_run, cuda_run, energy, level, phase, window
from tests.support.limits import LIMITS, STOLEN, judged

NO_LIMITS = Interference(
    steal_pct=None,
    other_processes_pct=None,
    involuntary_switches_per_s=None,
    clock_change_pct=None,
    energy_gap_pct=None,
)
SHARED = level("other_processes_pct", "cpu", 50.0)
SWITCHED = level("involuntary_switches_per_s", "process", 500.0)
HOT_CPU = level("cpu_throttle_events", "cpu", 1.0)
HOT_GPU = level("gpu_throttled_pct", "gpu:0", 1.0)
LENT_GPU = level("other_gpu_processes", "gpu:0", 1.0)
EVERYTHING = [STOLEN, SHARED, SWITCHED, HOT_CPU, HOT_GPU, LENT_GPU]


@pytest.mark.parametrize(
    ("quantity", "component", "at_limit", "doubt"),
    [
        ("steal_pct", "cpu", 4.0, "cpu_steal"),
        ("other_processes_pct", "cpu", 16.0, "other_processes"),
        ("involuntary_switches_per_s", "process", 64.0, "involuntary_switches"),
        ("cpu_throttle_events", "cpu", 0.0, "cpu_throttled"),
        ("gpu_throttled_pct", "gpu:0", 0.0, "gpu_throttled"),
        ("other_gpu_processes", "gpu:0", 0.0, "gpu_shared"),
    ],
)
def test_disturbance_begins_above_its_limit(
    quantity: str, component: str, at_limit: float, doubt: str
) -> None:
    assert judged(cuda_run(window(level(quantity, component, at_limit)))) == []
    assert judged(cuda_run(window(level(quantity, component, at_limit + 0.5)))) == [doubt]


def test_limit_of_none_judges_nothing() -> None:
    """What needs no limit is judged all the same: heat, and others on the GPU."""
    windows = [
        window(*EVERYTHING, level("clock_mhz", "cpu", mhz), energy("cpu", 1.0))
        for mhz in (1e3, 3e3)
    ]
    assert judged(cuda_run(*windows), NO_LIMITS) == ["cpu_throttled", "gpu_throttled", "gpu_shared"]


def test_one_busy_window_does_not_condemn_the_run() -> None:
    """Levels are means by time: 40 % for one second of four is 10 %."""
    calm = [window(level("other_processes_pct", "cpu", 0.0), duration_s=1.5) for _ in range(2)]
    burst = level("other_processes_pct", "cpu", 40.0)
    assert judged(cpu_run(*calm, window(burst, duration_s=1.0))) == []
    assert judged(cpu_run(*calm, window(burst, duration_s=3.0))) == ["other_processes"]


@pytest.mark.parametrize(
    "reading",
    [pytest.param(reading, id=reading.quantity) for reading in (HOT_CPU, HOT_GPU, LENT_GPU)],
)
def test_one_throttled_or_shared_window_condemns_the_run(reading: Any) -> None:
    clean = replace(reading, value=0.0)
    (doubt,) = judged(cuda_run(*[window(clean)] * 9, window(reading)))
    assert doubt in ("cpu_throttled", "gpu_throttled", "gpu_shared")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            cuda_run(window(), phases=[phase("idle", 1.0, *EVERYTHING)]),
            [
                "busy_at_start:cpu_steal",
                "busy_at_start:other_processes",
                "busy_at_start:gpu_shared",
            ],
            id="idle: the neighbours, and not this run's own heat or threads",
        ),
        pytest.param(
            cuda_run(
                window(),
                phases=[phase(name, 1.0, *EVERYTHING) for name in ("load", "optimize", "warmup")],
            ),
            [],
            id="phases in which the run itself is busy",
        ),
        pytest.param(
            cuda_run(
                window(),
                phases=[phase("idle", 1.0, level("steal_pct", "cpu", pct)) for pct in (9, 0, 0)],
            ),
            [],
            id="idle slices are judged together",
        ),
        pytest.param(cuda_run(window(STOLEN)), ["cpu_steal"], id="idle not watched"),
    ],
)
def test_busy_at_start(result: Result, expected: list[str]) -> None:
    assert judged(result) == expected


@pytest.mark.parametrize(
    ("mhz", "expected"),
    [
        pytest.param({"cpu": [1000, 1250]}, [], id="at the limit"),
        pytest.param({"cpu": [1000, 1251]}, ["cpu_clock_changed"], id="faster"),
        pytest.param({"cpu": [1251, 1000]}, ["cpu_clock_changed"], id="slower"),
        pytest.param({"cpu": [1000, 1200, 1300, 1100]}, ["cpu_clock_changed"], id="any two"),
        pytest.param({"gpu:0": [1000, 1500]}, ["gpu_clock_changed"], id="GPU"),
        pytest.param({"gpu:1": [1000, 1500]}, [], id="a GPU beside the run"),
        pytest.param({"cpu": [1000, 1000], "gpu:0": [2000, 2000]}, [], id="each by itself"),
        pytest.param({"cpu": [3000]}, [], id="one window"),
    ],
)
def test_clock_change(mhz: dict[str, list[float]], expected: list[str]) -> None:
    windows = [
        window(*map(level, ["clock_mhz"] * len(mhz), mhz, row))
        for row in zip(*mhz.values(), strict=True)
    ]
    assert judged(cuda_run(*windows)) == expected


def test_two_gpus_that_changed_their_clocks_are_one_reason() -> None:
    windows = [
        window(*(level("clock_mhz", f"gpu:{index}", mhz) for index in (0, 1)))
        for mhz in (1000.0, 2000.0)
    ]
    result = cuda_run(*windows, components=["gpu:0", "gpu:1"])
    assert judged(result) == ["gpu_clock_changed"]


L4 = Hardware(gpu="L4", gpu_count=1)


@pytest.mark.parametrize(
    ("result", "preset", "expected"),
    [
        pytest.param(cpu_run(), L4, ["hardware_mismatch"], id="GPU priced, CPU ran"),
        pytest.param(cuda_run(), L4, ["hardware_mismatch"], id="GPU not known"),
        pytest.param(cuda_run(environment={"gpus": ["NVIDIA L4"]}), L4, [], id="the GPU priced"),
        pytest.param(
            cuda_run(environment={"gpus": ["NVIDIA L40S"]}), L4, ["hardware_mismatch"], id="another"
        ),
        pytest.param(
            cpu_run(environment={"cpu": "Xeon 8488C"}), Hardware(cpu="8488C"), [], id="the CPU"
        ),
        pytest.param(Result("timeout", reason="why"), L4, [], id="run that got to no device"),
        pytest.param(cpu_run(), ANY_MACHINE, [], id="prices of any machine"),
    ],
)
def test_hardware_mismatch(result: Result, preset: Hardware, expected: list[str]) -> None:
    assert validity(result, preset, LIMITS) == expected


def test_doubts_of_the_run_come_first_and_none_twice() -> None:
    result = cuda_run(
        window(STOLEN, *(energy("gpu:0", 1.0, source) for source in ("counter", "sampled"))),
        phases=[phase("idle", 1.0, STOLEN)],
        doubts=["warmup_not_settled", "cpu_steal", "warmup_not_settled"],
    )
    assert validity(result, L4, LIMITS) == [
        "warmup_not_settled",
        "cpu_steal",
        "busy_at_start:cpu_steal",
        "hardware_mismatch",
    ]


@pytest.mark.parametrize("outcome", [outcome for outcome in OUTCOMES if outcome != "ok"])
def test_failed_run_has_nothing_to_doubt(outcome: Any) -> None:
    assert judged(Result(outcome, reason="why")) == []


def test_gpus_beside_the_run_are_not_judged() -> None:
    beside = [replace(reading, component="gpu:1") for reading in (HOT_GPU, LENT_GPU)]
    result = cuda_run(window(*beside), phases=[phase("idle", 1.0, *beside)])
    assert judged(result) == []
    assert judged(replace(result, components=["gpu:0", "gpu:1"])) == [
        "busy_at_start:gpu_shared",
        "gpu_throttled",
        "gpu_shared",
    ]


@pytest.mark.parametrize(
    ("targets", "best", "constant"),
    [
        ([0, 1, 2], [1, 1, 1], True),
        ([0, 1, 2], [0, 1, 1], False),
        ([1, 1, 1], [1, 1, 1], False),  # they are of one class
    ],
)
def test_one_answer_to_every_image_is_seen(
    targets: list[int], best: list[int], constant: bool
) -> None:
    judged_ = Predictions(
        identifiers=[str(n) for n in range(len(targets))],
        targets=targets,
        ranked=[[guess, 3] for guess in best],
    )
    assert constant_predictions(replace(cpu_run(window()), predictions=judged_)) is constant


def test_what_judged_no_image_gave_no_one_answer() -> None:
    assert not constant_predictions(cpu_run(window()))
