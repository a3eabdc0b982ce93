"""The spread between processes: pooled, with the freedom that it has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from greenexp.stats.intervals import t_quantile
from greenexp.stats.two_levels import Spread, contrast_error, spread, spreads

SIGMA = 0.006
STUDIES = 400


def layout(dice: np.random.Generator, blocks: int, tactics: int) -> list[tuple[int, str, float]]:
    """Returns a group's runs; its baselines stand twice in each block."""
    arms = ["baseline", "baseline", *(f"t{n}" for n in range(tactics))]
    rows = []
    for block in range(blocks):
        of_block = dice.normal()
        rows += [(block, arm, of_block + dice.normal(0, SIGMA)) for arm in arms]
    return rows


def test_one_pair_of_baselines_has_one_degree_of_freedom() -> None:
    estimate = spread([[(0, "baseline", 0.01), (0, "baseline", -0.01), (0, "x", 0.5)]])
    assert estimate is not None
    assert estimate.freedom == 1
    assert estimate.value == pytest.approx(0.02 / math.sqrt(2), rel=1e-9)


def test_without_anything_repeated_there_is_no_spread() -> None:
    assert spread([[(0, "baseline", 0.0), (0, "x", 0.5)], []]) is None


@pytest.mark.parametrize(("blocks", "tactics"), [(1, 4), (2, 4), (4, 2), (8, 1)])
def test_freedom_is_that_of_analysis_of_variance(blocks: int, tactics: int) -> None:
    estimate = spread([layout(np.random.default_rng(0), blocks, tactics)] * 3)
    assert estimate is not None
    assert estimate.freedom == 3 * (blocks * (tactics + 1) - tactics)


def test_pooled_spread_is_that_of_the_processes() -> None:
    dice = np.random.default_rng(1)
    estimate = spread(layout(dice, 3, 4) for _ in range(200))
    assert estimate is not None
    assert estimate.value == pytest.approx(SIGMA, rel=0.05)


@pytest.mark.parametrize("processes", [1, 3])
def test_error_of_a_contrast_is_that_of_simulated_ones(processes: int) -> None:
    dice = np.random.default_rng(2)
    means = [
        np.mean(
            dice.normal(0, SIGMA, (4, processes)).mean(axis=1)
            - dice.normal(0, SIGMA, (4, 2)).mean(axis=1)
        )
        for _ in range(4000)
    ]
    error = contrast_error(Spread(SIGMA, 10), [(processes, 2)] * 4)
    assert error == pytest.approx(np.std(means), rel=0.05)
    assert contrast_error(Spread(1.0, 1), [(1, 1)]) == pytest.approx(math.sqrt(2))


def pairs(
    dice: np.random.Generator, sigma: float, number: int
) -> list[list[tuple[int, str, float]]]:
    """Returns blocks that hold two baselines and nothing else."""
    return [
        [(0, "baseline", float(dice.normal(0, sigma))) for _ in range(2)] for _ in range(number)
    ]


def held(dice: np.random.Generator, estimate: Spread, sigma: float) -> bool:
    """Tells whether the 95 % interval of a tactic that does nothing holds the truth."""
    value = dice.normal(0, sigma) - dice.normal(0, sigma, 2).mean()
    return bool(abs(value) <= t_quantile(estimate.freedom) * contrast_error(estimate, [(1, 2)]))


@pytest.mark.parametrize("blocks", [1, 2, 8])
@pytest.mark.parametrize("models", [1, 2, 5, 42])
def test_models_that_are_alike_share_one_spread(models: int, blocks: int) -> None:
    dice = np.random.default_rng([models, blocks])
    shared = 0
    for _ in range(100):
        layouts = {str(model): pairs(dice, SIGMA, blocks) for model in range(models)}
        estimates = spreads(layouts)
        pooled = spread(layout for of_model in layouts.values() for layout in of_model)
        shared += all(estimate == pooled for estimate in estimates.values())
        assert set(estimates) == set(layouts)
    assert shared >= 95


@pytest.mark.parametrize(("blocks", "least"), [(8, 0.87), (20, 0.92)])
def test_a_model_whose_processes_differ_more_has_wider_intervals(blocks: int, least: float) -> None:
    """Pooled over the five models its intervals would hold the truth in 70 %."""
    dice = np.random.default_rng(blocks)
    sigmas = {"a": 0.002, "b": 0.002, "c": 0.003, "d": 0.003, "odd": 0.008}
    of_odd, of_all = [], []
    for _ in range(600):
        estimates = spreads({model: pairs(dice, sigmas[model], blocks) for model in sigmas})
        each = {model: held(dice, estimates[model], sigmas[model]) for model in sigmas}
        of_odd.append(each["odd"])
        of_all += each.values()
    assert np.mean(of_odd) >= least
    assert 0.93 <= np.mean(of_all) <= 0.97


def test_a_model_of_which_nothing_is_repeated_has_what_the_others_tell() -> None:
    dice = np.random.default_rng(3)
    alike = {str(model): pairs(dice, SIGMA, 4) for model in range(5)}
    lonely = [[(0, "baseline", 0.0), (0, "x", 0.5)]]
    assert spreads({**alike, "new": lonely})["new"] == spread(
        layout for of_model in alike.values() for layout in of_model
    )
    sigmas = (0.001, 0.002, 0.003, 0.006, 0.012)
    apart = {str(sigma): pairs(dice, sigma, 20) for sigma in sigmas}
    estimates = spreads({**apart, "new": lonely})
    new = estimates.pop("new")
    assert new.freedom < min(estimate.freedom for estimate in estimates.values())
    assert sigmas[0] < new.value < sigmas[-1]
    wild = {str(n): pairs(dice, 10.0**-n, 20) for n in range(1, 9)}
    assert spreads({**wild, "new": lonely})["new"].freedom == 1.0
    assert spreads({"new": lonely}) == {}


def test_where_no_process_differs_there_is_no_spread_to_share_out() -> None:
    still = {str(model): [[(0, "baseline", 0.0)] * 2] for model in range(5)}
    assert {estimate.value for estimate in spreads(still).values()} == {0.0}
