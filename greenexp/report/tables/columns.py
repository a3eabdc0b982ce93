"""Columns and types of the study's flat tables.

Units are in the columns' names. Types are pandas' nullable ones, which Parquet keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from greenexp.quantities import Quantity, compared

Type = Literal["string", "Float64", "Int64", "boolean"]
Schema = dict[str, Type]

SETTING: Schema = {
    "setting": "string",
    "dataset": "string",
    "hardware": "string",
    "workload": "string",
    "machine": "string",
    "varied": "string",
}
EFFECT: Schema = {
    "ratio": "Float64",
    "ratio_low": "Float64",
    "ratio_high": "Float64",
    "units": "Int64",
    "p_value": "Float64",
    "adjusted_p": "Float64",
    "test": "string",
    "cliffs_delta": "Float64",
    "detectable_saving": "Float64",
    "noise_floor": "Float64",
    "verdict": "string",
}
ACCURACY: Schema = {
    "top1_delta": "Float64",
    "top1_delta_low": "Float64",
    "top1_delta_high": "Float64",
    "top1_p_value": "Float64",
    "images": "Int64",
    "images_lost": "Int64",
    "images_gained": "Int64",
}
ECONOMY: Schema = {
    f"{name}{end}": "Float64"
    for name in (
        "monthly_saved_kwh",
        "monthly_saved_usd",
        "monthly_saved_kg_co2e",
        "monthly_saved_hours",
        "bill_usd",
        "baseline_bill_usd",
    )
    for end in ("", "_low", "_high")
}
ENDS = ("", "_low", "_high")
CELL: Schema = {**SETTING, "model": "string", "tactic": "string"}
PAYBACKS: Schema = {
    **CELL,
    "currency": "string",
    "unit": "string",
    "price": "Float64",
    "saving_per_image": "Float64",
    "saving_per_image_low": "Float64",
    "saving_per_image_high": "Float64",
    "break_even_images": "Float64",
    "break_even_low_images": "Float64",
    "break_even_high_images": "Float64",
    "break_even_is_unbounded": "boolean",
    "verdict": "string",
    "energy_source": "string",
}
SENSITIVITIES: Schema = {
    **CELL,
    "price": "string",
    "unit": "string",
    "value": "Float64",
    "monthly_saved": "Float64",
    "monthly_saved_unit": "string",
    "energy_source": "string",
}
LEFT_OUT: Schema = {"reason": "string", "runs": "Int64", "examples": "string"}


def overall(quantities: Sequence[Quantity]) -> Schema:
    """Returns the columns of tactics over models."""
    return {
        **SETTING,
        "tactic": "string",
        "models": "Int64",
        **_effects(quantities),
        **{name: kind for name, kind in ACCURACY.items() if name.startswith("top1")},
        "top1_models": "Int64",
        "energy_source": "string",
        "doubts": "string",
    }


def cells(quantities: Sequence[Quantity]) -> Schema:
    """Returns the columns of the cells; each quantity has its own, even where no cell has it."""
    measured = [quantity.column for quantity in quantities]
    return {
        **CELL,
        "blocks": "Int64",
        **{f"{name}{end}": "Float64" for name in measured for end in ("", "_low", "_high")},
        **_effects(quantities),
        **ACCURACY,
        **ECONOMY,
        "on_front": "boolean",
        "energy_source": "string",
        "cost_holds": "string",
        "doubts": "string",
        "run_ids": "string",
    }


def machines(quantities: Sequence[Quantity]) -> Schema:
    """Returns the columns of a model's machines."""
    return {
        **CELL,
        "is_advised": "boolean",
        "blocks": "Int64",
        **{f"{quantity.column}{end}": "Float64" for quantity in quantities for end in ENDS},
        "energy_source": "string",
        "energy_is_estimate": "boolean",
        "cost_holds": "string",
        "doubts": "string",
    }


def _effects(quantities: Sequence[Quantity]) -> Schema:
    return {
        f"{quantity.slug}_{name}": kind
        for quantity in compared(quantities)
        for name, kind in EFFECT.items()
    }
