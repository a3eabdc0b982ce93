"""What is to be measured: options of the packaged groups, and settings of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from greenexp.cli.compose import configuration
from greenexp.errors import BadInput, nearest
from greenexp.protocols import ModelSource
from greenexp.runs.identity import BASELINE, INPUTS, cell_hash, peers_hash
from greenexp.settings.build import build, typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.plugins import allowed
from greenexp.sweep.preflight import Preflight
from greenexp.sweep.titles import title


@dataclass(frozen=True)
class Experiment:
    """One configuration to measure; `experiment` makes it.

    Attributes:
        configuration: composed and resolved, as plain containers.
        choices: the options chosen: model, tactic, dataset, hardware, workload.
        title: the name a person reads.
    """

    configuration: Mapping[str, Any]
    choices: Mapping[str, str]
    title: str

    @property
    def cell(self) -> str:
        """What is equal for experiments that measure the same thing."""
        return cell_hash(self.configuration)

    @property
    def peers(self) -> str:
        """What is equal for experiments that differ in their tactic alone."""
        return peers_hash(self.configuration)

    def with_inputs(self, preflight: Preflight) -> Experiment:
        """Returns the experiment with the digests of what it reads, which are part of its identity.

        Args:
            preflight: that checks it.

        Raises:
            BadInput: where it can't be measured.
        """
        inputs = preflight.check(self.configuration).inputs
        return replace(self, configuration={**self.configuration, INPUTS: inputs})

    @property
    def is_baseline(self) -> bool:
        """Whether its peers are compared with it."""
        return self.choices["tactic"] == BASELINE


def experiment(
    model: str = "digits_vit",
    tactic: str = BASELINE,
    *,
    dataset: str = "digits",
    hardware: str = "local",
    workload: str = "quick",
    settings: Mapping[str, Any] | None = None,
) -> Experiment:
    """Returns an experiment of packaged options.

    >>> greenexp.experiment("digits_vit", "local_pruning", settings={"tactic.amount": 0.5}).title
    'digits_vit · local_pruning amount=0.5'

    Args:
        model: option of the group `model`, as `greenexp catalog` lists them.
        tactic: option of the group `tactic`.
        dataset: option of the group `dataset`.
        hardware: option of the group `hardware`: prices and carbon.
        workload: option of the group `workload`.
        settings: values by dotted key, as on the command line: `{"workload.min_seconds": 0.5}`.

    Raises:
        BadInput: for an option or a key that is not there, or a value out of range.
    """
    chosen = {
        "model": model,
        "tactic": tactic,
        "dataset": dataset,
        "hardware": hardware,
        "workload": workload,
    }
    given = [f"{key}={_value(value)}" for key, value in (settings or {}).items()]
    plain, choices = configuration([*(f"{key}={value}" for key, value in chosen.items()), *given])
    source: ModelSource = build(plain["model"], "model", allowed(plain))
    return Experiment(plain, choices, title(choices, source.title, given))


def preset(name: str, **price: float) -> Hardware:
    """Returns a hardware preset, with prices of your own.

    >>> greenexp.preset("aws_g5_xlarge", usd_per_hour=0.8).price.usd_per_hour
    0.8

    Args:
        name: option of the group `hardware`.
        price: fields of `hardware.price` in place of the preset's.

    Raises:
        BadInput: for a preset or a field that is not there.
    """
    plain, _ = configuration([f"hardware={name}"])
    packaged: Hardware = typed(plain, "hardware", Hardware)
    fields = list(vars(packaged.price))
    for key in price:
        if key not in fields:
            raise BadInput(
                f"hardware.price.{key} is unknown; allowed: {', '.join(fields)}."
                f"{nearest(key, fields)}"
            )
    given: dict[str, Any] = {"date": None, "source": None} if price else {}
    return replace(packaged, price=replace(packaged.price, **(given | price)))


def _value(value: Any) -> str:
    """Returns a value in Hydra's grammar."""
    if value is None:
        return "null"
    return json.dumps(value) if isinstance(value, bool | str | list | dict) else str(value)
