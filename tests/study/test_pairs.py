"""Which run stands beside which."""

from __future__ import annotations

import math
from typing import Any

import pytest

from greenexp.quantities import COST, ENERGY, LATENCY, compared
from greenexp.settings.hardware import Hardware, Price
from greenexp.study.pairs import Group, comparable, groups, logs, versus_baseline
from tests.support.synthetic_runs import LOCAL, QUANTIZED, STUDY, Row, rows, used, without_energy


def only(made: list[Row], **options: Any) -> Group:
    (group,) = groups(used(made, **options))
    return group


def dropped(made: list[Row], tactic: str, *blocks: int, replicate: int = 1) -> list[Row]:
    """Returns the rows without a tactic's runs of some blocks."""
    return [
        row
        for row in made
        if (row["tactic"], row["replicate"]) != (tactic, replicate) or row["block"] not in blocks
    ]


def test_pairs_are_of_one_block() -> None:
    group = only(rows(blocks=4, tactics=STUDY))
    assert set(group.tactics) == set(STUDY)
    for tactic in STUDY:
        both = group.pairs(tactic)
        assert [(run.tactic, base.tactic) for run, base in both] == [(tactic, "baseline")] * 4
        assert [(run.block, base.block) for run, base in both] == [(b, b) for b in (1, 2, 3, 4)]
        assert not any(run.is_repeat or base.is_repeat for run, base in both)


def test_pairs_of_noise_are_the_two_baselines_of_a_block() -> None:
    both = only(rows(blocks=3)).aa_pairs()
    assert [(run.replicate, base.replicate) for run, base in both] == [(2, 1)] * 3
    assert [run.block for run, _ in both] == [base.block for _, base in both] == [1, 2, 3]


def test_further_baselines_make_pairs_of_which_no_run_is_in_two() -> None:
    group = only(baselines(6))
    assert [(run.replicate, base.replicate) for run, base in group.aa_pairs()] == [
        (2, 1),
        (4, 3),
        (6, 5),
    ]
    assert [(run.replicate, base.replicate) for run, base in only(baselines(3)).aa_pairs()] == [
        (2, 1)
    ]


def test_all_baselines_that_were_measured_together_are_what_a_tactic_is_held_against() -> None:
    made = [row | {"together": "x"} for row in baselines(6)]
    group = only(made)
    (place,) = group.places
    assert [run.replicate for run in group.baselines(place)] == [1, 2, 3, 4, 5, 6]
    group = only([row for row in made if (row["tactic"], row["replicate"]) != ("baseline", 1)])
    assert [run.replicate for run in group.baselines(place)] == [2, 3, 4, 5, 6]
    assert [base.replicate for _, base in group.pairs("quantized")] == [2]


def baselines(count: int) -> list[Row]:
    """Returns the runs of one block with so many baselines."""
    made = rows(blocks=1)
    (second,) = [row for row in made if row["replicate"] == 2]
    return made + [
        second | {"replicate": number, "run_id": str(number)} for number in range(3, count + 1)
    ]


def test_run_whose_block_lacks_the_baseline_has_no_pair() -> None:
    made = dropped(rows(blocks=5), "baseline", 2, 5)
    made = dropped(made, "quantized", 3)
    group = only(made)
    assert [run.block for run, _ in group.pairs("quantized")] == [1, 4]
    assert [run.block for run, _ in group.aa_pairs()] == [1, 3, 4]


def test_second_baseline_never_stands_in_for_the_first() -> None:
    group = only(dropped(rows(blocks=3), "baseline", 1, 2, 3))
    assert group.baseline == {}
    assert group.pairs("quantized") == group.aa_pairs() == group.every_pair() == []
    assert [run.tactic for run in group.first_runs()] == ["quantized"]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"workload": "quick"}, id="two workloads"),
        pytest.param({"hardware": "laptop_cpu"}, id="two presets"),
        pytest.param({"dataset": "cifar10"}, id="two data sets"),
        pytest.param({"machine": "beef"}, id="two machines of one name"),
        pytest.param({"machine": "beef", "cpu": "Other CPU"}, id="two machines"),
        pytest.param({"setting_varied": "batch_size=8"}, id="two batch sizes"),
    ],
)
def test_settings_never_mix(other: Row) -> None:
    made = [*rows(["vit", "swin"], blocks=2), *rows(["vit", "swin"], blocks=2, seed=1, **other)]
    all_groups = groups(used(made))
    assert len(all_groups) == 4
    assert len({group.setting for group in all_groups}) == 2
    assert len({group.setting.name for group in all_groups}) == 2
    for group in all_groups:
        for run, base in group.every_pair():
            assert run.setting == base.setting == group.setting
            assert run.model == base.model == group.model
            assert run.peers == base.peers


