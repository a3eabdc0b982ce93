"""The study as flat typed tables, of which CSV and Parquet are written.

Units are in the columns' names; fractions are of 1. What is absent is `pd.NA` in every column,
never 0, NaN or an infinity. Types are pandas' nullable ones, which Parquet keeps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from greenexp.quantities import Quantity as Described
from greenexp.report.tables import columns
from greenexp.report.words import machines as words
from greenexp.report.words.format import PRICES, sources
from greenexp.study.estimates import Accuracy, Effect, Interval, Quantity
from greenexp.study.savings import Payback, Sensitivity
from greenexp.study.study import Cell, Deployment, Machines, Overall, Setting, Study

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


def frames(study: Study) -> dict[str, pd.DataFrame]:
    """Returns the tables `overall`, `cells`, `paybacks`, `sensitivities` and `left_out`.

    `overall` has a row a setting and tactic; `cells` a row a setting, model and tactic, baselines
    included; `paybacks` a row a cell and currency, whose `unit` is that of its price and saving;
    `sensitivities` a row a cell, price and value tried; `left_out` a row a reason.
    Where there are several machines, `machines` has a row a data set, model and machine, cheapest
    first. `break_even_high_images` is absent where the interval has no upper end, and then
    `break_even_is_unbounded` is true; without an interval both are absent.
    """
    tables = {
        "overall": _frame(
            [_overall(line, study) for line in study.overall], columns.overall(study.quantities)
        ),
        "cells": _frame(
            [_cell(cell, study) for cell in study.cells], columns.cells(study.quantities)
        ),
        "paybacks": _frame(
            [_payback(cell, payback) for cell in study.cells for payback in cell.paybacks.values()],
            columns.PAYBACKS,
        ),
        "sensitivities": _frame(
            [
                row
                for cell in study.cells
                for sensitivity in cell.sensitivities
                for row in _tried(cell, sensitivity)
            ],
            columns.SENSITIVITIES,
        ),
        "left_out": _frame(
            [
                {
                    "reason": exclusion.reason,
                    "runs": exclusion.runs,
                    "examples": _joined(exclusion.examples),
                }
                for exclusion in study.left_out
            ],
            columns.LEFT_OUT,
        ),
    }
    if study.machines:
        shown = words.columns(study)
        tables["machines"] = _frame(
            [
                _machine(machines, deployment, shown)
                for machines in study.machines
                for deployment in machines.deployments
            ],
            columns.machines(shown),
        )
    return tables


def _frame(rows: Sequence[Row], schema: columns.Schema) -> pd.DataFrame:
    import pandas as pd  # 0.5 s to import

    return pd.DataFrame(
        {
            name: pd.array([_known(row.get(name)) for row in rows], dtype=kind)
            for name, kind in schema.items()
        }
    )


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _overall(line: Overall, study: Study) -> Row:
    of_setting = [cell for cell in study.cells if cell.setting == line.setting]
    return {
        **_setting(line.setting),
        "tactic": line.tactic,
        "models": line.models,
        **_effects(line.effects, study.compared),
        **_accuracy(line.accuracy),
        "top1_models": None if line.accuracy is None else line.accuracy.models,
        "energy_source": _joined(sources(of_setting)),
        "doubts": _joined(line.doubts),
    }


def _cell(cell: Cell, study: Study) -> Row:
    row = {
        **_named(cell),
        "blocks": cell.blocks,
        **_effects(cell.effects, study.compared),
        **_accuracy(cell.accuracy),
        "on_front": cell.on_front,
        "energy_source": cell.energy_source,
        "cost_holds": cell.cost_holds,
        "doubts": _joined(cell.doubts),
        "run_ids": _joined(cell.run_ids),
    }
    for quantity in study.quantities:
        row |= _quantity(quantity.column, cell.quantities.get(quantity.name))
    if cell.monthly is not None:
        for name in ("kwh", "usd", "kg_co2e", "hours"):
            row |= _quantity(f"monthly_saved_{name}", getattr(cell.monthly, name))
    if cell.bill is not None:
        row |= _quantity("bill_usd", cell.bill.total_usd)
        row |= _quantity("baseline_bill_usd", cell.bill.baseline_usd)
    return row


def _payback(cell: Cell, payback: Payback) -> Row:
    interval = payback.interval
    return {
        **_named(cell),
        "currency": payback.currency,
        "unit": PRICES[payback.currency],
        "price": payback.price,
        "saving_per_image": payback.saving,
        **_ends("saving_per_image_{}", payback.saving_interval),
        "break_even_images": payback.images,
        **_ends("break_even_{}_images", interval),
        "break_even_is_unbounded": None if interval is None else math.isinf(interval.high),
        "verdict": str(payback.verdict),
        "energy_source": cell.energy_source,
    }


def _tried(cell: Cell, sensitivity: Sensitivity) -> list[Row]:
    return [
        {
            **_named(cell),
            "price": sensitivity.name,
            "unit": sensitivity.unit,
            "value": value,
            "monthly_saved": saved,
            "monthly_saved_unit": sensitivity.saved_unit,
            "energy_source": cell.energy_source,
        }
        for value, saved in zip(sensitivity.values, sensitivity.saved, strict=True)
    ]


def _machine(machines: Machines, deployment: Deployment, shown: Sequence[Described]) -> Row:
    row: Row = {
        **_setting(deployment.setting),
        "model": machines.model,
        "is_advised": deployment.is_advised,
    }
    cell = deployment.cell
    if cell is None:
        return row
    for quantity in shown:
        row |= _quantity(quantity.column, cell.quantities.get(quantity.name))
    return row | {
        "tactic": cell.tactic,
        "blocks": cell.blocks,
        "energy_source": cell.energy_source,
        "energy_is_estimate": None if cell.energy_source is None else words.estimated(cell),
        "cost_holds": cell.cost_holds,
        "doubts": _joined(cell.doubts),
    }


def _named(cell: Cell) -> Row:
    return {**_setting(cell.setting), "model": cell.model, "tactic": cell.tactic}


def _setting(setting: Setting) -> Row:
    return {
        "setting": setting.name,
        "dataset": setting.dataset,
        "hardware": setting.hardware,
        "workload": setting.workload,
        "machine": setting.machine,
        "varied": setting.varied or None,
    }


def _effects(effects: Mapping[str, Effect], compared: Sequence[Described]) -> Row:
    row: Row = {}
    for quantity in compared:
        effect = effects.get(quantity.name)
        if effect is None:
            continue
        values = {
            "ratio": effect.ratio,
            **_ends("ratio_{}", effect.interval),
            "units": effect.units,
            "p_value": effect.p_value,
            "adjusted_p": effect.adjusted_p,
            "test": effect.test,
            "cliffs_delta": effect.cliffs_delta,
            "detectable_saving": effect.detectable,
            "noise_floor": effect.floor,
            "verdict": str(effect.verdict),
        }
        row |= {f"{quantity.slug}_{key}": value for key, value in values.items()}
    return row


def _accuracy(accuracy: Accuracy | None) -> Row:
    if accuracy is None:
        return {}
    return {
        "top1_delta": accuracy.delta,
        **_ends("top1_delta_{}", accuracy.interval),
        "top1_p_value": accuracy.p_value,
        "images": accuracy.images,
        "images_lost": accuracy.lost,
        "images_gained": accuracy.gained,
    }


def _quantity(column: str, quantity: Quantity | None) -> Row:
    if quantity is None:
        return {}
    return {column: quantity.value, **_ends(f"{column}_{{}}", quantity.interval)}


def _ends(column: str, interval: Interval | None) -> Row:
    if interval is None:
        return {}
    return {column.format("low"): interval.low, column.format("high"): interval.high}


def _joined(words: Sequence[str]) -> str | None:
    return "; ".join(words) or None
