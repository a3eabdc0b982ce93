"""What an artefact's answers and speed show, against answers and speeds that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from greenexp.export.proof import compared, ratios
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.result import Result
from tests.support.builders import cpu_run, energy, window

REFERENCE = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 1.9999], [1.0, 0.0, 5.0]], dtype=np.float32)
TARGETS = [0, 1, 2]
RIGHT = ImageOutcomes(("a", "b", "c"), np.array([True, True, True]))


def test_equal_answers_prove_an_artefact() -> None:
    proof = compared(REFERENCE, REFERENCE.copy(), TARGETS, RIGHT)
    assert (proof.images, proof.flips, proof.lost, proof.gained) == (3, 0, 0, 0)
    assert proof.largest_difference == 0
    assert proof.holds


def test_classes_that_are_as_good_as_equal_may_change_places() -> None:
    answer = REFERENCE.copy()
    answer[1] = [0.0, 1.9999, 2.0]
    proof = compared(REFERENCE, answer, TARGETS, RIGHT)
    assert (proof.flips, proof.ties, proof.lost) == (1, 1, 1)
    assert proof.holds


def test_another_class_is_no_artefact_of_what_was_measured() -> None:
    answer = REFERENCE.copy()
    answer[0] = [1.0, 3.0, 0.0]
    proof = compared(REFERENCE, answer, TARGETS, RIGHT)
    assert (proof.flips, proof.ties, proof.lost) == (1, 0, 1)
    assert proof.largest_difference == pytest.approx(2.0)
    assert not proof.holds


def runs(factor: float, noise: float, seed: int) -> list[Result]:
    """Returns two processes of 40 rounds each, whose batches take `factor` times 10 ms."""
    dice = np.random.default_rng(seed)
    return [
        cpu_run(
            *(
                replace(
                    window(
                        energy("cpu", 1.0),
                        latencies_s=(0.01 * factor * np.exp(dice.normal(0, noise, 5))).tolist(),
                    ),
                    round=number,
                )
                for number in range(1, 41)
            )
        )
        for _ in range(2)
    ]


@pytest.mark.parametrize(
    ("factor", "equal"),
    [
        pytest.param(1.0, True, id="the same"),
        pytest.param(1.02, True, id="2 % more"),
        pytest.param(1.2, False, id="20 % more"),
        pytest.param(0.8, False, id="20 % less"),
    ],
)
def test_speed_is_called_equal_where_it_is(factor: float, equal: bool) -> None:
    known = ratios(runs(1.0, 0.01, 1), runs(factor, 0.01, 2), margin=0.05)
    ratio = known["latency/p50_ms"]
    assert ratio.value == pytest.approx(factor, rel=0.01)
    assert ratio.equal is equal
    assert ratio.low is not None
    assert ratio.high is not None
    assert ratio.low < factor < ratio.high


def test_too_few_rounds_show_nothing_of_speed() -> None:
    assert ratios([cpu_run(window())] * 2, [cpu_run(window())] * 2, margin=0.05) == {}
