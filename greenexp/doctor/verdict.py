"""Which source a run's energy has on this machine, and which required ones are absent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenexp.protocols import Availability, Reading, Source
from greenexp.runs.energy import PREFERENCE, energy_holds, kind
from greenexp.runs.result import Phase

ENERGY = "energy"
TITLES = {"cpu": "CPU", "gpu": "GPU", "dram": "DRAM", "ane": "Neural engine", "board": "Board"}
ALWAYS = ("cpu", "gpu")  # kinds whose absence is told as well
RUNS_USE = ("gpu:0",)  # of several GPUs
CLAIMS: dict[Source, str] = {
    "counter": "is measured by a counter",
    "sampled": "is added up from power samples",
    "model": "is an estimate, not a measurement",
}
NO_METER = "no meter that reads it is switched on; meters.zeus reads counters"


@dataclass(frozen=True)
class Verdict:
    """How a run comes by the energy of one kind of component.

    Attributes:
        kind: `cpu`, `gpu`, `dram`.
        source: the most direct of each component, and of those the least; None: absent.
        text: a sentence that says so, and why where it is no counter.
    """

    kind: str
    source: Source | None
    text: str


def verdicts(availability: Sequence[Availability]) -> list[Verdict]:
    """Returns a verdict for CPU and GPU, and for each other kind that some meter tells."""
    energy = _of_runs(availability)
    holds = _holds(energy)
    kinds = dict.fromkeys([*ALWAYS, *map(kind, holds)])
    return [_verdict(name, energy, holds) for name in kinds]


def missing(required: Sequence[str], availability: Sequence[Availability]) -> list[str]:
    """Returns a line for each required `component:source` that is absent: why, and the cure."""
    energy = _of_runs(availability)
    lines = []
    for requirement in required:
        component, _, source = requirement.partition(":")
        entries = [entry for entry in energy if kind(entry.component) == component]
        sources = dict.fromkeys(entry.source for entry in entries if entry.source is not None)
        if source in sources:
            continue
        absences = [entry for entry in entries if entry.source is None]
        others = [f"its source here is {name}" for name in sources]
        why = "; ".join([entry.detail for entry in absences] or others or [NO_METER])
        cures = dict.fromkeys(entry.cure for entry in absences if entry.cure)
        lines.append("; ".join([f"doctor.require={requirement} is not there: {why}", *cures]))
    return lines


def _of_runs(availability: Sequence[Availability]) -> list[Availability]:
    """Returns what is told of energy, without GPUs that runs don't use."""
    return [
        entry
        for entry in availability
        if entry.quantity == ENERGY
        and (not entry.component.startswith("gpu:") or entry.component in RUNS_USE)
    ]


def _holds(energy: Sequence[Availability]) -> Mapping[str, Source]:
    """Returns the source that counts of each component, chosen as in a run."""
    readings = [
        Reading("energy_j", entry.component, 1.0, entry.source, "doctor")
        for entry in energy
        if entry.source is not None
    ]
    return energy_holds([Phase("doctor", 0.0, 0.0, readings)])


def _verdict(name: str, energy: Sequence[Availability], holds: Mapping[str, Source]) -> Verdict:
    entries = [entry for entry in energy if kind(entry.component) == name]
    absences = dict.fromkeys(entry.detail for entry in entries if entry.source is None)
    why = "; ".join(absences) or NO_METER
    title = TITLES.get(name, name)
    sources = {source for component, source in holds.items() if kind(component) == name}
    if not sources:
        return Verdict(name, None, f"{title} energy is absent ({why}).")
    source = max(sources, key=PREFERENCE.index)  # the whole is no better than its worst part
    claim = f"{title} energy {CLAIMS[source]}"
    if source == "model":
        return Verdict(name, source, f"{claim} ({why}).")
    instruments = [
        f"{entry.component}, {entry.detail}"
        for entry in entries
        if entry.source == holds.get(entry.component)
    ]
    return Verdict(name, source, f"{claim} ({'; '.join(instruments)}).")
