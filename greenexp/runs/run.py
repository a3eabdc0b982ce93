"""A run as everything after measuring takes it: its identity, its settings, what it gave.

`of` makes it from the raw record; it is written once as `run.json` beside that. Metrics are not
rounded and settings are not cut, so a figure made of Runs is the figure made of the records.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from pydantic import TypeAdapter

from greenexp.errors import BadInput
from greenexp.protocols import Scalar
from greenexp.quantities import Quantity
from greenexp.runs import energy, metrics
from greenexp.runs.doubts import validity
from greenexp.runs.identity import BASELINE, peers_hash
from greenexp.runs.journal import Record
from greenexp.runs.rounds import rounds_of
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference, Workload

RUN = "run.json"
# 1: the first. A reader of a later one must still read these.
SCHEMA = 1


@dataclass(frozen=True)
class Run:
    """One finished run, whatever its outcome.

    Attributes:
        id: unique; the record's.
        title: the name a person reads.
        cell: hash of the configuration without outputs and order.
        peers: equal for runs that differ in their tactic alone.
        block: complete block of a sweep; None for a single run.
        replicate: from 2 for the further processes of a cell in its block.
        sweep: name of the sweep; None for a single run.
        machine: fingerprint of the machine that measured; None in old records.
        choices: the options chosen: model, tactic, dataset, hardware, workload.
        configuration: the composed configuration, resolved.
        started: ISO time, UTC.
        ended: ISO time, UTC.
        outcome: ok, oom, unsupported, timeout, killed or error.
        reason: one line, for every outcome but ok.
        device: cpu or cuda; None where the run did not get as far. So are the next two.
        cpu: name of the processor.
        gpus: names of the GPUs used.
        metrics: by their MLflow names, priced by the run's own hardware preset, unrounded.
        doubts: what stands against the figures; none: valid.
        energy_source: of each component, `cpu:counter+gpu:counter`; None: no energy.
        cost_holds: which parts the dollars hold; None: no dollars.
        predictions: whether the run judged images.
        effect: proof of what the tactic did.
        provenance: of model and data.
        quantities: that its meters brought beside those of the list.
        version: of greenexp that measured; None in old records.
        together: equal for runs that were measured together, in rounds; None: measured alone.
        rounds: of a run that was measured together: the number of each of its rounds, `round`, and
            by metric what it took there; `SECONDS` is the time an image took.
        conditions: what else must be equal for comparisons on one machine; None in old records.
        host: name of the machine that measured; None in old records. So are the next two.
        cpu_threads: logical CPUs of that machine.
        memory_mib: of that machine, in all.
        schema: version of this form.
        tracked: MLflow's id of the run where it was fetched from there.
        folder: of its record where it was read from a journal.
        origin: the journal or store that it was read from, where there are several; runs of
            different origins are compared only where they were measured together.
    """

    id: str
    title: str
    cell: str
    peers: str | None
    block: int | None
    replicate: int
    sweep: str | None
    machine: str | None
    choices: Mapping[str, str]
    configuration: Mapping[str, Any]
    started: str
    ended: str
    outcome: str
    reason: str | None = None
    device: str | None = None
    cpu: str | None = None
    gpus: Sequence[str] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    doubts: Sequence[str] = ()
    energy_source: str | None = None
    cost_holds: str | None = None
    predictions: bool = False
    effect: Mapping[str, Scalar] = field(default_factory=dict)
    provenance: Mapping[str, Scalar] = field(default_factory=dict)
    quantities: Sequence[Quantity] = ()
    version: str | None = None
    together: str | None = None
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    conditions: str | None = None
    host: str | None = None
    cpu_threads: int | None = None
    memory_mib: float | None = None
    schema: int = SCHEMA
    tracked: str | None = None
    folder: str | None = None
    origin: str | None = None

    @cached_property
    def hardware(self) -> Hardware:
        """The preset that the run was made with."""
        return typed(self.configuration, "hardware", Hardware)

    @cached_property
    def workload(self) -> Workload:
        """How inference was driven."""
        return typed(self.configuration, "workload", Workload)

    @property
    def seconds(self) -> float | None:
        """What it took; None where that is not known."""
        own_s = self.metrics.get("run/time_s")  # without what it slept among others
        if own_s is not None or not self.ended:
            return own_s
        between = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.started)
        return between.total_seconds()

    @property
    def key(self) -> tuple[str, int | None, int]:
        """Cell, block and replicate: what tells it from every other of a plan."""
        return self.cell, self.block, self.replicate

    @property
    def is_finding(self) -> bool:
        """Whether it showed that its tactic can't run, or changes nothing, on its model."""
        return self.outcome == "unsupported"

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.choices.get("tactic") == BASELINE

    @property
    def is_repeat(self) -> bool:
        """Whether it is a further baseline of its block (A/A)."""
        return self.is_baseline and self.replicate > 1


def of(record: Record) -> Run:
    """Returns the run that a record is of."""
    result = record.result
    hardware = typed(record.configuration, "hardware", Hardware)
    limits = typed(record.configuration, "interference", Interference)
    cpu, host = result.environment.get("cpu"), result.environment.get("host")
    return Run(
        id=record.id,
        title=record.title,
        cell=record.cell,
        peers=peers_hash(record.configuration),
        block=record.block,
        replicate=record.replicate,
        sweep=record.sweep,
        machine=record.machine,
        choices=record.choices,
        configuration=record.configuration,
        started=record.started,
        ended=record.ended,
        outcome=result.outcome,
        reason=result.reason,
        device=result.device,
        cpu=None if cpu is None else str(cpu),
        gpus=[str(name) for name in result.environment.get("gpus", ())],
        metrics=metrics.evaluate(result, hardware),
        doubts=validity(result, hardware, limits),
        energy_source=energy.energy_source(result),
        cost_holds=metrics.cost_holds(result, hardware),
        predictions=result.predictions is not None,
        effect=result.effect,
        provenance=result.provenance,
        quantities=result.quantities,
        version=record.version,
        together=record.together,
        conditions=record.conditions,
        host=None if host is None else str(host),
        cpu_threads=result.environment.get("cpu_threads"),
        memory_mib=result.environment.get("memory_mib"),
        rounds=rounds_of(result) if record.together is not None else {},
    )


def to_json(run: Run) -> str:
    """Returns the run as JSON; every float keeps all its digits."""
    return json.dumps(dataclasses.asdict(run), allow_nan=False, ensure_ascii=False)


def from_json(text: str | bytes, **known: str | None) -> Run:
    """Returns the run that `to_json` of this version or an earlier one wrote.

    Args:
        text: of the run.
        **known: fields that whoever reads it knows: where it was found.

    Raises:
        BadInput: where a later version wrote it.
    """
    run = _adapter().validate_json(text)
    if run.schema > SCHEMA:
        raise BadInput(
            f"run {run.id} is written in form {run.schema}, and this greenexp reads up to "
            f"{SCHEMA}; update greenexp"
        )
    for name, value in known.items():
        object.__setattr__(run, name, value)  # nobody else has it yet; a copy takes long
    return run


@cache
def _adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)
