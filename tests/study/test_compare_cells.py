"""What a cell says besides its ratios, and that what is missing is absent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.quantities import COST, ENERGY, LATENCY
from greenexp.settings.hardware import Hardware, Price
from greenexp.settings.report import Report
from greenexp.study.effects import Comparison, compare
from tests.support.synthetic_runs import (
    STUDY,
    Row,
    cell_of,
    compared,
    line_of,
    predictions,
    rows,
    used,
    without,
    without_energy,
)

MODELS = ("vit", "swin", "beit")
EIGHT = ("vit", "swin", "beit", "deit", "levit", "pvt", "bit", "cvt")


def figures(value: Any) -> Iterator[tuple[str, float]]:
    """Yields every number inside, and of which kind of thing it is a field."""
    if is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            name = f"{type(value).__name__}.{field.name}"
            if isinstance(inner, float):
                yield name, inner
            yield from ((f"{name} {deeper}", number) for deeper, number in figures(inner))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from figures(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from figures(inner)


def check_finite(comparison: Comparison) -> None:
    """Every number is one, but for the upper end of a break-even that may never come."""
    for name, number in figures([*comparison.cells, *comparison.overall, comparison.noise]):
        if not math.isfinite(number):
            assert name.endswith("Payback.interval Interval.high")
            assert number == math.inf


def test_without_energy_there_are_ratios_of_latency_and_no_front() -> None:
    comparison = compared(without_energy(rows(MODELS, STUDY)), STUDY)
    for cell in comparison.cells:
        assert ENERGY not in cell.quantities
        assert cell.energy_source is None
        assert cell.on_front is None
        assert set(cell.effects) == (set() if cell.is_baseline else {LATENCY})
        assert set(cell.paybacks) <= {"s"}
        if cell.monthly is not None:
            assert (cell.monthly.kwh, cell.monthly.usd, cell.monthly.kg_co2e) == (None, None, None)
            assert cell.monthly.hours is not None
        assert cell.bill is None
    assert {tuple(line.effects) for line in comparison.overall} == {(LATENCY,)}
    assert cell_of(comparison, "quantized").effects[LATENCY].verdict == "lower"
    check_finite(comparison)


def test_without_energy_a_machine_that_has_a_price_has_dollars() -> None:
    rent = Hardware(any_device=True, price=Price(usd_per_hour=3.6, usd_per_kwh=0.2))
    cell = cell_of(compared(without_energy(rows()), preset=rent), "quantized")
    assert cell.cost_holds == "machine"
    assert cell.effects[COST].ratio == pytest.approx(0.7, rel=0.01)
    assert cell.monthly is not None
    assert cell.monthly.usd is not None


@pytest.mark.parametrize("source", ["cpu:model", None])
def test_joules_of_another_source_are_not_compared(source: str | None) -> None:
    """In half of the blocks the counter could not be read under the tactic."""
    made = rows(noise=0.0)
    odd = [row for row in made if row["tactic"] == "quantized" and row["block"] > 4]
    kept = [row for row in made if row not in odd]
    odd = [row | {"energy_source": source} for row in odd] if source else without_energy(odd)
    odd = [row | ({ENERGY: row[ENERGY] * 50} if source else {}) for row in odd]
    cell = cell_of(compared([*kept, *odd]), "quantized")
    assert cell.effects[ENERGY].units == 4
    assert cell.effects[ENERGY].ratio == pytest.approx(0.6)
    assert cell.effects[COST].ratio == pytest.approx(0.6)
    assert cell.effects[LATENCY].units == 8
    assert cell.monthly is not None
    assert cell.monthly.kwh is not None
    clean = cell_of(compared([row for row in made if row["block"] <= 4]), "quantized")
    assert cell.monthly == clean.monthly
    assert cell.paybacks == clean.paybacks


def test_where_no_pair_has_joules_of_one_source_seconds_alone_are_compared() -> None:
    made = [
        row | {"energy_source": "cpu:model"} if row["tactic"] == "quantized" else row
        for row in rows(blocks=3)
    ]
    cell = cell_of(compared(made), "quantized")
    assert set(cell.effects) == {LATENCY}
    assert set(cell.paybacks) == {"s"}
    assert cell.monthly is not None
    assert cell.monthly.kwh is None
    assert cell.energy_source == "cpu:model"


def test_cells_stand_baseline_first_then_by_energy() -> None:
    comparison = compared(rows(MODELS, STUDY, noise=0.0), STUDY)
    order = ["baseline", "harmed", "quantized", "compiled", "pruned", "slowed"]
    assert [(cell.model, cell.tactic) for cell in comparison.cells] == [
        (model, tactic) for model in MODELS for tactic in order
    ]
    assert [line.tactic for line in comparison.overall] == order[1:]


def test_accuracy_is_of_each_model_and_mixed_over_models() -> None:
    comparison = compared(rows(EIGHT, STUDY), STUDY)
    accuracy = cell_of(comparison, "harmed").accuracy
    assert accuracy is not None
    assert (accuracy.lost, accuracy.gained, accuracy.images) == (40, 0, 400)
    overall = line_of(comparison, "harmed").accuracy
    assert overall is not None
    assert (overall.models, overall.lost) == (8, 320)
    assert overall.delta == pytest.approx(-0.1)
    assert {cell.accuracy for cell in comparison.cells if cell.is_baseline} == {None}


def test_predictions_are_read_once_a_cell() -> None:
    """Each is a file of up to 50,000 lines, perhaps on a server."""
    made = rows(MODELS, STUDY, blocks=8)
    asked: list[str] = []
    inner = predictions(made, STUDY)

    def counted(run_id: str) -> Any:
        asked.append(run_id)
        return inner(run_id)

    compare(used(made), counted, Report())
    assert len(asked) == len(set(asked)) == len(MODELS) * (1 + len(STUDY))


def kept(keep: Callable[[Row], bool]) -> Callable[[list[Row]], list[Row]]:
    return lambda made: [row for row in made if keep(row)]


@pytest.mark.parametrize(
    ("spoil", "effects"),
    [
        pytest.param(kept(lambda row: row["tactic"] != "baseline"), 0, id="no baseline"),
        pytest.param(kept(lambda row: row["tactic"] == "baseline"), 0, id="only the baseline"),
        pytest.param(kept(lambda row: row["replicate"] == 2), 0, id="only second baselines"),
        pytest.param(kept(lambda row: False), 0, id="no run"),
        pytest.param(
            kept(lambda row: (row["tactic"] == "baseline") == (row["block"] % 2 == 0)),
            0,
            id="no block in common",
        ),
        pytest.param(kept(lambda row: row["block"] == 1), 3, id="one block"),
        pytest.param(kept(lambda row: row["block"] <= 2), 3, id="two blocks"),
        pytest.param(without_energy, 1, id="no energy"),
        pytest.param(lambda made: without(made, "throughput/images_per_s"), 2, id="no throughput"),
        pytest.param(lambda made: without(made, "optimization/time_s"), 3, id="no optimization"),
        pytest.param(lambda made: without(made, "accuracy/top1"), 3, id="nothing judged"),
        pytest.param(
            lambda made: without(made, *[name for name in made[0] if "/" in name]),
            0,
            id="nothing measured",
        ),
    ],
)
def test_what_is_missing_is_absent_and_no_number_is_made_up(
    spoil: Callable[[list[Row]], list[Row]], effects: int
) -> None:
    made = spoil(rows(["vit", "swin"], blocks=3))
    comparison = compared(made)
    check_finite(comparison)
    counts = {len(cell.effects) for cell in comparison.cells if not cell.is_baseline}
    assert counts <= {effects}
    assert all(line.effects for line in comparison.overall)
    for cell in comparison.cells:
        assert all(effect.verdict == "too few runs" for effect in cell.effects.values())
        if not cell.effects:
            assert cell.monthly is None
            assert cell.paybacks == {}


def test_one_block_has_ratios_and_no_interval() -> None:
    cell = cell_of(compared(rows(blocks=1, noise=0.0)), "quantized")
    effect = cell.effects[ENERGY]
    assert effect.ratio == pytest.approx(0.6)
    assert (effect.interval, effect.p_value, effect.detectable) == (None, None, None)
    assert effect.floor == pytest.approx(0.0, abs=1e-12)
    assert {paid.verdict for paid in cell.paybacks.values()} == {"one block"}
    assert all(quantity.interval is None for quantity in cell.quantities.values())


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.floats(0.0, 0.5),
    st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_whatever_is_lost_every_number_is_one(
    seed: int, blocks: int, noise: float, lost: list[bool]
) -> None:
    made = rows(("vit", "swin"), STUDY, blocks=blocks, noise=noise, seed=seed)
    some = [row for row, gone in zip(made, lost, strict=False) if not gone]
    comparison = compared(some, STUDY)
    check_finite(comparison)
    assert sum(cell.blocks for cell in comparison.cells) == sum(
        row["replicate"] == 1 for row in some
    )
