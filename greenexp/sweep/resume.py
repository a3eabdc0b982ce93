"""What of a plan has been measured already. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from greenexp.runs.identity import INPUTS, settings_hash
from greenexp.runs.run import Run
from greenexp.sweep.forecast import Usage
from greenexp.sweep.plan import Cell, Key

RUN_J, RUN_USD = "run/energy_j", "run/cost_usd"
CALLED = {
    "model": "the model's files",
    "dataset": "the evaluated images",
    "calibration": "the calibration images",
}


def finished(
    runs: Iterable[Run], machine: str, conditions: str, version: str | None
) -> dict[Key, Run]:
    """Returns the latest run of each key that need not be measured again.

    That is one that ended well, or found that its tactic can't run on its model or changes nothing
    there. Such a finding holds for the version of greenexp that made it. A run that was measured
    together with baselines counts where one of them ended well.

    Args:
        runs: all there are, oldest first.
        machine: fingerprint of the one that would measure.
        conditions: there, see `machine.conditions`; runs that know none hold everywhere.
        version: of greenexp that would measure.
    """
    runs = [run for run in runs if run.machine == machine and run.conditions in (None, conditions)]
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


def changes(cells: Iterable[Cell], runs: Iterable[Run]) -> list[str]:
    """Returns a line for each input that has changed since the same settings were measured.

    Args:
        cells: that are not measured yet.
        runs: all there are, oldest first.
    """
    missing = {cell.settings: cell for cell in cells if cell.inputs}
    titles = {cell.title for cell in missing.values()}
    latest: dict[str, Run] = {}
    for run in runs:
        if run.title in titles and run.outcome == "ok" and run.configuration.get(INPUTS):
            latest[settings_hash(run.configuration)] = run
    changed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for settings, cell in missing.items():
        if settings not in latest:
            continue
        run = latest[settings]
        before = run.configuration[INPUTS]
        for name, content in cell.inputs.items():
            if before.get(name) not in (None, content):
                changed[name, run.started[:16].replace("T", " ")].append(cell.title)
    return [
        f"{CALLED.get(name, name)} differ from those of {when} UTC: {_shown(titles)} measured "
        "anew; earlier results stay, and are compared with none of these"
        for (name, when), titles in changed.items()
    ]


def _shown(titles: Sequence[str]) -> str:
    return f"{titles[0]} is" if len(titles) == 1 else f"{titles[0]} and {len(titles) - 1} more are"
