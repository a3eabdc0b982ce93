"""Advice as a value: its kind, and what the words are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY, LATENCY
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import Comparison, compare
from greenexp.study.estimates import Accuracy, Interval
from greenexp.study.study import Advice
from greenexp.study.verdicts import AdviceKind, Caveat, EnergyBasis, PaybackVerdict
from tests.support.synthetic_runs import (
    QUANTIZED,
    STUDY,
    Planted,
    Row,
    compared,
    predictions,
    rows,
    used,
    without_energy,
)

EIGHT = ("vit", "swin", "beit", "deit", "levit", "pvt", "bit", "cvt")


def found(made: list[Row], tactics: Mapping[str, Planted] = STUDY) -> Comparison:
    return compare(used(made), predictions(made, tactics), Report())


def advice(of: Comparison, **options: float) -> list[Advice]:
    return decide.advice(of.cells, of.overall, Report(**options))


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        pytest.param(rows(), AdviceKind.DEPLOY, id="shown"),
        pytest.param(rows(blocks=3), AdviceKind.KEEP_TOO_FEW, id="few blocks"),
        pytest.param(
            rows(tactics={"slowed": STUDY["slowed"]}), AdviceKind.KEEP_NOT_LOWER, id="slowed"
        ),
        pytest.param(
            rows(tactics={"t": Planted(energy=0.98)}, noise=0.3),
            AdviceKind.KEEP_NOTHING_SHOWN,
            id="noisy",
        ),
        pytest.param(
            [row for row in rows() if row["tactic"] != "baseline"],
            AdviceKind.NO_BASELINE,
            id="no baseline",
        ),
        pytest.param(
            [row for row in rows() if row["tactic"] == "baseline"],
            AdviceKind.ONLY_BASELINE,
            id="only the baseline",
        ),
        pytest.param(
            [row for row in rows() if (row["tactic"] == "baseline") == (row["block"] > 4)],
            AdviceKind.NO_PAIR,
            id="no block in common",
        ),
    ],
)
def test_kind_of_advice_on_a_model(made: list[Row], kind: AdviceKind) -> None:
    first = advice(found(made, {"t": Planted(), **STUDY}))[0]
    assert (first.kind, first.model) == (kind, "vit")


@pytest.mark.parametrize(
    ("models", "tactics", "kind"),
    [
        pytest.param(1, QUANTIZED, AdviceKind.ONE_MODEL, id="one model"),
        pytest.param(5, QUANTIZED, AdviceKind.TOO_FEW_MODELS, id="few models"),
        pytest.param(8, QUANTIZED, AdviceKind.DEPLOY, id="enough"),
        pytest.param(
            8, {"slowed": STUDY["slowed"]}, AdviceKind.KEEP_NOTHING_SHOWN, id="nothing saves"
        ),
    ],
)
def test_kind_of_advice_over_models(
    models: int, tactics: Mapping[str, Planted], kind: AdviceKind
) -> None:
    *of_models, last = advice(found(rows(EIGHT[:models], tactics), tactics))
    assert (last.kind, last.model) == (kind, None)
    assert [one.model for one in of_models] == list(EIGHT[:models])


def test_advice_holds_the_figures_of_its_cell() -> None:
    of = found(rows(energy_source="cpu:model"))
    (cell,) = [cell for cell in of.cells if not cell.is_baseline]
    one = advice(of)[0]
    assert (one.setting, one.tactic, one.metric) == (cell.setting, cell.tactic, ENERGY)
    assert one.effect == cell.effects[ENERGY]
    assert one.saved == cell.monthly
    assert one.accuracy == cell.accuracy
    assert one.paybacks == {currency: [found] for currency, found in cell.paybacks.items()}
    assert one.basis is EnergyBasis.ESTIMATED


def test_without_energy_tactics_are_held_together_by_time() -> None:
    first = advice(found(without_energy(rows())))[0]
    assert (first.metric, first.basis) == (LATENCY, None)


def test_paybacks_that_claim_nothing_are_left_out() -> None:
    of = compared(rows())
    (cell,) = [cell for cell in of.cells if not cell.is_baseline]
    unsure = replace(cell.paybacks["j"], verdict=PaybackVerdict.ONE_BLOCK)
    bare = replace(cell, paybacks={"j": unsure, "s": cell.paybacks["s"]})
    base = replace(cell, tactic="baseline", effects={})
    (one,) = decide.advice([base, bare], [], Report())
    assert one.paybacks == {"s": [cell.paybacks["s"]]}


@pytest.mark.parametrize(
    ("accuracy", "caveat"),
    [
        pytest.param(Accuracy(0.0), Caveat.ERROR_UNKNOWN, id="no interval"),
        pytest.param(
            Accuracy(0.0, interval=Interval(-0.02, 0.02), images=400),
            Caveat.LARGER_DROP_POSSIBLE,
            id="wide",
        ),
        pytest.param(
            Accuracy(0.0, interval=Interval(-0.01, 0.01), images=400), None, id="narrow enough"
        ),
    ],
)
def test_caveat_says_what_the_top1_leaves_open(accuracy: Accuracy, caveat: Caveat | None) -> None:
    of = compared(rows())
    cells = [cell if cell.is_baseline else replace(cell, accuracy=accuracy) for cell in of.cells]
    (one,) = decide.advice(cells, [], Report(max_top1_drop=0.01))
    assert (one.kind, one.caveat) == (AdviceKind.DEPLOY, caveat)
