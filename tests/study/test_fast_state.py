"""Runs that were measured together on a machine that is slower for a while."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from greenexp.quantities import ENERGY
from greenexp.report.words import notes
from greenexp.runs.rounds import ROUND, SECONDS
from greenexp.study.pairs import contrast, groups
from greenexp.study.select import PricedRun
from tests.support.sentences import check_plain
from tests.support.synthetic_runs import rows, used

ROUNDS = 60
RATIO, SLOWER = 0.6, 1.5  # of the tactic in the fast state, and how much slower it is in the other


def measured(slow_rounds: int) -> list[PricedRun]:
    """Returns a block whose last rounds are in the slow state: 1.2 times as slow."""
    dice = np.random.default_rng(1)
    slow = np.arange(ROUNDS) >= ROUNDS - slow_rounds
    runs = []
    for run in used(rows(blocks=1)):
        own = np.where(slow, 1.2, 1.0) if run.is_baseline else RATIO * np.where(slow, SLOWER, 1.0)
        seconds = 0.01 * own * np.exp(dice.normal(0, 0.01, ROUNDS))
        taken = {
            ROUND: [float(number) for number in range(ROUNDS)],
            SECONDS: seconds.tolist(),
            ENERGY: (20 * seconds).tolist(),
        }
        runs.append(replace(run, rounds=taken, together="block"))
    return runs


@pytest.mark.parametrize("slow_rounds", [0, 20, 40])
def test_the_ratio_is_that_of_the_fast_state(slow_rounds: int) -> None:
    (group,) = groups(measured(slow_rounds))
    (of_block,) = group.contrasts("quantized", ENERGY).values()
    assert math.exp(of_block.value) == pytest.approx(RATIO, rel=0.01)
    assert group.slow_share() == slow_rounds / ROUNDS


def test_how_many_rounds_do_not_count_is_told() -> None:
    lines = notes.notes(measured(20), [], None)
    check_plain(lines)
    (line,) = [line for line in lines if "fast state" in line]
    assert "at most 33 % of a comparison's (vit)" in line
    assert not any("fast state" in line for line in notes.notes(measured(0), [], None))


def test_runs_measured_one_after_the_other_have_no_rounds() -> None:
    (group,) = groups(used(rows(blocks=1)))
    assert group.slow_share() == 0.0
    (of_block,) = group.contrasts("quantized", ENERGY).values()
    assert of_block.error is None


def test_speed_chooses_rounds_for_joules_that_a_meter_reads_as_well() -> None:
    """A meter's noise is no state of the machine."""
    dice = np.random.default_rng(2)
    runs = [
        replace(run, rounds={**run.rounds, ENERGY: dice.lognormal(0, 0.5, ROUNDS).tolist()})
        for run in measured(20)
    ]
    (group,) = groups(runs)
    assert group.slow_share() == 20 / ROUNDS
    base = group.baseline[runs[0].place]
    (tactic,) = group.tactics["quantized"][runs[0].place]
    shared = contrast([tactic], [base], ENERGY)
    short = [
        replace(run, rounds={name: values[:40] for name, values in run.rounds.items()})
        for run in (tactic, base)
    ]
    assert shared == contrast(short[:1], short[1:], ENERGY)
