"""What stands against a run's figures: each reason by itself, at its limit and beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.protocols import Reading
from greenexp.runs.doubts import disturbances, mean_level, validity
from greenexp.runs.result import OUTCOMES, Phase, Result, Window
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support.builders import ANY_MACHINE, cpu_run, cuda_run, energy, level, phase, window

untimed = settings(deadline=None)  # no test asserts a time

LIMITS = Interference(
    steal_pct=4.0,
    other_processes_pct=16.0,
    involuntary_switches_per_s=64.0,
    clock_change_pct=25.0,
    energy_gap_pct=12.5,
)
NO_LIMITS = Interference(
    steal_pct=None,
    other_processes_pct=None,
    involuntary_switches_per_s=None,
    clock_change_pct=None,
    energy_gap_pct=None,
)
STOLEN = level("steal_pct", "cpu", 50.0)
SHARED = level("other_processes_pct", "cpu", 50.0)
SWITCHED = level("involuntary_switches_per_s", "process", 500.0)
HOT_CPU = level("cpu_throttle_events", "cpu", 1.0)
HOT_GPU = level("gpu_throttled_pct", "gpu:0", 1.0)
LENT_GPU = level("other_gpu_processes", "gpu:0", 1.0)
EVERYTHING = [STOLEN, SHARED, SWITCHED, HOT_CPU, HOT_GPU, LENT_GPU]


def judged(result: Result, limits: Interference = LIMITS) -> list[str]:
    return validity(result, ANY_MACHINE, limits)


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


@pytest.mark.parametrize(
    ("component", "sampled_j", "expected"),
    [
        pytest.param("gpu:0", 9.0, [], id="at the limit"),
        pytest.param("gpu:0", 9.5, ["energy_sources_disagree"], id="samples tell more"),
        pytest.param("gpu:0", 6.5, ["energy_sources_disagree"], id="samples tell less"),
        pytest.param("gpu:1", 99.0, [], id="a GPU beside the run"),
    ],
)
def test_energy_sources_disagree(component: str, sampled_j: float, expected: list[str]) -> None:
    read = window(energy(component, 8.0), energy(component, sampled_j, "sampled"))
    assert judged(cuda_run(read)) == expected


def test_estimate_beside_a_counter_is_no_disagreement() -> None:
    assert judged(cpu_run(window(energy("cpu", 8.0), energy("cpu", 80.0, "model")))) == []


def test_replayed_readings_are_no_measurement_of_this_run() -> None:
    replayed = energy("gpu:0", 8.0, meter="replay")
    doubts = judged(cuda_run(window(energy("cpu", 1.0)), window(replayed)))
    assert doubts == ["energy_counter_lost", "replayed"]


COUNTED, ESTIMATED = energy("cpu:0", 8.0), energy("cpu", 9.0, "model")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(cpu_run(window(COUNTED), window(COUNTED)), [], id="read throughout"),
        pytest.param(
            cpu_run(window(COUNTED, ESTIMATED), window(ESTIMATED)),
            ["energy_counter_lost"],
            id="lost between windows",
        ),
        pytest.param(
            cpu_run(window(ESTIMATED), phases=[phase("idle", 1.0, COUNTED)]),
            ["energy_counter_lost"],
            id="lost before the windows",
        ),
        pytest.param(
            cpu_run(window(COUNTED), phases=[phase("load", 1.0, ESTIMATED)]),
            [],
            id="phase too short for the counter to move",
        ),
        pytest.param(cpu_run(window(ESTIMATED)), [], id="machine without a counter"),
        pytest.param(
            cpu_run(window(energy("gpu:0", 8.0), COUNTED), window(COUNTED)),
            [],
            id="counter of a GPU that the run does not use",
        ),
        pytest.param(cpu_run(phases=[phase("idle", 1.0, COUNTED)]), [], id="run without windows"),
    ],
)
def test_counter_that_is_not_read_throughout_is_a_doubt(run: Result, expected: list[str]) -> None:
    assert judged(run) == expected


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


def test_undisturbed_stretches() -> None:
    assert disturbances([], LIMITS) == []
    assert disturbances([window(), phase("idle", 1.0)], LIMITS) == []


@pytest.mark.parametrize(
    ("stretches", "mean"),
    [
        pytest.param([], None, id="no stretch"),
        pytest.param([window(level("memory_mib", "cpu", 8.0))], None, id="not read"),
        pytest.param([window(STOLEN, duration_s=0.0)], None, id="no time"),
        pytest.param(
            [
                window(level("steal_pct", "cpu", 8.0), duration_s=1.0),
                phase("idle", 3.0, level("steal_pct", "cpu", 4.0)),
            ],
            5.0,
            id="by time",
        ),
        pytest.param(
            [window(level("steal_pct", "cpu", 8.0)), window(duration_s=99.0)],
            8.0,
            id="over those that have it",
        ),
    ],
)
def test_mean_level(stretches: list[Phase | Window], mean: float | None) -> None:
    assert mean_level(stretches, "steal_pct") == mean


shares = st.floats(0.0, 100.0)
durations = st.floats(1e-3, 1e3)


@untimed
@given(st.lists(st.tuples(shares, durations), min_size=1, max_size=10))
def test_mean_lies_between_the_levels(parts: list[tuple[float, float]]) -> None:
    stretches = [window(level("steal_pct", "cpu", pct), duration_s=s) for pct, s in parts]
    mean = mean_level(stretches, "steal_pct")
    assert mean is not None
    values = [pct for pct, _ in parts]
    assert min(values) - 1e-9 <= mean <= max(values) + 1e-9


@untimed
@given(
    st.lists(st.tuples(shares, shares, durations), min_size=1, max_size=5),
    st.floats(0.0, 100.0),
    st.floats(0.0, 100.0),
)
def test_stricter_limits_find_no_less(
    parts: list[tuple[float, float, float]], limit: float, tighter: float
) -> None:
    stretches = [
        window(
            level("steal_pct", "cpu", steal),
            level("other_processes_pct", "cpu", others),
            duration_s=seconds,
        )
        for steal, others, seconds in parts
    ]
    loose = Interference(steal_pct=max(limit, tighter), other_processes_pct=max(limit, tighter))
    strict = Interference(steal_pct=min(limit, tighter), other_processes_pct=min(limit, tighter))
    assert set(disturbances(stretches, loose)) <= set(disturbances(stretches, strict))


@pytest.mark.parametrize(
    ("windows", "doubts"),
    [
        pytest.param(1, [], id="one short window: the clock may be wrong by 20"),
        pytest.param(9, ["other_processes"], id="nine of them: by a third of that"),
    ],
)
def test_a_mean_must_exceed_its_limit_by_more_than_the_clocks_err(
    windows: int, doubts: list[str]
) -> None:
    coarse = Reading("other_processes_pct", "cpu", 20.0, "sampled", "m", resolution=20.0)
    limits = Interference(other_processes_pct=10.0)
    assert disturbances([window(coarse) for _ in range(windows)], limits) == doubts
