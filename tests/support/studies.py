"""Studies in miniature: made-up, plausible and always the same, with every field filled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from greenexp.quantities import COST, ENERGY, LATENCY, compared
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.estimates import Accuracy, Interval, Quantity
from greenexp.study.savings import Bill, Monthly, Sensitivity
from greenexp.study.study import Cell, LeftOut, Overall, Setting, Study
from greenexp.study.verdicts import LeftOutReason
from tests.support import studies_estimates as estimates

COMPARED = [quantity.name for quantity in compared()]

# Millions of parameters, joules an image and top-1 of a baseline.
MODELS = {
    "vit_base_patch16_224": (86.6, 3.1, 0.814),
    "resnet_50": (25.6, 0.92, 0.803),
    "mobilenet_v2_1_0_224": (3.5, 0.16, 0.717),
    "convnext_tiny_224": (28.6, 1.3, 0.821),
    "deit_base_distilled_patch16_384": (87.6, 9.4, 0.852),
    "levit_128s": (7.8, 0.21, 0.765),
    "swin_base_patch4_window12_384": (87.9, 10.2, 0.863),
    "mobilevit_xx_small": (1.3, 0.31, 0.690),
}
# Ratios of energy and latency, change of top-1, price in joules and in seconds.
TACTICS = {
    "dynamic_quantization": (0.62, 0.66, -0.004, 18.0, 0.9),
    "torch_compile": (0.81, 0.74, 0.0, 2600.0, 61.0),
    "local_pruning": (1.003, 1.001, -0.011, 6.0, 0.3),
    "global_pruning": (1.06, 1.05, -0.019, 310.0, 14.0),
    "structured_pruning → int8_dynamic → torch_compile": (0.41, 0.38, -0.052, 3900.0, 93.0),
    "openvino precision=int8": (0.36, 0.31, -0.007, 900.0, 40.0),
    "half_precision": (1.31, 1.52, 0.0, 2.0, 0.1),
    "channels_last": (0.97, 0.95, 0.0, 0.0, 0.0),
}
REQUESTS_PER_MONTH = 10e6
MONTHS = 12.0
MAX_TOP1_DROP = 0.01


def study(
    models: int = 3, tactics: int = 4, *, blocks: int = 8, settings: int = 1, **changes: Any
) -> Study:
    """A study of so many models, tactics (the baseline not counted), blocks and settings.

    With one block nothing has an interval but accuracy, and every verdict is `too few runs`.
    `changes` are set on the study as they are.
    """
    random = np.random.default_rng(20250103)
    places = [
        Setting(
            dataset="imagenet_1k",
            hardware="local",
            workload="steady",
            machine="Made-up CPU @ 2.50GHz",
            varied=f"batch_size={2**index}" if settings > 1 else "",
        )
        for index in range(settings)
    ]
    named = [_numbered(list(MODELS), index) for index in range(models)]
    tried = [_numbered(list(TACTICS), index) for index in range(tactics)]
    cells = [
        cell
        for place in places
        for model in named
        for cell in _cells(place, model, tried, blocks, random)
    ]
    several = places if models > 1 else []
    overall = [_overall(place, tactic, cells) for place in several for tactic in tried]
    overall.sort(key=lambda line: (places.index(line.setting), line.effects[ENERGY].ratio))
    first, last = named[0], named[-1]
    made = Study(
        title="paper",
        cells=cells,
        overall=overall,
        noise={
            place.name: {metric: estimates.noise(models, blocks) for metric in COMPARED}
            for place in places
        },
        left_out=[
            LeftOut(LeftOutReason.FLAGGED, "cpu_steal", 2, [f"{first} · torch_compile #3"]),
            LeftOut(LeftOutReason.FAILED, "unsupported", 3, [f"{last} · int4_weight_only"]),
        ],
        notes=[
            "Energy: cpu:model. It is an estimate from utilization and rated power.",
            "Dollars hold electricity only: the hardware has no price.",
        ],
        next_steps=["Two more blocks: python -m greenexp -m model=all tactic=all repetitions=10"],
        advice=decide.advice(cells, overall, Report(max_top1_drop=MAX_TOP1_DROP)),
        prices=[f"{place.name}: 0.21 USD/kWh, PUE 1, 380 g/kWh" for place in places],
        requests_per_month=REQUESTS_PER_MONTH,
        months=MONTHS,
        max_top1_drop=MAX_TOP1_DROP,
        runs=len(cells) * blocks + models * blocks,
        made="2026-11-22T10:30:00+00:00",
        power={
            f"{first} · {name}": _trace(watts, random)
            for name, watts in (("baseline", 48.0), (tried[0] if tried else "again", 41.0))
        },
    )
    return replace(made, **changes)


def empty_study() -> Study:
    """A study of no run that could be used: it says only what to do."""
    return Study(
        title="paper",
        cells=[],
        overall=[],
        noise={},
        left_out=[LeftOut(LeftOutReason.FAILED, "error", 4, ["vit_base_patch16_224 · baseline"])],
        notes=[],
        next_steps=["No run can be used yet: python -m greenexp -m model=all tactic=all"],
        advice=[],
        prices=[],
        requests_per_month=REQUESTS_PER_MONTH,
        months=MONTHS,
        max_top1_drop=MAX_TOP1_DROP,
        runs=0,
        made="2026-11-22T10:30:00+00:00",
    )


def _numbered(names: list[str], index: int) -> str:
    """Returns the name at the index; past the end they come again, numbered."""
    again, place = divmod(index, len(names))
    return f"{names[place]} v{again + 1}" if again else names[place]


def _recipe(table: Mapping[str, tuple[float, ...]], name: str) -> tuple[float, ...]:
    return table[name.partition(" v")[0]]


def _cells(
    setting: Setting, model: str, tactics: list[str], blocks: int, random: np.random.Generator
) -> list[Cell]:
    millions, joules, top1 = (
        float(value * random.normal(1.0, 0.02)) for value in _recipe(MODELS, model)
    )
    baseline = Cell(
        setting=setting,
        model=model,
        tactic="baseline",
        blocks=blocks,
        quantities=estimates.quantities(millions, joules, 12.0 * joules, top1, None, blocks),
        on_front=True,
        energy_source="cpu:model",
        cost_holds="electricity",
        run_ids=[f"{model}-baseline-{block}" for block in range(blocks)],
    )
    others = [_cell(baseline, tactic, random) for tactic in tactics]
    return [baseline, *sorted(others, key=lambda cell: cell.effects[ENERGY].ratio)]


def _cell(baseline: Cell, tactic: str, random: np.random.Generator) -> Cell:
    energy, latency, delta, price_j, price_s = _recipe(TACTICS, tactic)
    energy *= float(random.normal(1.0, 0.01))
    latency *= float(random.normal(1.0, 0.01))
    blocks = baseline.blocks
    joules = baseline.quantities[ENERGY].value
    top1 = baseline.quantities["accuracy/top1"].value + delta
    effects = {
        ENERGY: estimates.effect(energy, 0.02, blocks),
        LATENCY: estimates.effect(latency, 0.03, blocks),
        COST: estimates.effect(energy, 0.02, blocks),
    }
    saving = estimates.saving(joules, effects[ENERGY])
    per_month = REQUESTS_PER_MONTH / 3.6e6
    baseline_usd = estimates.scaled(
        baseline.quantities[ENERGY], REQUESTS_PER_MONTH * MONTHS * estimates.USD_PER_J
    )
    usd = estimates.scaled(saving, REQUESTS_PER_MONTH * estimates.USD_PER_J)
    return replace(
        baseline,
        tactic=tactic,
        quantities=estimates.quantities(
            baseline.quantities["complexity/parameters"].value / 1e6,
            joules * energy,
            12.0 * joules * latency,
            top1,
            (price_j, price_s),
            blocks,
        ),
        effects=effects,
        accuracy=Accuracy(
            delta=delta,
            top1=top1,
            interval=Interval(delta - 0.006, delta + 0.006),
            images=5000,
            lost=12 - round(5000 * delta),
            gained=12,
            p_value=0.02,
        ),
        paybacks=estimates.paybacks(joules, effects, price_j, price_s),
        monthly=Monthly(
            kwh=estimates.scaled(saving, per_month),
            usd=usd,
            kg_co2e=estimates.scaled(saving, per_month * 0.38),
            hours=estimates.scaled(
                estimates.saving(0.012 * joules, effects[LATENCY]), REQUESTS_PER_MONTH / 3600
            ),
        ),
        bill=Bill(
            total_usd=estimates.scaled(
                Quantity(joules * energy, estimates.around(joules * energy, 0.02, blocks)),
                REQUESTS_PER_MONTH * MONTHS * estimates.USD_PER_J,
            ),
            baseline_usd=baseline_usd,
        ),
        sensitivities=[
            Sensitivity(
                "electricity",
                "USD/kWh",
                [0.1, 0.21, 0.42],
                [usd.value * k for k in (0.48, 1, 2)],
                "USD",
            ),
            Sensitivity(
                "PUE", "ratio", [1.0, 1.2, 1.6], [usd.value * k for k in (1, 1.2, 1.6)], "USD"
            ),
            Sensitivity(
                "carbon",
                "g/kWh",
                [50.0, 380.0, 700.0],
                [saving.value * per_month * k for k in (0.05, 0.38, 0.7)],
                "kg CO2e",
            ),
        ],
        on_front=energy < 0.9,
        run_ids=[f"{baseline.model}-{tactic}-{block}" for block in range(blocks)],
    )


def _overall(setting: Setting, tactic: str, cells: list[Cell]) -> Overall:
    """Returns the tactic's line over the models of the setting."""
    its = [cell for cell in cells if cell.setting == setting and cell.tactic == tactic]
    count = len(its)
    effects = {
        metric: estimates.effect(
            math.exp(float(np.mean([math.log(cell.effects[metric].ratio) for cell in its]))),
            0.05 / math.sqrt(count),
            count,
        )
        for metric in COMPARED
    }
    deltas = [cell.accuracy.delta for cell in its if cell.accuracy]
    mean = float(np.mean(deltas))
    return Overall(
        setting=setting,
        tactic=tactic,
        models=count,
        effects=effects,
        accuracy=Accuracy(
            delta=mean,
            interval=Interval(mean - 0.008, mean + 0.008),
            images=5000 * count,
            p_value=0.03,
            models=count,
        ),
    )


def _trace(watts: float, random: np.random.Generator) -> list[tuple[float, float]]:
    seconds = np.arange(0.0, 40.0, 0.1)
    busy = np.where(seconds < 5.0, 9.0, watts)
    return [
        (float(second), float(power))
        for second, power in zip(seconds, busy + random.normal(0, 0.8, len(seconds)), strict=True)
    ]
