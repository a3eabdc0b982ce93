"""What a run took in each round of its block."""

from __future__ import annotations

from dataclasses import replace

from greenexp.runs.rounds import rounds_of
from tests.support.builders import cpu_run, energy, window


def test_each_round_has_its_figures() -> None:
    first = window(energy("cpu", 6.0), latencies_s=[0.25, 0.5, 0.25], images=3, duration_s=1.5)
    windows = [replace(first, round=1), replace(first, round=4, duration_s=3.0)]
    assert rounds_of(cpu_run(*windows)) == {
        "round": [1.0, 4.0],
        "seconds": [0.5, 1.0],
        "latency/p50_ms": [250.0, 250.0],
        "energy/per_image_j": [2.0, 2.0],
    }


def test_without_energy_in_every_round_there_is_none() -> None:
    measured, unmeasured = window(energy("cpu", 6.0)), window()
    assert "energy/per_image_j" not in rounds_of(cpu_run(measured, unmeasured))
