"""Columns and types of the study's flat tables.

Units are in the columns' names. Types are pandas' nullable ones, which Parquet keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from greenexp.quantities import COST, ENERGY, LATENCY

Type = Literal["string", "Float64", "Int64", "boolean"]
Schema = dict[str, Type]

EFFECTS = {ENERGY: "energy", LATENCY: "latency", COST: "cost"}  # how their columns begin
# A cell's quantities have a column each even where no cell has them; others follow.
QUANTITIES = (
    ENERGY,
    LATENCY,
    COST,
    "carbon/g_per_million_images",
    "throughput/images_per_s",
    "accuracy/top1",
    "optimization/time_s",
    "optimization/energy_j",
    "optimization/cost_usd",
    "complexity/parameters",
    "complexity/macs",
    "complexity/weights_mib",
)
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


def overall() -> Schema:
    """Returns the columns of tactics over models."""
    return {
        **SETTING,
        "tactic": "string",
        "models": "Int64",
        **_effects(),
        **{name: kind for name, kind in ACCURACY.items() if name.startswith("top1")},
        "top1_models": "Int64",
        "energy_source": "string",
    }


def cells(metrics: Iterable[str]) -> Schema:
    """Returns the columns of the cells, where `metrics` are those that any of them has."""
    measured = dict.fromkeys([*QUANTITIES, *metrics])
    return {
        **CELL,
        "blocks": "Int64",
        **{f"{column(name)}{end}": "Float64" for name in measured for end in ("", "_low", "_high")},
        **_effects(),
        **ACCURACY,
        **ECONOMY,
        "on_front": "boolean",
        "energy_source": "string",
        "cost_holds": "string",
        "run_ids": "string",
    }


def column(metric: str) -> str:
    """Returns the column of an MLflow metric."""
    return metric.replace("/", "_")


def _effects() -> Schema:
    return {f"{begin}_{name}": kind for begin in EFFECTS.values() for name, kind in EFFECT.items()}
