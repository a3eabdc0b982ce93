"""Every tactic on every model, each with a planted effect and what all its runs share.

EFFECTS says by how much each tactic changes energy, latency and top-1, and what it takes to apply.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from cells import configuration
from hydra import compose, initialize_config_dir

from greenexp.cli.compose import settings, steps_given
from greenexp.runs.identity import cell_hash
from greenexp.runs.journal import Record
from greenexp.runs.result import Result
from greenexp.runs.run import Run, of
from greenexp.settings.conf import config_dir
from greenexp.sweep.titles import choices_of, title
from greenexp.tracking.fields import parameters_of, tags

COMMON = (
    "dataset=imagenet_1k",
    "workload=steady",
    "hardware.price.usd_per_hour=0.5",
    "hardware.price.electricity_included=false",
)


@dataclass(frozen=True)
class Effect:
    """What a tactic does: ratios to the baseline, change of top-1, seconds to apply."""

    energy: float = 1.0
    latency: float = 1.0
    top1: float = 0.0
    apply_s: float = 0.1
    unsupported: bool = False


EFFECTS: dict[tuple[str, ...], Effect] = {  # by overrides
    ("tactic=baseline",): Effect(),
    ("tactic=batch_size",): Effect(0.8, 4.0),
    ("tactic=channels_last",): Effect(0.98, 0.97),
    ("tactic=dynamic_quantization",): Effect(0.7, 0.75, -0.003, 2.0),
    ("tactic=global_pruning",): Effect(1.0, 1.0, -0.08, 20.0),
    ("tactic=half_precision",): Effect(0.85, 0.9, -0.001, 0.5),
    ("tactic=int4_weight_only",): Effect(unsupported=True),
    ("tactic=int8_dynamic",): Effect(0.75, 0.8, -0.004, 3.0),
    ("tactic=int8_weight_only",): Effect(1.1, 1.15, -0.002, 3.0),
    ("tactic=local_pruning",): Effect(1.0, 1.0, -0.05, 2.0),
    ("tactic=local_pruning", "tactic.amount=0.5"): Effect(1.0, 1.0, -0.2, 2.0),
    ("tactic=onnx_runtime",): Effect(0.65, 0.6, 0.0, 8.0),
    ("tactic=openvino",): Effect(0.55, 0.5, 0.0, 15.0),
    ("tactic=semi_structured_sparsity",): Effect(unsupported=True),
    ("tactic=static_quantization",): Effect(0.6, 0.65, -0.01, 60.0),
    ("tactic=structured_pruning",): Effect(0.75, 0.75, -0.15, 10.0),
    ("tactic=threads",): Effect(0.9, 1.6),
    ("tactic=torch_compile",): Effect(0.8, 0.75, 0.0, 45.0),
    ("tactic=chain", "tactic.steps=[structured_pruning,torch_compile]"): Effect(
        0.6, 0.55, -0.15, 55.0
    ),
}
UNSUPPORTED = Result("unsupported", reason="no kernel for this device")


@dataclass(frozen=True)
class Cell:
    """One tactic on one model, with what all its runs share."""

    record: Record
    overrides: tuple[str, ...]
    effect: Effect
    run: Run
    tags: Mapping[str, str]
    parameters: Mapping[str, str]


def every_cell(measured: Record, models: int) -> Iterator[Cell]:
    """Yields every tactic on every model, composed as a sweep composes them."""
    whole = configuration(*COMMON)
    names = _models()[:models]
    sections = {name: configuration(f"model={name}", *COMMON)["model"] for name in names}
    tactics = {overrides: _tactic(overrides) for overrides in EFFECTS}
    for name, (overrides, effect) in itertools.product(names, EFFECTS.items()):
        section, tactic = tactics[overrides]
        given = whole | {"model": sections[name], "tactic": section}
        choices = {
            "model": name,
            "tactic": tactic,
            "dataset": "imagenet_1k",
            "hardware": "local",
            "workload": "steady",
        }
        result = dataclasses.replace(measured.result, doubts=[])
        record = dataclasses.replace(
            measured,
            title=title(choices, None, overrides),
            cell=cell_hash(given),
            choices=choices,
            configuration=given,
            result=UNSUPPORTED if effect.unsupported else result,
        )
        run = of(record)
        yield Cell(record, overrides, effect, run, tags(record, run), parameters_of(record))


def _models() -> list[str]:
    text = (config_dir() / "experiment" / "paper.yaml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text)["hydra"]["sweeper"]["params"]["model"]
    return [name.strip() for name in listed.split(",")]


def _tactic(overrides: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Returns a tactic's section of the configuration and what it is called."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides))
        chosen = {"tactic": overrides[0].partition("=")[2]}
        return settings(cfg)["tactic"], choices_of(chosen, ["tactic"], steps_given(cfg))["tactic"]
