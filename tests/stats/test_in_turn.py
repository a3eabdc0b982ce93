"""Ratios of runs that took turns on a machine with states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from greenexp.stats.in_turn import Share, fast_rounds, log_ratio, shared_rounds

Floats = NDArray[np.float64]
STRETCH = 15  # rounds that a state lasts


def taken(times: Floats) -> dict[int, Share]:
    return {number: Share(float(time), float(time)) for number, time in enumerate(times)}


def states(rounds: int, *, slow_first: bool = False) -> NDArray[np.bool_]:
    """Returns in which rounds the machine is slow; states take turns."""
    return (np.arange(rounds) // STRETCH % 2 == 1) != slow_first


@pytest.mark.parametrize("slow_first", [True, False])
def test_where_the_ratio_depends_on_the_state_that_of_the_fast_one_is_told(
    slow_first: bool,
) -> None:
    dice = np.random.default_rng(1)
    slow = states(120, slow_first=slow_first)
    bases = [taken(np.where(slow, 0.18, 0.0) + dice.normal(0, 0.02, 120)) for _ in range(2)]
    tactic = np.log(0.56) + np.where(slow, 0.4, 0.0) + dice.normal(0, 0.02, 120)
    ratio = log_ratio([taken(tactic)], bases)
    assert ratio is not None
    assert math.exp(ratio.value) == pytest.approx(0.56, rel=0.02)
    assert ratio.half_width < 0.02


def test_a_slow_state_is_told_from_the_fast_one() -> None:
    dice = np.random.default_rng(2)
    slow = states(120)
    times = np.where(slow, 0.18, 0.0) + dice.normal(0, 0.015, 120)
    assert fast_rounds(times.tolist()) == [not each for each in slow]


def test_noise_is_no_state() -> None:
    for seed in range(100):
        for noise in (0.005, 0.02, 0.1):
            times = np.random.default_rng(seed).normal(0, noise, 60)
            assert sum(fast_rounds(times.tolist())) >= 57


def test_states_that_are_near_each_other_are_not_told_apart() -> None:
    assert all(fast_rounds(np.where(states(60), 0.045, 0.0).tolist()))


def test_a_round_in_five_that_is_fast_does_not_stand_for_all() -> None:
    times = [0.0 if number % 5 == 0 else 0.2 for number in range(50)]
    assert all(fast_rounds(times))


def test_too_few_rounds_all_count() -> None:
    assert fast_rounds([]) == []
    assert fast_rounds([0.0, 1.0, 0.0]) == [True] * 3
    assert fast_rounds([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) == [True] * 6
    assert log_ratio([taken(np.zeros(4))], [taken(np.zeros(60))]) is None
    assert log_ratio([{}], [{}]) is None


def test_a_round_that_an_other_missed_is_not_lost() -> None:
    """Others differ for good, so one that is missing must not move the mean of the rest."""
    dice = np.random.default_rng(5)
    state = dice.normal(0, 0.02, 100)
    own = taken(state + dice.normal(0, 0.005, 100))
    others = [taken(state + level + dice.normal(0, 0.005, 100)) for level in (-0.04, 0, 0.04)]
    whole = log_ratio([own], others)
    for number in range(100):
        if number % 4 < 3:
            del others[number % 4][number]
    parts = log_ratio([own], others)
    assert whole is not None
    assert parts is not None
    assert list(shared_rounds([own], others)) == list(range(100))
    assert parts.value == pytest.approx(whole.value, abs=0.002)
    assert parts.half_width < 1.3 * whole.half_width


def test_a_round_that_most_others_missed_does_not_count() -> None:
    whole, half = taken(np.zeros(20)), taken(np.zeros(10))
    assert list(shared_rounds([whole], [whole, half])) == list(range(20))
    assert list(shared_rounds([whole], [whole, half, half])) == list(range(10))
    assert list(shared_rounds([half], [whole, whole])) == list(range(10))
    assert log_ratio([whole], [half, {}]) is not None
    assert log_ratio([whole], [{}, {}]) is None


@pytest.mark.parametrize(("own_noise", "others"), [(0.02, 1), (0.02, 2), (0.02, 5), (0.06, 2)])
def test_the_choice_of_rounds_moves_equal_runs_to_neither_side(
    own_noise: float, others: int
) -> None:
    """The mean over 400 blocks whose machine has two states of any length."""
    dice = np.random.default_rng(3)
    values = []
    for _ in range(400):
        state = np.cumsum(dice.random(80) < 0.1) % 2 * 0.2
        own = taken(state + dice.normal(0, own_noise, 80))
        ratio = log_ratio([own], [taken(state + dice.normal(0, 0.02, 80)) for _ in range(others)])
        assert ratio is not None
        values.append(ratio.value)
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


@pytest.mark.parametrize("changes", [0.0, 0.05])
def test_intervals_hold(changes: float) -> None:
    """In 93 to 97 % of 1,000 blocks, on a machine with one state or two.

    Where less than a quarter of the rounds is in the fast state, the ratio is that of the other.
    """
    dice = np.random.default_rng(4)
    held: list[bool] = []
    while len(held) < 1000:
        slow = np.cumsum(dice.random(80) < changes) % 2 == 1
        if slow.mean() > 0.7:
            continue
        own, *others = (
            np.where(slow, each, 0) + dice.normal(0, 0.02, 80) for each in (0.3, 0.2, 0.2)
        )
        ratio = log_ratio([taken(own)], [taken(other) for other in others])
        assert ratio is not None
        held.append(abs(ratio.value) <= ratio.half_width)
    assert 0.93 <= np.mean(held) <= 0.97
