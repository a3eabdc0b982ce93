"""Ratios, claims and settings, with the truth planted in the runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.quantities import COST, ENERGY, LATENCY
from tests.support.synthetic_runs import STUDY, Planted, Row, cell_of, compared, line_of, rows

COMPARED = (ENERGY, LATENCY, COST)

MODELS = ("vit", "swin", "beit")
EIGHT = ("vit", "swin", "beit", "deit", "levit", "pvt", "bit", "cvt")


def test_ratios_are_what_was_planted() -> None:
    comparison = compared(rows(MODELS, STUDY, noise=0.0, drift=0.4), STUDY)
    for model in MODELS:
        for tactic, planted in STUDY.items():
            effects = cell_of(comparison, tactic, model).effects
            assert set(effects) == set(COMPARED)
            assert effects[ENERGY].ratio == pytest.approx(planted.energy)
            assert effects[LATENCY].ratio == pytest.approx(planted.latency)
            assert effects[COST].ratio == pytest.approx(planted.energy)  # electricity alone
            assert effects[ENERGY].units == 8
    for tactic, planted in STUDY.items():
        overall = line_of(comparison, tactic)
        assert overall.models == overall.effects[ENERGY].units == 3
        assert overall.effects[ENERGY].ratio == pytest.approx(planted.energy)
        assert overall.effects[LATENCY].ratio == pytest.approx(planted.latency)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_planted_is_told_from_noise(seed: int) -> None:
    comparison = compared(rows(EIGHT, STUDY, blocks=8, seed=seed), STUDY)
    expected = {
        "quantized": "lower",
        "compiled": "lower",
        "pruned": "no difference shown",
        "slowed": "higher",
        "harmed": "lower",
    }
    for tactic, verdict in expected.items():
        assert {cell_of(comparison, tactic, model).effects[ENERGY].verdict for model in EIGHT} == {
            verdict
        }
        assert line_of(comparison, tactic).effects[ENERGY].verdict == verdict
    effect = cell_of(comparison, "quantized").effects[ENERGY]
    assert effect.cliffs_delta == -1.0
    assert effect.interval is not None
    assert effect.interval.low < 0.6 < effect.interval.high
    assert effect.interval.high - effect.interval.low < 0.01
    for noise in comparison.noise["digits · local · steady"].values():
        assert noise.units == len(EIGHT)
        assert noise.ratio == pytest.approx(1.0, abs=0.003)


def test_pairs_are_of_one_block_so_what_a_block_does_to_all_is_no_noise() -> None:
    """The machine is up to ten times slower from block to block."""
    steady, drifting = (compared(rows(noise=0.002, drift=drift)) for drift in (0.0, 1.0))
    for metric in COMPARED:
        effect, other = (
            cell_of(comparison, "quantized").effects[metric] for comparison in (steady, drifting)
        )
        assert other.interval is not None
        assert other.verdict == effect.verdict == "lower"
        assert other.interval.high - other.interval.low < 0.01


def test_win_inside_the_floor_is_not_claimed() -> None:
    """Of each block the second baseline runs 3 % hotter than the first: so may any run."""
    tactics = {"tactic": Planted(energy=0.98, latency=0.98)}
    made = rows(tactics=tactics, noise=0.001)
    assert cell_of(compared(made), "tactic").effects[ENERGY].verdict == "lower"
    hot = [row | {ENERGY: row[ENERGY] * (1.03 if row["replicate"] == 2 else 1)} for row in made]
    comparison = compared(hot)
    effect = cell_of(comparison, "tactic").effects[ENERGY]
    assert effect.verdict == "no difference shown"
    assert effect.floor == pytest.approx(0.03, abs=0.003)
    assert effect.ratio == pytest.approx(0.98, abs=0.001)
    assert cell_of(comparison, "tactic").effects[LATENCY].verdict == "lower"
    assert comparison.noise["digits · local · steady"][ENERGY].ratio == pytest.approx(
        1.03, abs=0.002
    )


def test_noise_that_is_no_noise_is_called_so() -> None:
    """Over models, where the second baseline of each took more."""
    hot = [
        row | {ENERGY: row[ENERGY] * (1.1 if row["replicate"] == 2 else 1)}
        for row in rows(EIGHT, blocks=2)
    ]
    (noise,) = compared(hot).noise.values()
    assert noise[ENERGY].verdict == "higher"
    assert line_of(compared(hot), "quantized").effects[ENERGY].floor == pytest.approx(0.1, abs=0.01)


def test_without_noise_pairs_there_is_no_floor() -> None:
    comparison = compared(rows(aa=False))
    assert cell_of(comparison, "quantized").effects[ENERGY].floor is None
    assert comparison.noise == {"digits · local · steady": {}}


def test_model_is_the_unit_and_repeats_are_not_pooled() -> None:
    """Ten times the blocks make each model's ratio surer, and no claim about other models."""
    for blocks in (2, 20):
        comparison = compared(rows(MODELS, blocks=blocks))
        effect = line_of(comparison, "quantized").effects[ENERGY]
        assert effect.units == 3
        assert effect.verdict == "too few runs"
        assert effect.p_value == 2 / 2**3


