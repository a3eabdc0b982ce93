"""What of a plan has been measured already. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from greenexp.runs.run import Run
from greenexp.sweep.forecast import Usage
from greenexp.sweep.plan import Key

RUN_J, RUN_USD = "run/energy_j", "run/cost_usd"


def finished(runs: Iterable[Run], machine: str, version: str | None) -> dict[Key, Run]:
    """Returns the latest run of each key that need not be measured again.

    That is one that ended well, or found that its tactic can't run on its model or changes nothing
    there. Such a finding holds for the version of greenexp that made it. A run that was measured
    together with baselines counts where one of them ended well.

    Args:
        runs: all there are, oldest first.
        machine: fingerprint of the one that would measure.
        version: of greenexp that would measure.
    """
    runs = [run for run in runs if run.machine == machine]
    baselines = [run for run in runs if run.is_baseline]
    based = {run.together for run in baselines if run.outcome == "ok"}
    lost = {run.together for run in baselines} - based - {None}
    return {
        run.key: run
        for run in runs
        if (run.outcome == "ok" and run.together not in lost)
        or (run.is_finding and run.version == version)
    }


def usages(runs: Iterable[Run], machine: str) -> Mapping[str, Sequence[Usage]]:
    """Returns what the runs of each cell took on a machine, for the forecast."""
    history: dict[str, list[Usage]] = {}
    for run in runs:
        if run.machine == machine and run.outcome == "ok":
            usage = Usage(run.seconds, run.metrics.get(RUN_J), run.metrics.get(RUN_USD))
            history.setdefault(run.cell, []).append(usage)
    return history
