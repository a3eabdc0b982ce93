"""The spread between processes: pooled, with the freedom that it has."""

from __future__ import annotations

import math

import numpy as np
import pytest

from greenexp.stats.two_levels import Spread, contrast_error, spread

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


def test_error_of_a_contrast_is_that_of_simulated_ones() -> None:
    dice = np.random.default_rng(2)
    means = [
        np.mean(dice.normal(0, SIGMA, 4) - dice.normal(0, SIGMA, (4, 2)).mean(axis=1))
        for _ in range(4000)
    ]
    error = contrast_error(Spread(SIGMA, 10), [2, 2, 2, 2])
    assert error == pytest.approx(np.std(means), rel=0.05)
    assert contrast_error(Spread(1.0, 1), [1]) == pytest.approx(math.sqrt(2))
