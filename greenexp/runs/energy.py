"""Joules out of readings: which source counts, sums by component, systematic errors. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from greenexp.protocols import Reading, Source
from greenexp.runs.result import Phase, Result, Window

PREFERENCE: tuple[Source, ...] = ("counter", "sampled", "model")


def kind(component: str) -> str:
    """Returns the kind of a component: `gpu` for `gpu:0`."""
    return component.partition(":")[0]


def energy_holds(stretches: Sequence[Phase | Window]) -> dict[str, Source]:
    """Returns which components' energy was read in every stretch, and from which source.

    Of several sources of one component the most direct counts. A reading of the whole kind (`cpu`)
    counts only where its parts (`cpu:0`) were not all read throughout.
    """
    read = [
        {(r.component, r.source) for r in stretch.readings if r.quantity == "energy_j"}
        for stretch in stretches
    ]
    if not read:
        return {}
    always = set.intersection(*read)
    best = {
        component: min((s for c, s in always if c == component), key=PREFERENCE.index)
        for component, _ in sorted(always)
    }
    holds: dict[str, Source] = {}
    for of_kind in dict.fromkeys(kind(component) for component in best):
        parts = {
            component
            for component, _ in set.union(*read)
            if kind(component) == of_kind and component != of_kind
        }
        chosen = parts if parts and parts <= set(best) else {of_kind} & set(best)
        holds |= {component: best[component] for component in sorted(chosen)}
    return holds


def energy_readings(stretch: Phase | Window, holds: Mapping[str, Source]) -> list[Reading] | None:
    """Returns one energy reading for each component in `holds`, from just its source.

    None where `holds` is empty or the stretch lacks one of its readings. Where two meters read one
    component from one kind of source, the first counts.
    """
    readings: list[Reading] = []
    for component, source in holds.items():
        read = [
            r
            for r in stretch.readings
            if (r.quantity, r.component, r.source) == ("energy_j", component, source)
        ]
        if not read:
            return None
        readings.append(read[0])
    return readings or None


def energy_by_kind(stretch: Phase | Window, holds: Mapping[str, Source]) -> dict[str, float] | None:
    """Returns joules by kind of component (`gpu`, `cpu`, `dram`), None as `energy_readings`."""
    readings = energy_readings(stretch, holds)
    if readings is None:
        return None
    joules: dict[str, float] = {}
    for reading in readings:
        joules[kind(reading.component)] = joules.get(kind(reading.component), 0.0) + reading.value
    return joules


def total_energy_j(stretch: Phase | Window, holds: Mapping[str, Source]) -> float | None:
    """Returns gross joules of all components in `holds`, None as `energy_readings`."""
    readings = energy_readings(stretch, holds)
    return None if readings is None else sum(reading.value for reading in readings)


@dataclass(frozen=True)
class SystematicError:
    """Bounds of what no repetition shows, in J over all windows.

    Attributes:
        scale_j: of the meters' scale; the same in every window, so it adds up.
        ends_j: of the windows' ends; independent between windows, so it adds up in squares.
    """

    scale_j: float
    ends_j: float


def systematic_error(
    stretches: Sequence[Phase | Window], holds: Mapping[str, Source]
) -> SystematicError | None:
    """Returns the bounds for the total over the stretches; None where a meter states none."""
    scale_j = 0.0
    ends_j2 = 0.0
    for stretch in stretches:
        for reading in energy_readings(stretch, holds) or []:
            if reading.relative_error is None:
                return None
            scale_j += reading.relative_error * reading.value
            ends_j2 += (reading.resolution or 0.0) ** 2
    return SystematicError(scale_j, math.sqrt(ends_j2))


def source_gap(windows: Sequence[Window]) -> float | None:
    """Returns the widest relative gap between counter and integrated power of one component.

    Over the windows that have both, relative to the counter. None where no component has both;
    estimates (`model`) are not compared.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for window in windows:
        read = {(r.component, r.source): r.value for r in window.readings if _is_energy(r)}
        for component, source in read:
            if source == "counter" and (component, "sampled") in read:
                pair = read[component, "counter"], read[component, "sampled"]
                pairs.setdefault(component, []).append(pair)
    gaps = []
    for both in pairs.values():
        counted_j, sampled_j = (sum(values) for values in zip(*both, strict=True))
        gaps.append(abs(sampled_j - counted_j) / counted_j)
    return max(gaps, default=None)


def _is_energy(reading: Reading) -> bool:
    return reading.quantity == "energy_j" and reading.value > 0


def in_use(result: Result) -> Result:
    """Returns the result without the readings of GPUs that stood idle beside the run."""
    components = result.components
    return replace(
        result,
        phases=[replace(p, readings=used(p.readings, components)) for p in result.phases],
        windows=[replace(w, readings=used(w.readings, components)) for w in result.windows],
    )


def used(readings: Sequence[Reading], components: Sequence[str]) -> list[Reading]:
    """Returns the readings without those of GPUs that are not among the components."""
    return [r for r in readings if kind(r.component) != "gpu" or r.component in components]


def energy_source(result: Result) -> str | None:
    """Returns the sources of the energy by component, e.g. `cpu:counter+gpu:counter`."""
    holds = energy_holds(in_use(result).windows)
    named = dict.fromkeys(f"{kind(component)}:{source}" for component, source in holds.items())
    return "+".join(sorted(named)) or None
