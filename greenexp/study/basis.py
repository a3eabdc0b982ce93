"""What joules are made of, by the sources that runs name."""

from __future__ import annotations

from collections.abc import Iterable

from greenexp.study.verdicts import EnergyBasis

ESTIMATE, SAMPLES = "model", "sampled"  # as meters spell their sources


def energy_basis(sources: Iterable[str | None]) -> EnergyBasis | None:
    """Returns what joules of these sources are made of; None where there are none.

    Args:
        sources: the parts of each as runs name them, `cpu:model+gpu:counter`; None: no energy.
    """
    parts = {part for source in sources if source is not None for part in source.split("+")}
    if not parts:
        return None
    estimated = [part for part in parts if ESTIMATE in part]
    if estimated:
        return EnergyBasis.ESTIMATED if len(estimated) == len(parts) else EnergyBasis.MIXED
    return EnergyBasis.SAMPLED if any(SAMPLES in part for part in parts) else EnergyBasis.COUNTER
