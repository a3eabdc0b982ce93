"""When runs leave the rounds."""

from __future__ import annotations

import math
import random

import pytest

from greenexp.measuring.rounds import Rounds
from greenexp.measuring.turns import Turn
from greenexp.settings.workload import Workload

RULES = Workload(min_windows=10, max_windows=200, half_width=0.02)


def play(
    ratios: dict[int, float],
    noise: dict[int, float],
    rules: Workload = RULES,
    baselines: tuple[int, ...] = (0, 1),
    joules: bool = True,
) -> tuple[Rounds, dict[int, int]]:
    """Lets runs measure until all have left; returns the rounds, and in how many each was.

    A run takes its ratio times what the round takes; the machine's speed changes from round to
    round by a factor of two.
    """
    dice = random.Random(1)
    rounds = Rounds(list(ratios), baselines, rules)
    seen = dict.fromkeys(ratios, 0)
    while rounds.open:
        speed = math.exp(dice.uniform(-0.35, 0.35))
        taken = {}
        for run in rounds.open:
            seen[run] += 1
            seconds = speed * ratios[run] * math.exp(dice.gauss(0, noise[run]))
            taken[run] = Turn(3 * seconds if joules else None, seconds)
        rounds.add(taken)
    return rounds, seen


@pytest.mark.parametrize("joules", [True, False])
def test_sharp_runs_leave_and_baselines_stay_as_long_as_any(joules: bool) -> None:
    noise = {0: 0.01, 1: 0.01, 2: 0.01, 3: 0.2}
    rounds, seen = play({0: 1.0, 1: 1.0, 2: 0.9, 3: 1.05}, noise, joules=joules)
    assert seen[2] == 10
    assert seen[0] == seen[1] == seen[3] > 50
    assert rounds.settled[2]
    ratio = rounds.ratio(2)
    assert ratio is not None
    assert math.exp(ratio.value) == pytest.approx(0.9, rel=0.02)


def test_a_machine_that_changes_its_speed_tells_ratios_all_the_same() -> None:
    rounds, seen = play({0: 1.0, 1: 1.0, 2: 1.0}, dict.fromkeys(range(3), 0.001))
    assert seen == {0: 10, 1: 10, 2: 10}
    assert all(rounds.settled.values())


def test_the_cap_ends_what_does_not_settle_and_says_so() -> None:
    rules = Workload(min_windows=10, max_windows=15, half_width=0.001)
    rounds, seen = play({0: 1.0, 1: 1.0, 2: 0.98}, dict.fromkeys(range(3), 0.1), rules)
    assert seen == {0: 15, 1: 15, 2: 15}
    assert not any(rounds.settled.values())


def test_a_clear_effect_need_not_be_as_sharp() -> None:
    rules = Workload(min_windows=10, max_windows=200, half_width=0.002)
    _, seen = play({0: 1.0, 1: 1.0, 2: 0.2}, dict.fromkeys(range(3), 0.05), rules)
    assert seen[2] == 10


def test_without_a_width_all_measure_the_least_number_of_rounds() -> None:
    rules = Workload(min_windows=4, max_windows=9)
    rounds, seen = play({0: 1.0, 1: 1.0, 2: 3.0}, dict.fromkeys(range(3), 1.0), rules)
    assert set(seen.values()) == {4}
    assert all(rounds.settled.values())


def test_a_run_that_has_ended_leaves_and_the_others_go_on() -> None:
    rounds = Rounds([0, 1, 2], (0, 1), Workload(min_windows=3, max_windows=3))
    turn = Turn(None, 1.0)
    rounds.add({0: turn, 1: turn}, gone=[2])
    assert rounds.open == [0, 1]
    assert 2 not in rounds.settled


def test_windows_that_do_not_count_are_left_out_of_the_ratio() -> None:
    rounds = Rounds([0, 2], (0,), Workload(min_windows=30, max_windows=30))
    for number in range(12):
        taken = {0: Turn(None, 1.0), 2: Turn(None, 2.0)}
        if number % 2:
            del taken[2]
        rounds.add(taken)
    ratio = rounds.ratio(2)
    assert ratio is not None
    assert math.exp(ratio.value) == pytest.approx(2.0)


def test_the_pair_of_baselines_is_to_be_as_sharp_as_the_tactics() -> None:
    rounds, seen = play({0: 1.0, 1: 1.0, 2: 0.5}, {0: 0.05, 1: 0.05, 2: 0.001})
    assert seen[2] == 10
    assert 10 < seen[0] == seen[1] < 200
    assert rounds.settled[0]
    assert rounds.settled[1]


def test_a_baseline_without_a_second_leaves_with_the_tactics() -> None:
    _, seen = play({0: 1.0, 2: 0.5}, {0: 0.05, 2: 0.001}, baselines=(0,))
    assert seen == {0: 10, 2: 10}


def test_baselines_alone_are_held_against_each_other() -> None:
    _, seen = play({0: 1.0, 1: 1.0}, {0: 0.001, 1: 0.001})
    assert seen == {0: 10, 1: 10}


def test_tactics_without_a_baseline_are_held_against_themselves() -> None:
    rounds, _ = play({4: 1.0}, {4: 0.01}, baselines=())
    assert rounds.settled[4] or rounds.number == 200
