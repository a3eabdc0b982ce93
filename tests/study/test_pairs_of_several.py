"""Runs of several machines, stores and sweeps: which may stand beside which."""

from __future__ import annotations

import itertools

import pytest

from greenexp.quantities import ENERGY
from greenexp.study.pairs import Group, groups
from greenexp.study.select import PricedRun
from tests.support.synthetic_runs import QUANTIZED, Planted, Row, elsewhere, rows, used

PRUNED = {"pruned": Planted(energy=0.9)}
APART = pytest.mark.parametrize(
    "apart",
    [
        pytest.param(({"origin": "a"}, {"origin": "b"}), id="stores"),
        pytest.param(({"sweep": "day/1"}, {"sweep": "day/2"}), id="sweeps of one store"),
    ],
)


def only(made: list[Row]) -> Group:
    (group,) = groups(used(made))
    return group


def belongs(run: PricedRun) -> tuple[str | None, str | None]:
    return run.origin, run.sweep


@APART
def test_block_of_one_store_is_no_block_of_another(apart: tuple[Row, Row]) -> None:
    """Both count their blocks from 1 and were measured one run after the other."""
    here = [row | apart[0] for row in rows(blocks=3, tactics=QUANTIZED)]
    there = elsewhere(rows(blocks=3, tactics=PRUNED, seed=1), "there", **apart[1])
    group = only([*here, *there])
    assert [len(group.pairs(tactic)) for tactic in ("quantized", "pruned")] == [3, 3]
    assert len(group.aa_pairs()) == 6
    for run, base in group.every_pair():
        assert belongs(run) == belongs(base)
        assert run.block == base.block
        assert [base.id for base in group.baselines(run.place)] == [group.baseline[run.place].id]


@APART
def test_run_without_a_baseline_of_its_own_borrows_none(apart: tuple[Row, Row]) -> None:
    here = [row | apart[0] for row in rows(blocks=2, tactics={})]
    there = elsewhere(rows(blocks=2, tactics=PRUNED), "there", **apart[1])
    group = only([*here, *(row for row in there if row["tactic"] == "pruned")])
    assert group.pairs("pruned") == []
    assert group.contrasts("pruned", ENERGY) == {}
    assert len(group.aa_pairs()) == 2


@APART
def test_runs_measured_together_keep_to_themselves(apart: tuple[Row, Row]) -> None:
    here = [row | apart[0] | {"together": f"h{row['block']}"} for row in rows(blocks=2)]
    there = [
        row | {"together": f"t{row['block']}"}
        for row in elsewhere(rows(blocks=2, tactics=PRUNED), "there", **apart[1])
    ]
    group = only([*here, *there])
    for tactic, first in (("quantized", "h"), ("pruned", "t")):
        assert [base.together for _, base in group.pairs(tactic)] == [f"{first}1", f"{first}2"]
    assert {pair.together for each in group.aa_pairs() for pair in each} == {"h1", "h2", "t1", "t2"}


@pytest.mark.parametrize(
    "of_kind",
    [
        pytest.param({"machine": "beef"}, id="another kind"),
        pytest.param({"machine": "beef", "together": None, "origin": "b"}, id="in another store"),
    ],
)
def test_machines_of_different_kinds_share_no_group(of_kind: Row) -> None:
    there = elsewhere(rows(blocks=2, tactics=PRUNED), "there", **of_kind)
    for group in groups(used([*rows(blocks=2), *there])):
        of_tactics = list(itertools.chain(*group.every_process()))
        assert len({run.machine for run in [*group.baseline.values(), *of_tactics]}) == 1


def test_predictions_held_together_are_of_one_store() -> None:
    here = [row | {"origin": "a"} for row in rows(blocks=2, tactics={})]
    there = elsewhere(rows(blocks=2, tactics=PRUNED), "there", origin="b")
    group = only([*here, *there])
    both = group.judged("pruned")
    assert both is not None
    assert [run.origin for run in both] == ["b", "b"]
    assert {run.id for run in both} < {run.id for run in group.first_runs()}
    without = [row for row in there if row["tactic"] == "pruned"]
    assert only([*here, *without]).judged("pruned") is None


@pytest.mark.parametrize(
    "apart",
    [
        pytest.param(({"origin": "a"}, {"origin": "b"}), id="stores"),
        pytest.param(({"host": "one"}, {"host": "two"}), id="hosts of one store"),
    ],
)
def test_what_a_machine_of_the_same_kind_measured_replaces_nothing(
    apart: tuple[Row, Row],
) -> None:
    def placed(made: list[Row], place: str) -> list[Row]:
        return [row | {"together": f"{place}{row['block']}"} for row in made]

    here = placed([row | apart[0] for row in rows(blocks=2)], "h")
    there = placed(elsewhere(rows(blocks=2, seed=1), "there", **apart[1]), "t")
    assert len(only([*here, *there]).pairs("quantized")) == 4
    again = placed(elsewhere(rows(blocks=2, seed=1), "there", **apart[0]), "t")
    assert len(only([*here, *again]).pairs("quantized")) == 2, "measured again by the same machine"


def test_runs_whose_host_is_not_known_are_those_of_any() -> None:
    there = elsewhere(rows(blocks=2), "there", host="two")
    assert len(only([*rows(blocks=2), *there]).pairs("quantized")) == 2
