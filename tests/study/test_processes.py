"""Several processes of each tactic in one block."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from greenexp.quantities import ENERGY
from greenexp.runs.rounds import ROUND, SECONDS
from greenexp.settings.report import Report
from greenexp.stats.two_levels import Spread, spread
from greenexp.study.blocks import layout
from greenexp.study.effects import compare
from greenexp.study.pairs import Group, groups, versus_baseline
from greenexp.study.select import PricedRun
from tests.support.synthetic_runs import no_predictions, rows, used

ROUNDS = 60
RATIO = 0.9
LEVELS = {"baseline": [0.004, -0.004], "quantized": [0.03, -0.01, 0.01]}  # of the processes


def measured(noise: float = 0.002) -> list[PricedRun]:
    """Returns a block of two baselines and three processes of a tactic."""
    dice = np.random.default_rng(4)
    runs = {run.tactic: run for run in used(rows(blocks=1)) if not run.is_repeat}
    made = []
    for tactic, levels in LEVELS.items():
        of_tactic = math.log(RATIO) if tactic == "quantized" else 0.0
        for replicate, level in enumerate(levels, 1):
            seconds = 0.01 * np.exp(of_tactic + level + dice.normal(0, noise, ROUNDS))
            taken = {
                ROUND: [float(number) for number in range(ROUNDS)],
                SECONDS: seconds.tolist(),
                ENERGY: (20 * seconds).tolist(),
            }
            run = replace(
                runs[tactic],
                id=f"{tactic} {replicate}",
                replicate=replicate,
                rounds=taken,
                together="block",
                figures={**runs[tactic].figures, ENERGY: float(np.mean(20 * seconds))},
            )
            made.append(run)
    return made


def only(runs: list[PricedRun]) -> Group:
    (group,) = groups(runs)
    return group


def test_the_ratio_is_that_of_the_mean_of_the_processes() -> None:
    (contrast,) = only(measured()).contrasts("quantized", ENERGY).values()
    assert (contrast.processes, contrast.baselines) == (3, 2)
    assert contrast.value == pytest.approx(math.log(RATIO) + 0.01, abs=0.001)
    assert contrast.error is not None
    (alone,) = only(measured()[:3]).contrasts("quantized", ENERGY).values()
    assert alone.error is not None
    assert (alone.processes, alone.baselines) == (1, 2)
    assert alone.value == pytest.approx(math.log(RATIO) + 0.03, abs=0.001)
    assert contrast.error < alone.error


def test_a_process_that_left_early_counts_in_the_rounds_of_the_others() -> None:
    runs = measured()
    early = replace(runs[2], rounds={name: each[:30] for name, each in runs[2].rounds.items()})
    (whole,) = only(runs).contrasts("quantized", ENERGY).values()
    (contrast,) = only([*runs[:2], early, *runs[3:]]).contrasts("quantized", ENERGY).values()
    assert contrast.processes == 3
    assert contrast.value == pytest.approx(whole.value, abs=0.001)


def test_processes_of_a_tactic_tell_the_spread_between_processes() -> None:
    estimate = spread([layout(only(measured(noise=0.0)), ENERGY)])
    squares = 2 * 0.004**2 + 2 * 0.02**2
    assert estimate is not None
    assert estimate == Spread(pytest.approx(math.sqrt(squares / 3), rel=1e-6), 3)


def test_a_block_of_several_processes_is_one_block() -> None:
    runs = measured()
    study = compare(runs, no_predictions, Report())
    (cell,) = [cell for cell in study.cells if cell.tactic == "quantized"]
    own = [run for run in runs if run.tactic == "quantized"]
    assert cell.blocks == 1
    assert cell.run_ids == [run.id for run in own]
    assert cell.quantities[ENERGY].value == pytest.approx(
        np.mean([run.figures[ENERGY] for run in own])
    )
    assert cell.effects[ENERGY].units == 1
    assert cell.effects[ENERGY].ratio == pytest.approx(RATIO * math.exp(0.01), rel=0.001)


def test_each_process_has_its_own_ratio() -> None:
    ratios = versus_baseline(measured(noise=0.0))
    for replicate, level in enumerate(LEVELS["quantized"], 1):
        ratio = ratios[f"quantized {replicate}"]["vs_baseline/energy_ratio"]
        assert ratio == pytest.approx(RATIO * math.exp(level), rel=1e-6)


def test_only_baselines_are_an_a_a_pair() -> None:
    (pair,) = only(measured()).aa_pairs()
    assert [run.tactic for run in pair] == ["baseline", "baseline"]
    assert [run.replicate for run in measured() if run.is_repeat] == [2]
