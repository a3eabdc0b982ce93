"""The record of one run: raw phases, windows, readings, predictions and environment.

Everything else (metrics, dollars, grams, intervals) is arithmetic on a `Result`, so an old run can
be evaluated again without measuring. JSON keeps every float exactly.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from greenexp.protocols import Reading, Scalar, Series
from greenexp.quantities import Quantity

Outcome = Literal["ok", "oom", "unsupported", "timeout", "killed", "error"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class Phase:
    """A stretch of the run. `start_s` counts from the run's beginning.

    `step` names the tactic of a chain that the stretch applied; empty for any other.
    """

    name: str
    start_s: float
    duration_s: float
    readings: Sequence[Reading]
    step: str = ""


@dataclass(frozen=True)
class Window:
    """A stretch of steady inference: the latency of each batch and what the meters read.

    `round` is the turn of a block that it belongs to, from 1; 0 for a run that is measured alone.
    """

    start_s: float
    duration_s: float
    images: int
    latencies_s: Sequence[float]
    readings: Sequence[Reading]
    round: int = 0


@dataclass(frozen=True)
class Predictions:
    """Per image: its name, its true output index, and the outputs ranked best first (up to 5)."""

    identifiers: Sequence[str]
    targets: Sequence[int]
    ranked: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Complexity:
    """What a module holds and computes.

    Attributes:
        parameters: number of weights, pruned ones included.
        macs: multiply-accumulates for one image; None where they can't be counted.
        weights_mib: size of the state dict as serialized, MiB.
        sparsity: fraction of the weights that are exactly zero; None where some can't be read.
        weights_in_memory_mib: of parameters and buffers, MiB; None where an engine holds them.
    """

    parameters: int
    macs: int | None
    weights_mib: float
    sparsity: float | None
    weights_in_memory_mib: float | None = None


@dataclass(frozen=True)
class Result:
    """One run. Fields that a failed run did not reach are empty or None."""

    outcome: Outcome
    reason: str | None = None  # one line, for every outcome but ok
    traceback: str | None = None  # only for bugs
    device: str | None = None  # cpu or cuda
    components: Sequence[str] = field(default_factory=list)  # those the run used, see Reading
    phases: Sequence[Phase] = field(default_factory=list)
    windows: Sequence[Window] = field(default_factory=list)
    series: Sequence[Series] = field(default_factory=list)
    predictions: Predictions | None = None
    before: Complexity | None = None  # complexity of the module as loaded
    after: Complexity | None = None  # complexity of the module as run
    effect: Mapping[str, Scalar] = field(default_factory=dict)
    provenance: Mapping[str, Scalar] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    quantities: Sequence[Quantity] = field(default_factory=list)  # that its meters brought
    doubts: Sequence[str] = field(default_factory=list)  # reasons against its validity
    discarded_windows: int = 0  # disturbed windows measured anew, see workload.on_interference
    duration_s: float | None = None  # from the run's beginning to its end


def to_json(result: Result) -> str:
    """Returns the result as JSON.

    Raises:
        ValueError: for a NaN or an infinity, which no measurement may hold.
    """
    return json.dumps(dataclasses.asdict(result), allow_nan=False, ensure_ascii=False)


def from_json(text: str) -> Result:
    """Returns the result that `to_json` wrote."""
    return _adapter().validate_json(text)


@cache
def _adapter() -> TypeAdapter[Result]:
    return TypeAdapter(Result)
