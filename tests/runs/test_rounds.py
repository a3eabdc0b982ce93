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
        "seconds": [0.25, 0.25],
        "latency/p50_ms": [250.0, 250.0],
        "energy/per_image_j": [2.0, 2.0],
    }


def test_batches_that_something_disturbed_move_neither_time_nor_estimate() -> None:
    estimate = energy("cpu", 4.0, source="model")
    quiet = window(estimate, latencies_s=[0.5] * 4, images=8, duration_s=2.0)
    longer = energy("cpu", 7.0, source="model")  # the CPU waited as well
    disturbed = window(longer, latencies_s=[0.5, 2.0, 0.5, 2.0], images=8, duration_s=5.0)
    windows = [replace(stretch, round=n) for n, stretch in enumerate([quiet, disturbed, quiet], 1)]
    taken = rounds_of(cpu_run(*windows))
    assert taken["seconds"] == [0.25] * 3
    assert taken["latency/p50_ms"] == [500.0] * 3
    assert taken["energy/per_image_j"] == [0.5] * 3


def test_what_a_meter_read_and_what_is_estimated_add_up() -> None:
    both = [energy("gpu:0", 8.0), energy("cpu", 4.0, source="model")]
    result = replace(
        cpu_run(window(*both, latencies_s=[0.5, 0.5, 1.5, 1.5], images=8, duration_s=4.0)),
        components=["cpu", "gpu:0"],
    )
    assert rounds_of(result)["energy/per_image_j"] == [1.0 + 1.0 * 0.25]


def test_joules_of_a_meter_are_those_of_the_whole_window() -> None:
    disturbed = window(energy("cpu", 10.0), latencies_s=[0.5, 2.0, 0.5, 2.0], images=8)
    assert rounds_of(cpu_run(disturbed))["energy/per_image_j"] == [1.25]


def test_without_energy_in_every_round_there_is_none() -> None:
    measured, unmeasured = window(energy("cpu", 6.0)), window()
    assert "energy/per_image_j" not in rounds_of(cpu_run(measured, unmeasured))
