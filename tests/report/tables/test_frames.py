"""The study as flat tables, and what is left of them after CSV and Parquet."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from greenexp.quantities import COST, ENERGY, LATENCY, Quantity
from greenexp.report.tables.frames import frames
from greenexp.study.estimates import Interval
from greenexp.study.study import Study
from tests.support.studies import empty_study, study

NAMES = ["overall", "cells", "paybacks", "sensitivities", "left_out"]


def sparse() -> Study:
    """A study that lacks much: one block, no dollars, no predictions."""
    made = study(2, 2, blocks=1)
    cells = [
        replace(
            cell,
            quantities={ENERGY: cell.quantities[ENERGY]},
            accuracy=None,
            monthly=None,
            bill=None,
            on_front=None,
            cost_holds=None,
        )
        for cell in made.cells
    ]
    return replace(made, cells=cells)


STUDIES = pytest.mark.parametrize(
    "made",
    [
        pytest.param(study(2, 8), id="full"),
        pytest.param(sparse(), id="sparse"),
        pytest.param(empty_study(), id="empty"),
    ],
)


@STUDIES
def test_parquet_keeps_values_absence_and_types(made: Study, tmp_path: Path) -> None:
    for name, frame in frames(made).items():
        frame.to_parquet(tmp_path / name, index=False)
        assert_frame_equal(pd.read_parquet(tmp_path / name), frame)


@STUDIES
def test_csv_keeps_values_and_absence(made: Study, tmp_path: Path) -> None:
    for name, frame in frames(made).items():
        frame.to_csv(tmp_path / name, index=False)
        back = pd.read_csv(tmp_path / name, dtype=frame.dtypes.to_dict())
        assert_frame_equal(back, frame)


@STUDIES
def test_absent_is_na_and_every_figure_is_finite(made: Study) -> None:
    for frame in frames(made).values():
        for column in frame.columns:
            assert str(frame[column].dtype) in ("string", "Float64", "Int64", "boolean")
            known = frame[column].dropna()
            if frame[column].dtype == "Float64":
                assert all(math.isfinite(value) for value in known)


def test_columns_and_types_do_not_depend_on_what_was_measured() -> None:
    full, empty = frames(study(2, 8)), frames(empty_study())
    assert list(full) == list(empty) == NAMES
    for name in NAMES:
        assert full[name].dtypes.to_dict() == empty[name].dtypes.to_dict()
        assert list(full[name].columns) == list(empty[name].columns)


def test_cells_hold_the_figures_of_the_study() -> None:
    made = study(2, 3)
    frame = frames(made)["cells"]
    assert len(frame) == len(made.cells)
    for cell, (_, row) in zip(made.cells, frame.iterrows(), strict=True):
        assert (row["model"], row["tactic"], row["blocks"]) == (
            cell.model,
            cell.tactic,
            cell.blocks,
        )
        assert row["energy_per_image_j"] == cell.quantities[ENERGY].value
        assert row["energy_source"] == "cpu:model"
        assert row["on_front"] == cell.on_front
        if cell.is_baseline:
            assert row["energy_ratio"] is pd.NA
            assert row["top1_delta"] is pd.NA
            assert row["monthly_saved_kwh"] is pd.NA
            continue
        for metric, begin in ((ENERGY, "energy"), (LATENCY, "latency"), (COST, "cost")):
            effect = cell.effects[metric]
            assert effect.interval is not None
            assert row[f"{begin}_ratio"] == effect.ratio
            assert row[f"{begin}_ratio_high"] == effect.interval.high
            assert row[f"{begin}_adjusted_p"] == effect.adjusted_p
            assert row[f"{begin}_verdict"] == effect.verdict
        assert cell.accuracy is not None
        assert cell.monthly is not None
        assert cell.monthly.kwh is not None
        assert cell.bill is not None
        assert row["top1_delta"] == cell.accuracy.delta
        assert row["images_lost"] == cell.accuracy.lost
        assert row["monthly_saved_kwh"] == cell.monthly.kwh.value
        assert row["bill_usd"] == cell.bill.total_usd.value


def test_overall_has_a_row_a_tactic_and_says_where_energy_is_from() -> None:
    made = study(2, 3)
    frame = frames(made)["overall"]
    assert list(frame["tactic"]) == [line.tactic for line in made.overall]
    assert list(frame["energy_ratio"]) == [line.effects[ENERGY].ratio for line in made.overall]
    assert set(frame["energy_source"]) == {"cpu:model"}


def test_break_even_without_an_upper_end_is_absent_and_said_to_have_none() -> None:
    made = study(1, 1)
    cell = made.cells[1]
    open_end = replace(
        cell.paybacks["j"], images=None, verdict="never", interval=Interval(5e3, math.inf)
    )
    unknown = replace(cell.paybacks["s"], interval=None, verdict="one block")
    paid = cell.paybacks["usd"]
    changed = replace(cell, paybacks={"j": open_end, "s": unknown, "usd": paid})
    frame = frames(replace(made, cells=[changed]))["paybacks"].set_index("currency")
    assert frame.loc["j", "break_even_images"] is pd.NA
    assert frame.loc["j", "break_even_low_images"] == 5e3
    assert frame.loc["j", "break_even_high_images"] is pd.NA
    assert frame.loc["j", "break_even_is_unbounded"]
    assert frame.loc["s", "break_even_is_unbounded"] is pd.NA
    assert not frame.loc["usd", "break_even_is_unbounded"]
    assert paid.interval is not None
    assert frame.loc["usd", "break_even_high_images"] == paid.interval.high
    assert list(frame["unit"]) == ["J", "s", "USD"]
    assert list(frame["verdict"]) == ["never", "one block", "pays back"]


def test_sensitivities_have_a_row_a_price_tried() -> None:
    made = study(2, 2)
    frame = frames(made)["sensitivities"]
    expected = [
        (
            cell.model,
            cell.tactic,
            sensitivity.name,
            sensitivity.unit,
            value,
            saved,
            sensitivity.saved_unit,
        )
        for cell in made.cells
        for sensitivity in cell.sensitivities
        for value, saved in zip(sensitivity.values, sensitivity.saved, strict=True)
    ]
    columns = ["model", "tactic", "price", "unit", "value", "monthly_saved", "monthly_saved_unit"]
    assert expected
    assert list(frame[columns].itertuples(index=False, name=None)) == expected


def test_left_out_keeps_reason_number_and_examples() -> None:
    made = study()
    frame = frames(made)["left_out"]
    assert list(frame["reason"]) == [omission.reason for omission in made.left_out]
    assert list(frame["runs"]) == [omission.runs for omission in made.left_out]
    assert frame.loc[0, "examples"] == "; ".join(made.left_out[0].examples)


def test_a_metric_of_its_own_gets_its_columns() -> None:
    made = study(1, 1)
    quantity = made.cells[0].quantities[ENERGY]
    cell = replace(made.cells[0], quantities={"water/per_image_ml": quantity})
    water = Quantity("water/per_image_ml", "water", "ml/image")
    frame = frames(replace(made, cells=[cell], quantities=[water]))["cells"]
    assert frame.loc[0, "water_per_image_ml"] == quantity.value
