"""Advice as a value: its kind, and what the words are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from greenexp.quantities import ENERGY, LATENCY
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import Comparison, compare
from greenexp.study.estimates import Accuracy, Effect, Interval
from greenexp.study.study import Advice, Cell
from greenexp.study.undecided import BlockPace, paces
from greenexp.study.verdicts import AdviceKind, Caveat, EnergyBasis, PaybackVerdict, Verdict
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
        pytest.param(rows(blocks=3), AdviceKind.UNDECIDED, id="few blocks"),
        pytest.param(rows(tactics={"slowed": STUDY["slowed"]}), AdviceKind.KEEP, id="slowed"),
        pytest.param(
            rows(tactics={"t": Planted(energy=0.98)}, noise=0.3),
            AdviceKind.UNDECIDED,
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
        pytest.param(5, QUANTIZED, AdviceKind.TOO_FEW_MODELS, id="few models"),
        pytest.param(8, QUANTIZED, AdviceKind.DEPLOY, id="enough"),
        pytest.param(8, {"slowed": STUDY["slowed"]}, AdviceKind.KEEP, id="nothing saves"),
    ],
)
def test_kind_of_advice_over_models(
    models: int, tactics: Mapping[str, Planted], kind: AdviceKind
) -> None:
    *of_models, last = advice(found(rows(EIGHT[:models], tactics), tactics))
    assert (last.kind, last.model) == (kind, None)
    assert [answer.model for answer in of_models] == list(EIGHT[:models])


def test_advice_holds_the_figures_of_its_cell() -> None:
    of = found(rows(energy_source="cpu:model"))
    (cell,) = [cell for cell in of.cells if not cell.is_baseline]
    answer = advice(of)[0]
    assert (answer.setting, answer.tactic, answer.metric) == (cell.setting, cell.tactic, ENERGY)
    assert answer.effect == cell.effects[ENERGY]
    assert answer.saved == cell.monthly
    assert answer.accuracy == cell.accuracy
    assert answer.paybacks == {currency: [payback] for currency, payback in cell.paybacks.items()}
    assert answer.basis is EnergyBasis.ESTIMATED


def test_without_energy_tactics_are_held_together_by_time() -> None:
    first = advice(found(without_energy(rows())))[0]
    assert (first.metric, first.basis) == (LATENCY, None)


def test_paybacks_that_claim_nothing_are_left_out() -> None:
    of = compared(rows())
    (cell,) = [cell for cell in of.cells if not cell.is_baseline]
    unsure = replace(cell.paybacks["j"], verdict=PaybackVerdict.ONE_BLOCK)
    bare = replace(cell, paybacks={"j": unsure, "s": cell.paybacks["s"]})
    base = replace(cell, tactic="baseline", effects={})
    (answer,) = decide.advice([base, bare], [], Report())
    assert answer.paybacks == {"s": [cell.paybacks["s"]]}


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
    (answer,) = decide.advice(cells, [], Report(max_top1_drop=0.01))
    assert (answer.kind, answer.caveat) == (AdviceKind.DEPLOY, caveat)


def judged(ratio: float, low: float, high: float, verdict: Verdict, **more: Any) -> Effect:
    """An effect of three blocks that were measured together."""
    known = {"units": 3, "adjusted_p": 0.2, "margin": 0.03, **more}
    return Effect(ratio, interval=Interval(low, high), verdict=verdict, **known)


LEADING = judged(0.462, 0.406, 0.525, Verdict.NOT_SHOWN)
EQUAL = judged(1.002, 0.99, 1.01, Verdict.EQUAL)
NOT_BETTER = judged(1.01, 0.98, 1.2, Verdict.NOT_SHOWN)
WIDE = judged(1.0, 0.9, 1.11, Verdict.NOT_SHOWN)
KEPT = Accuracy(0.0, interval=Interval(-0.001, 0.001), images=400)
LOST = Accuracy(-0.05, interval=Interval(-0.06, -0.04), images=400)


def cells_of(*effects: Effect | None, accuracy: Accuracy | None = KEPT) -> list[Cell]:
    """A baseline and tactics `a`, `b`, … of these effects on energy; None: of latency alone."""
    base, tactic = compared(rows()).cells
    return [base] + [
        replace(
            tactic,
            tactic="abcdef"[n],
            effects={LATENCY: EQUAL} if effect is None else {ENERGY: effect},
            accuracy=accuracy,
        )
        for n, effect in enumerate(effects)
    ]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        pytest.param(cells_of(LEADING), AdviceKind.UNDECIDED, id="looks better by half"),
        pytest.param(cells_of(EQUAL, WIDE), AdviceKind.UNDECIDED, id="one may be better"),
        pytest.param(cells_of(EQUAL, NOT_BETTER), AdviceKind.KEEP, id="none is by the margin"),
        pytest.param(cells_of(EQUAL, None), AdviceKind.UNDECIDED, id="one is not compared"),
        pytest.param(cells_of(LEADING, accuracy=None), AdviceKind.UNDECIDED, id="unknown top-1"),
        pytest.param(cells_of(LEADING, accuracy=LOST), AdviceKind.KEEP, id="loses too much"),
        pytest.param(
            cells_of(replace(NOT_BETTER, floor=0.05)), AdviceKind.UNDECIDED, id="within the noise"
        ),
    ],
)
def test_baseline_is_kept_only_where_nothing_better_is_left_open(
    cells: list[Cell], kind: AdviceKind
) -> None:
    (first,) = decide.advice(cells, [], Report())
    assert (first.kind, first.tactic) == (kind, None)


def test_what_decides_is_told_in_blocks_and_seconds() -> None:
    cells = cells_of(LEADING, WIDE)
    pace = {(cells[0].setting, "vit"): BlockPace(last=4, block_s=61.0)}
    (first,) = decide.advice(cells, [], Report(), pace)
    assert (first.blocks, first.repetitions, first.blocks_s) == (1, 5, 61.0)
    (settling,) = decide.advice(cells_of(WIDE), [], Report(), pace)
    needed = math.ceil(3 * (math.log(1.11 / 0.9) / 2 / math.log(1.03)) ** 2) - 3
    assert settling.blocks == needed
    assert settling.blocks_s == 61.0 * needed


def test_flagged_runs_stay_flagged_in_the_advice() -> None:
    made = [
        row | {"validity": "cpu_steal"} if row["tactic"] == "quantized" else row for row in rows()
    ]
    runs = used(made, keep_flagged=True)
    of = compare(runs, predictions(made, STUDY), Report(keep_flagged=True))
    (first,) = advice(of)
    assert (first.kind, list(first.doubts)) == (AdviceKind.DEPLOY, ["cpu_steal"])


def test_pace_of_a_model_is_the_mean_of_its_blocks() -> None:
    runs = [replace(run, seconds=10.0 * run.block) for run in used(rows(blocks=2))]
    ((_, pace),) = paces(runs).items()
    assert pace == BlockPace(last=2, block_s=45.0)
    unknown = paces([replace(run, seconds=None) for run in runs])
    assert [pace.block_s for pace in unknown.values()] == [None]