def test_first_runs_are_of_the_first_block_there_is() -> None:
    group = only(dropped(rows(blocks=3), "baseline", 1))
    assert [(run.tactic, run.block) for run in group.first_runs()] == [
        ("baseline", 2),
        ("quantized", 1),
    ]


def test_logarithms_are_of_tactic_by_baseline() -> None:
    group = only(rows(blocks=6, noise=0.0, drift=0.5))
    for metric, ratio in ((ENERGY, 0.6), (LATENCY, 0.7), (COST, 0.6)):
        assert logs(group.pairs("quantized"), metric) == pytest.approx([math.log(ratio)] * 6)


@pytest.mark.parametrize("value", [None, 0.0, -1.0])
@pytest.mark.parametrize("tactic", ["baseline", "quantized"])
def test_what_is_not_above_zero_has_no_ratio(tactic: str, value: float | None) -> None:
    made = rows(blocks=2)
    spoilt = [
        row | {ENERGY: value} if (row["tactic"], row["block"]) == (tactic, 1) else row
        for row in made
    ]
    group = only(spoilt)
    assert [run.block for run, _ in comparable(group.pairs("quantized"), ENERGY)] == [2]
    assert len(logs(group.pairs("quantized"), LATENCY)) == 2


RENT = Price(usd_per_hour=1.0)
RENT_AND_POWER = Price(usd_per_hour=1.0, usd_per_kwh=0.2)


@pytest.mark.parametrize(
    ("price", "metered", "priced"),
    [
        pytest.param(LOCAL.price, 1, 1, id="dollars of joules alone"),
        pytest.param(RENT_AND_POWER, 1, 1, id="dollars of joules among others"),
        pytest.param(RENT, 1, 2, id="dollars without joules"),
    ],
)
@pytest.mark.parametrize("source", ["cpu:model", None], ids=["an estimate", "no energy"])
def test_joules_of_different_sources_are_not_held_together(
    source: str | None, price: Price, metered: int, priced: int
) -> None:
    made = rows(blocks=2, tactics=QUANTIZED)
    (row,) = [row for row in made if (row["tactic"], row["block"]) == ("quantized", 1)]
    made.remove(row)
    other = row | {"energy_source": source} if source else without_energy([row])[0]
    (group,) = groups(used([*made, other], Hardware(any_device=True, price=price)))
    both = group.pairs("quantized")
    assert len(logs(both, ENERGY)) == metered
    assert len(logs(both, COST)) == priced
    assert len(logs(both, LATENCY)) == 2


def test_every_run_beside_a_baseline_says_how_it_compares() -> None:
    made = rows(["vit", "swin"], blocks=2, noise=0.0)
    runs = {run.id: run for run in used(made)}
    figures = versus_baseline(runs.values())
    assert set(figures) == {run.id for run in runs.values() if run.tactic != "baseline"} | {
        run.id for run in runs.values() if run.is_repeat
    }
    for run_id, values in figures.items():
        second = runs[run_id].is_repeat
        assert values == pytest.approx(
            {
                "vs_baseline/energy_ratio": 1.0 if second else 0.6,
                "vs_baseline/latency_ratio": 1.0 if second else 0.7,
                "vs_baseline/cost_ratio": 1.0 if second else 0.6,
                "vs_baseline/top1_delta": 0.0 if second else -1 / 400,
            },
            abs=1e-12,
        )


def test_what_is_unknown_is_not_compared() -> None:
    made = [
        {name: value for name, value in row.items() if name != "accuracy/top1"}
        for row in without_energy(rows(blocks=1))
    ]
    assert {tuple(values) for values in versus_baseline(used(made)).values()} == {
        ("vs_baseline/latency_ratio",)
    }


def test_nothing_is_compared_where_there_is_nothing() -> None:
    assert groups([]) == []
    assert versus_baseline([]) == {}
    assert [quantity.name for quantity in compared()] == [ENERGY, LATENCY, COST]
