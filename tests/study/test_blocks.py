"""What may be claimed of runs that were measured together: simulated studies of two levels."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from greenexp.quantities import ENERGY
from greenexp.stats.two_levels import Spread, spread
from greenexp.study.blocks import blocks_needed, effects
from greenexp.study.estimates import Effect, Interval
from greenexp.study.families import Family, judge
from greenexp.study.pairs import Contrast
from greenexp.study.study import Setting
from greenexp.study.verdicts import Verdict

PROCESS = 0.006  # spread between processes
ROUNDS = 0.001  # error of a centre over rounds
MARGIN = 0.03
STUDIES = 300


def study(
    dice: np.random.Generator,
    models: int,
    blocks: int,
    planted: dict[str, float],
    processes: int = 1,
) -> list[dict[str, Effect]]:
    """Returns the effects of each model of a study, from simulated runs."""
    layouts, contrasts = [], []
    for _ in range(models):
        layout: list[tuple[int, str, float]] = []
        by_tactic: dict[str, list[Contrast]] = {tactic: [] for tactic in planted}
        for block in range(blocks):
            bases = dice.normal(0, math.hypot(PROCESS, ROUNDS), 2)
            middle = bases.mean()
            layout += [(block, "baseline", base - middle) for base in bases]
            for tactic, effect in planted.items():
                own = dice.normal(effect - middle, math.hypot(PROCESS, ROUNDS), processes)
                layout += [(block, tactic, value) for value in own]
                by_tactic[tactic].append(Contrast(float(own.mean()), ROUNDS, 2, processes))
        layouts.append(layout)
        contrasts.append(by_tactic)
    between = spread(layouts)
    return [effects(of_model, between, MARGIN) for of_model in contrasts]


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("blocks", [1, 2, 4, 8])
@pytest.mark.parametrize("models", [1, 5, 42])
def test_intervals_hold_the_truth_and_nothing_is_claimed_of_nothing(
    models: int, blocks: int, processes: int
) -> None:
    dice = np.random.default_rng([models, blocks])
    planted = dict.fromkeys(("a", "b", "c"), 0.0)
    held, intervals, wrong = 0, 0, 0
    studies = max(40, STUDIES // models) if models > 1 else 4 * STUDIES
    for _ in range(studies):
        for of_model in study(dice, models, blocks, planted, processes):
            wrong += any(
                effect.verdict in (Verdict.LOWER, Verdict.HIGHER) for effect in of_model.values()
            )
            for effect in of_model.values():
                assert effect.interval is not None
                held += effect.interval.low <= 1 <= effect.interval.high
                intervals += 1
    assert 0.92 <= held / intervals <= 0.98
    assert wrong / (intervals / len(planted)) <= 0.07


def test_one_block_of_five_models_tells_two_percent() -> None:
    dice = np.random.default_rng(1)
    tactics = {"a": math.log(1.02), "b": math.log(0.95), "c": 0.0}
    of_models = [of_model for _ in range(60) for of_model in study(dice, 5, 1, tactics)]
    told = {
        tactic: sum(of_model[tactic].verdict == verdict for of_model in of_models) / len(of_models)
        for tactic, verdict in (
            ("a", Verdict.HIGHER),
            ("b", Verdict.LOWER),
            ("c", Verdict.EQUAL),
        )
    }
    assert told["b"] > 0.9
    assert told["c"] > 0.8
    assert told["a"] > 0.2


def test_what_one_model_of_one_block_can_not_tell_is_not_claimed() -> None:
    """Its one A/A pair has one degree of freedom."""
    between = Spread(0.006, 1)
    (effect,) = effects({"a": [Contrast(-0.05, 0.001, 2)]}, between, MARGIN).values()
    assert effect.verdict is Verdict.NOT_SHOWN
    assert effect.interval is not None
    assert effect.interval.low < 1 < effect.interval.high
    assert effect.detectable is not None
    assert effect.detectable > 0.05


def test_without_a_spread_there_is_a_ratio_and_no_claim() -> None:
    (effect,) = effects({"a": [Contrast(math.log(0.5), 0.001, 1)]}, None, MARGIN).values()
    assert effect.ratio == pytest.approx(0.5)
    assert effect.interval is None
    assert effect.verdict is Verdict.TOO_FEW


def test_rounds_that_tell_little_widen_the_interval() -> None:
    sharp, blunt = (
        effects({"a": [Contrast(0.0, error, 2)]}, Spread(0.001, 20), MARGIN)["a"]
        for error in (0.0001, 0.05)
    )
    assert sharp.interval is not None
    assert blunt.interval is not None
    assert blunt.interval.high - 1 > 10 * (sharp.interval.high - 1)


def test_where_nothing_varies_and_nothing_differs_nothing_is_claimed() -> None:
    alike = [Contrast(0.0, 0.0, 2)]
    effect = effects({"a": alike}, Spread(0.0, 3), MARGIN)["a"]
    assert effect.verdict == Verdict.EQUAL
    assert effect.p_value == 1.0


@pytest.mark.parametrize(
    ("ratio", "half", "blocks"),
    [
        pytest.param(0.9, 0.2, 4, id="a gain of a tenth in an interval twice as wide"),
        pytest.param(1.0, 0.06, 5, id="none, within twice the margin"),
        pytest.param(1.0, 0.02, 1, id="decided already"),
    ],
)
def test_blocks_that_decide_narrow_the_interval_by_their_root(
    ratio: float, half: float, blocks: int
) -> None:
    interval = Interval(ratio * math.exp(-half), ratio * math.exp(half))
    assert blocks_needed(Effect(ratio, 1, interval, margin=MARGIN)) == blocks


def test_blocks_that_decide_are_unknown_without_an_interval() -> None:
    assert blocks_needed(Effect(0.9, 1, margin=MARGIN)) is None


def of_one_block(dice: np.random.Generator, model: str) -> Family:
    """Returns the family of a model with a block of a tactic that does nothing."""
    bases = dice.normal(0, PROCESS, 2)
    value = float(dice.normal(0, PROCESS) - bases.mean())
    layout = [(0, "baseline", float(base - bases.mean())) for base in bases] + [(0, "a", value)]
    return Family(
        setting=Setting("digits", "local", "quick", "Made-up CPU"),
        model=model,
        pairs={(ENERGY, "a"): [(math.exp(value), 1.0)]},
        logs={},
        contrasts={(ENERGY, "a"): [Contrast(value, ROUNDS, 2)]},
        layouts={ENERGY: layout},
    )


def test_earlier_blocks_of_the_machine_help_to_tell_how_processes_differ() -> None:
    dice = np.random.default_rng(5)
    ours = [of_one_block(dice, "vit")]
    earlier = [of_one_block(dice, f"model {number}") for number in range(20)]
    alone, helped = (judge(ours, [ENERGY], MARGIN, others) for others in ([], earlier))
    (family,), (other,) = (made.families for made in (alone, helped))
    assert family["a"][ENERGY].ratio == other["a"][ENERGY].ratio
    assert len(helped.families) == 1  # they are not compared themselves
    wide, narrow = (effect["a"][ENERGY].interval for effect in (family, other))
    assert wide is not None
    assert narrow is not None
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_blocks_of_another_setting_tell_nothing_of_this_one() -> None:
    dice = np.random.default_rng(5)
    ours = [of_one_block(dice, "vit")]
    elsewhere = replace(ours[0].setting, machine="another CPU")
    earlier = [replace(of_one_block(dice, "swin"), setting=elsewhere) for _ in range(20)]
    alone, beside = (judge(ours, [ENERGY], MARGIN, others) for others in ([], earlier))
    assert alone.families == beside.families
