"""What a cell saves: its month, its bill and its break-even."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.quantities import ENERGY
from greenexp.study.economics import Expense, Pair, paybacks
from greenexp.study.savings import Payback
from tests.support.synthetic_runs import JOULES, STUDY, Planted, cell_of, compared, rows, used


def test_month_bill_and_break_even_are_those_of_the_pairs() -> None:
    tactics = {"tactic": Planted(energy=0.5, latency=0.5, joules=100.0, seconds=3.0)}
    comparison = compared(
        rows(tactics=tactics, noise=0.0, drift=0.0), tactics, requests_per_month=1e7, months=6.0
    )
    cell = cell_of(comparison, "tactic")
    saved_j = JOULES * 0.5
    usd_per_j = 0.2 * 1.5 / 3.6e6
    assert cell.monthly is not None
    assert cell.monthly.kwh is not None
    assert cell.monthly.usd is not None
    assert cell.monthly.kg_co2e is not None
    assert cell.monthly.hours is not None
    assert cell.monthly.kwh.value == pytest.approx(1e7 * saved_j / 3.6e6)
    assert cell.monthly.usd.value == pytest.approx(1e7 * saved_j * usd_per_j)
    assert cell.monthly.kg_co2e.value == pytest.approx(1e7 * saved_j / 3.6e6 * 1.5 * 0.4)
    assert cell.monthly.hours.value == pytest.approx(1e7 * 0.005 / 3600)
    assert cell.paybacks["j"].images == pytest.approx(100 / saved_j)
    assert cell.paybacks["usd"].images == pytest.approx(100 / saved_j)
    assert cell.paybacks["s"].images == pytest.approx(3 / 0.005)
    assert cell.bill is not None
    assert cell.bill.baseline_usd.value == pytest.approx(6e7 * JOULES * usd_per_j)
    assert cell.bill.total_usd.value == pytest.approx((6e7 * saved_j + 100) * usd_per_j)
    assert (cell.energy_source, cell.cost_holds) == ("cpu:counter", "electricity")


def test_break_even_is_of_pairs_within_blocks() -> None:
    made = rows(noise=0.01, blocks=5)
    cell = cell_of(compared(made), "quantized")
    runs = {(run.tactic, run.block, run.replicate): run for run in used(made)}
    pairs = []
    for block in range(1, 6):
        own, base = runs["quantized", block, 1], runs["baseline", block, 1]
        joules, others = own.figures[ENERGY], base.figures[ENERGY]
        pairs.append(
            Pair(
                Expense(1 / own.figures["throughput/images_per_s"], joules),
                Expense(1 / base.figures["throughput/images_per_s"], others),
                Expense(2.0, 20.0),
            )
        )
    expected: dict[Any, Payback] = paybacks(pairs, next(iter(runs.values())).prices)
    assert cell.paybacks == expected


@pytest.mark.parametrize("tactic", ["slowed", "pruned"])
def test_what_saves_nothing_never_pays_back(tactic: str) -> None:
    paid = cell_of(compared(rows(tactics=STUDY), STUDY), tactic).paybacks["j"]
    assert paid.verdict == "never"
    assert paid.images is None
