"""Which energy would be measured, which estimated, and what a user asks to be there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from greenexp.errors import BadInput, nearest
from greenexp.protocols import Availability, Source
from greenexp.runs.energy import PREFERENCE, kind

KINDS = {"cpu": "CPU", "gpu": "GPU"}


@dataclass(frozen=True)
class EnergyVerdict:
    """How the energy of the CPU or of a GPU would be told.

    Attributes:
        component: as in `Availability`.
        source: the most direct one; None: it would be absent.
        detail: the instrument behind it.
        reasons: why nothing more direct is there.
        cures: what the user can do to get it.
    """

    component: str
    source: Source | None
    detail: str
    reasons: Sequence[str]
    cures: Sequence[str]

    @property
    def sentence(self) -> str:
        """What a person reads first."""
        name = KINDS.get(kind(self.component), self.component)
        named = f"{name} {self.component}" if ":" in self.component else name
        why = f" Why: {'; '.join(self.reasons)}." if self.reasons else ""
        match self.source:
            case "counter":
                return f"{named} energy is measured by a counter: {self.detail}."
            case "sampled":
                return f"{named} energy is measured as sampled power, added up: {self.detail}."
            case "model":
                return f"{named} energy is an estimate, no measurement: {self.detail}.{why}"
            case _:
                return f"{named} energy is absent.{why}"


def energy_verdicts(available: Sequence[Availability]) -> list[EnergyVerdict]:
    """Returns a verdict on the CPU, on its packages where they are told apart, and on each GPU."""
    energies = [one for one in available if one.quantity == "energy"]
    verdicts = []
    for name in KINDS:
        of_kind = [one for one in energies if kind(one.component) == name]
        told = [one for one in of_kind if one.source is not None]
        parts = list(dict.fromkeys(one.component for one in told if one.component != name))
        for component in parts or [name]:
            verdicts.append(_verdict(component, of_kind))
    return verdicts


def _verdict(component: str, of_kind: Sequence[Availability]) -> EnergyVerdict:
    told = [one for one in of_kind if one.component == component and one.source is not None]
    best = min(told, key=lambda one: PREFERENCE.index(one.source or "model"), default=None)
    if best is not None and best.source != "model":
        return EnergyVerdict(component, best.source, best.detail, (), ())
    absent = [one for one in of_kind if one.source is None]
    cures = [one.cure for one in (*absent, *told) if one.cure]
    reasons = list(dict.fromkeys(one.detail for one in absent))
    source, detail = (None, "") if best is None else (best.source, best.detail)
    return EnergyVerdict(component, source, detail, reasons, list(dict.fromkeys(cures)))


def check_required(required: Sequence[str], available: Sequence[Availability]) -> None:
    """Checks that each energy source asked for is there.

    Args:
        required: as the tag greenexp.energy_source spells them: `cpu:counter`.
        available: what the meters tell.

    Raises:
        BadInput: for what is no source, or is not there; the message says how to get it.
    """
    allowed = [f"{name}:{source}" for name in (*KINDS, "dram") for source in PREFERENCE]
    energies = [one for one in available if one.quantity == "energy"]
    told = {f"{kind(one.component)}:{one.source}" for one in energies if one.source is not None}
    for wanted in required:
        if wanted not in allowed:
            raise BadInput(
                f"doctor.require holds {wanted}; allowed: {', '.join(allowed)}."
                f"{nearest(wanted, allowed)}"
            )
        if wanted not in told:
            name = wanted.partition(":")[0]
            absent = [one for one in energies if kind(one.component) == name and one.source is None]
            why = "; ".join(one.detail for one in absent) or "no meter tells it"
            cures = "; ".join(one.cure for one in absent if one.cure)
            raise BadInput(
                f"doctor.require={wanted} is not there: {why}" + (f"; {cures}" if cures else "")
            )
