"""What stands against a run's energy: sources that disagree, a counter lost, readings replayed."""

from __future__ import annotations

import pytest

from greenexp.runs.result import Result
from tests.support.builders import cpu_run, cuda_run, energy, phase, window
from tests.support.limits import judged


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
