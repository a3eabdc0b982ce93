"""Where the truth is known: synthetic runs over replayed power, thousands of them, on one clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from greenexp.measuring.quiet import Guard
from greenexp.measuring.recorder import Recorder
from greenexp.measuring.windows import measure_windows
from greenexp.meters.replay import Replay, Trace
from greenexp.protocols import Shortest
from greenexp.runs import metrics
from greenexp.runs.result import Result
from greenexp.settings.workload import Interference, Workload
from tests.support.builders import hardware

RUNS = 1000
COVERAGE = 0.93
BATCH = 4
MEAN_W = 80.0
MEAN_LATENCY_S = 0.05
TRUTH_J = MEAN_W * MEAN_LATENCY_S / BATCH  # per image
COMPONENTS = ["gpu:0"]
PRICELESS = hardware()


@dataclass
class Model:
    """Advances a clock by what a batch takes; its speed varies from stretch to stretch."""

    rng: np.random.Generator
    latency_noise: float
    now_s: float = 0.0
    batches: int = 0
    factors: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def forward(self, batch: object) -> None:
        if not self.factors:
            self.factors = self.rng.normal(1.0, self.latency_noise, 256).tolist()
        self.now_s += MEAN_LATENCY_S * self.factors.pop()
        self.batches += 1


def power_trace(rng: np.random.Generator, noise: float, seconds: float) -> Trace:
    """Power that steps every 0.25 s around its mean, independently."""
    steps = int(seconds / 0.25)
    levels_w = MEAN_W * rng.normal(1.0, noise, steps)
    t_s = np.arange(2 * steps) // 2 * 0.25 + np.arange(2 * steps) % 2 * (0.25 - 1e-6)
    return Trace(t_s, {("gpu:0", "power_w"): np.repeat(levels_w, 2)})


def synthetic_run(
    rng: np.random.Generator,
    workload: Workload,
    *,
    kind: str = "counter",
    power_noise: float = 0.2,
    latency_noise: float = 0.1,
    scale_error: float = 0.0,
    relative_error: float | None = 0.05,
) -> tuple[Result, float]:
    """Returns a run's result, and its true energy per image by the trace itself."""
    model = Model(rng, latency_noise)
    model.now_s = float(rng.uniform(0.0, 0.1))  # windows begin anywhere between two updates
    seconds = 1.5 * workload.max_windows * (workload.min_seconds + 1.0)
    true = power_trace(rng, power_noise, seconds)
    read = {channel: watts * (1 + scale_error) for channel, watts in true.channels.items()}
    meter = Replay(
        trace=Trace(true.t_s, read), kind=kind, relative_error=relative_error, clock=lambda: 0.0
    )
    meter._clock = model.clock
    recorder = Recorder([meter], clock=model.clock, sleep=lambda seconds: None)
    guard = Guard(recorder, Interference(), "flag", COMPONENTS)
    inputs = itertools.repeat(None)
    measure_windows(recorder, model.forward, inputs, workload, guard, Shortest())
    joules = sum(
        true.integral(("gpu:0", "power_w"), recorder.origin_s + window.start_s + window.duration_s)
        - true.integral(("gpu:0", "power_w"), recorder.origin_s + window.start_s)
        for window in recorder.windows
    )
    images = sum(window.images for window in recorder.windows)
    result = Result("ok", device="cuda", components=COMPONENTS, windows=recorder.windows)
    return result, joules / images


def covered(
    runs: int,
    make: Callable[[np.random.Generator], tuple[Result, float]],
    bound: str,
    truth_j: float,
) -> tuple[float, list[float]]:
    """Returns the share of runs whose interval holds the truth, and the runs' figures."""
    rng = np.random.default_rng(2026)
    hits = 0
    figures = []
    for _ in range(runs):
        measured = metrics.evaluate(make(rng)[0], PRICELESS)
        figures.append(measured["energy/per_image_j"])
        low, high = (
            measured[f"energy/per_image_j_{bound}_low"],
            measured[f"energy/per_image_j_{bound}_high"],
        )
        hits += low <= truth_j <= high
    return hits / runs, figures


FIXED = Workload(batch_size=BATCH, min_seconds=5.0, min_batches=32, min_windows=10, max_windows=10)


@pytest.mark.parametrize("kind", ["counter", "sampled"])
def test_energy_per_image_is_the_traces(kind: str) -> None:
    """Counter or samples every 0.1 s, power that steps by 10 %: at most 0.5 % off the integral."""
    rng = np.random.default_rng(7)
    for _ in range(100):
        result, truth_j = synthetic_run(rng, FIXED, kind=kind, power_noise=0.1)
        measured = metrics.evaluate(result, PRICELESS)
        assert measured["energy/per_image_j"] == pytest.approx(truth_j, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["counter", "sampled"])
def test_interval_of_fixed_windows_covers_the_truth(kind: str) -> None:
    share, figures = covered(RUNS, lambda rng: synthetic_run(rng, FIXED, kind=kind), "ci", TRUTH_J)
    assert share >= COVERAGE
    assert np.mean(figures) == pytest.approx(TRUTH_J, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("power_noise", [0.03, 0.06, 0.1, 0.2])
def test_interval_covers_the_truth_though_the_end_is_chosen(power_noise: float) -> None:
    """Looking after each window whether the interval is narrow enough must not make it lie."""
    adaptive = Workload(
        batch_size=BATCH,
        min_seconds=2.0,
        min_batches=8,
        min_windows=10,
        max_windows=30,
        half_width=0.01,
    )

    def make(rng: np.random.Generator) -> tuple[Result, float]:
        return synthetic_run(rng, adaptive, power_noise=power_noise, latency_noise=0.05)

    share, figures = covered(RUNS, make, "ci", TRUTH_J)
    assert share >= COVERAGE
    assert np.mean(figures) == pytest.approx(TRUTH_J, rel=0.005)


def test_combined_interval_covers_what_repetition_cannot_show() -> None:
    """A sensor 4 % off: the windows' interval misses the truth, the combined one holds it."""

    def make(rng: np.random.Generator) -> tuple[Result, float]:
        return synthetic_run(rng, FIXED, scale_error=0.04, relative_error=0.05, power_noise=0.05)

    share, _ = covered(200, make, "combined", TRUTH_J)
    assert share >= COVERAGE
    share, _ = covered(200, make, "ci", TRUTH_J)
    assert share < 0.1


def test_no_combined_interval_where_the_meter_states_nothing() -> None:
    result, _ = synthetic_run(np.random.default_rng(1), FIXED, relative_error=None)
    measured = metrics.evaluate(result, PRICELESS)
    assert "energy/per_image_j_ci_low" in measured
    assert "energy/per_image_j_combined_low" not in measured