def test_model_counts_once_however_many_blocks_it_has() -> None:
    """Ratios 0.5 over 12 blocks and 0.8 over two: the mean over models is that of the two."""
    often = rows(["vit"], {"tactic": Planted(energy=0.5)}, blocks=12, noise=0.0)
    seldom = rows(["swin"], {"tactic": Planted(energy=0.8)}, blocks=2, noise=0.0)
    effect = line_of(compared([*often, *seldom]), "tactic").effects[ENERGY]
    assert effect.ratio == pytest.approx(math.sqrt(0.5 * 0.8))
    assert effect.units == 2


def test_model_measured_twice_over_counts_once() -> None:
    """Where the runs differ in what is no setting, such as the limits of interference."""
    half, most = {"tactic": Planted(energy=0.5)}, {"tactic": Planted(energy=0.8)}
    made = [
        *rows(["vit"], half, noise=0.0, peers="before"),
        *rows(["vit"], half, noise=0.0, peers="after"),
        *rows(["swin"], most, noise=0.0),
    ]
    overall = line_of(compared(made), "tactic")
    assert overall.models == overall.effects[ENERGY].units == 2
    assert overall.effects[ENERGY].ratio == pytest.approx(math.sqrt(0.5 * 0.8))


def test_interval_over_models_holds_what_they_differ_by() -> None:
    ratios = {name: 0.4 + 0.05 * number for number, name in enumerate(EIGHT)}
    made = [
        row
        for name, ratio in ratios.items()
        for row in rows([name], {"tactic": Planted(energy=ratio)}, noise=0.0005)
    ]
    comparison = compared(made)
    effect = line_of(comparison, "tactic").effects[ENERGY]
    assert effect.interval is not None
    logs = np.log(list(ratios.values()))
    half = 2.364624 * logs.std(ddof=1) / math.sqrt(8)
    assert effect.interval.low == pytest.approx(math.exp(logs.mean() - half), rel=2e-3)
    assert effect.interval.high == pytest.approx(math.exp(logs.mean() + half), rel=2e-3)


def test_tactic_with_pairs_in_some_blocks_has_the_ratios_of_those() -> None:
    made = rows(blocks=8, noise=0.0)
    kept = [
        row
        for row in made
        if row["tactic"] != "quantized" or row["block"] in (1, 2, 3, 7)
        if (row["tactic"], row["block"]) != ("baseline", 7)
    ]
    cell = cell_of(compared(kept), "quantized")
    assert cell.blocks == 4
    assert cell.effects[ENERGY].units == 3
    assert cell.effects[ENERGY].ratio == pytest.approx(0.6)
    assert cell.effects[ENERGY].verdict == "too few runs"
    assert len(cell.run_ids) == 4


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"workload": "quick"}, id="two workloads"),
        pytest.param({"hardware": "laptop_cpu"}, id="two presets"),
        pytest.param({"machine": "beef"}, id="two machines of one name"),
        pytest.param({"machine": "beef", "cpu": "Other CPU"}, id="two machines"),
        pytest.param({"setting_varied": "batch_size=8"}, id="two batch sizes"),
    ],
)
def test_settings_are_never_mixed(other: Row) -> None:
    here = rows(MODELS, {"tactic": Planted(energy=0.5)})
    there = rows(MODELS, {"tactic": Planted(energy=1.5)}, blocks=3, seed=5, **other)
    comparison = compared([*here, *there])
    first, second = dict.fromkeys(cell.setting for cell in comparison.cells)
    assert first.name != second.name
    assert list(comparison.noise) == [first.name, second.name]
    for setting, made in ((first, here), (second, there)):
        alone = compared(made)
        cells = [replace(cell, setting=setting) for cell in alone.cells]
        assert [cell for cell in comparison.cells if cell.setting == setting] == cells
        lines = [replace(line, setting=setting) for line in alone.overall]
        assert [line for line in comparison.overall if line.setting == setting] == lines
        assert comparison.noise[setting.name] == next(iter(alone.noise.values()))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.0, 0.1), st.floats(1.0, 5.0))
def test_ratios_do_not_depend_on_units_nor_order(seed: int, noise: float, scale: float) -> None:
    made = rows(("vit", "swin"), STUDY, blocks=3, noise=noise, seed=seed)
    scaled = [row | {ENERGY: row[ENERGY] * scale} for row in reversed(made)]
    comparison, other = compared(made, STUDY), compared(scaled, STUDY)
    for cell in comparison.cells:
        for metric, effect in cell.effects.items():
            again = cell_of(other, cell.tactic, cell.model).effects[metric]
            assert again.ratio == pytest.approx(effect.ratio)
            assert again.verdict == effect.verdict
