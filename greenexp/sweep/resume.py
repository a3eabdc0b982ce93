"""What of a plan has been measured already. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from greenexp.runs.amounts import plural
from greenexp.runs.doubts import LASTING
from greenexp.runs.identity import INPUTS, settings_hash
from greenexp.runs.run import Run
from greenexp.study.counted import HARMLESS, why_left_out
from greenexp.study.verdicts import LeftOutReason
from greenexp.sweep.forecast import Usage
from greenexp.sweep.plan import Cell, Key

RUN_J, RUN_USD = "run/energy_j", "run/cost_usd"
CALLED = {
    "model": "the model's files",
    "dataset": "the evaluated images",
    "calibration": "the calibration images",
}


def measured_here(runs: Iterable[Run], machine: str, conditions: str) -> list[Run]:
    """Returns the runs that one machine has measured as it would now.

    Args:
        runs: all there are, oldest first.
        machine: fingerprint of the one that would measure.
        conditions: there, see `machine.conditions`; runs that know none hold everywhere.
    """
    return [run for run in runs if run.machine == machine and run.conditions in (None, conditions)]


def is_flagged(run: Run) -> bool:
    """Tells whether a run ended well, does not count, and may count if it is measured again."""
    reason = why_left_out(run, keep_flagged=False)
    is_lasting = any(doubt in LASTING for doubt in run.doubts)
    return reason is not None and reason[0] is LeftOutReason.FLAGGED and not is_lasting


def finished(runs: Sequence[Run], version: str | None, attempts: int = 1) -> dict[Key, Run]:
    """Returns the run of each key that need not be measured again: the latest that counts, if any.

    That is one that ended well, or found that its tactic can't run on its model or changes nothing
    there. Such a finding holds for the version of greenexp that made it. A run that was measured
    together with baselines ended well where one of them did. What is flagged, or was compared with
    flagged baselines alone, is measured so often as is allowed.

    Args:
        runs: of `measured_here`.
        version: of greenexp that would measure.
        attempts: how often a run is measured until it need not count.
    """
    lost = _without_baseline(runs, lambda run: run.outcome == "ok")
    doubtful = _without_baseline(runs, lambda run: run.outcome == "ok" and not is_flagged(run))
    last: dict[Key, Run] = {}
    counting: set[Key] = set()
    tries: Counter[Key] = Counter()
    for run in runs:
        ended = run.outcome == "ok" and run.together not in lost
        if not ended and not (run.is_finding and run.version == version):
            continue
        tries[run.key] += 1
        counts = not is_flagged(run) and (run.is_finding or run.together not in doubtful)
        if counts or run.key not in counting:
            last[run.key] = run
        if counts:
            counting.add(run.key)
    return {key: run for key, run in last.items() if key in counting or tries[key] >= attempts}


def _without_baseline(runs: Iterable[Run], serves: Callable[[Run], bool]) -> set[str | None]:
    """Returns what was measured together with baselines none of which serves."""
    baselines = [run for run in runs if run.is_baseline]
    served = {run.together for run in baselines if serves(run)}
    return {run.together for run in baselines} - served - {None}


def flagged_lines(
    planned: Iterable[Key], runs: Iterable[Run], known: Mapping[Key, Run], attempts: int
) -> list[str]:
    """Returns what the user must know of flagged runs: which are measured again, which are not.

    Args:
        planned: keys of the sweep's runs.
        runs: of `measured_here`.
        known: of them, as `finished` says.
        attempts: how often a run is measured until it need not count.
    """
    latest = {run.key: run for run in runs if run.outcome == "ok"}
    wanted = [key for key in dict.fromkeys(planned) if key in latest]
    again = [latest[key] for key in wanted if key not in known]
    flagged = [run for run in again if is_flagged(run)]
    stay = [known[key] for key in wanted if key in known and is_flagged(known[key])]
    lines = []
    if flagged:
        were = "was" if len(flagged) == 1 else "were"
        more = len(again) > len(flagged)
        are = f"{len(again)} runs are" if more else "they are" if len(again) > 1 else "it is"
        besides = ", with those that nothing valid is left to compare with"
        lines.append(
            f"{plural(len(flagged), 'run')} {were} flagged ({_doubts(flagged)}), so {are} measured "
            f"again{besides if more else ''}; each run {attempts} times at "
            f"most. sweep.rerun=false leaves {_them(again)} as {_they(again)}"
        )
    if stay and attempts > 1:
        lines.append(
            f"{plural(len(stay), 'run')} {'stays' if len(stay) == 1 else 'stay'} flagged "
            f"({_doubts(stay)}), measured as often as sweep.attempts={attempts} allows; on a quiet "
            f"machine sweep.attempts={2 * attempts} measures {_them(stay)} again"
        )
    return lines


def _doubts(runs: Iterable[Run]) -> str:
    doubts = dict.fromkeys(doubt for run in runs for doubt in run.doubts)
    return ", ".join(doubt for doubt in doubts if doubt not in HARMLESS)


def _them(runs: Sequence[Run]) -> str:
    return "it" if len(runs) == 1 else "them"


def _they(runs: Sequence[Run]) -> str:
    return "it is" if len(runs) == 1 else "they are"


def usages(runs: Iterable[Run], machine: str) -> Mapping[str, Sequence[Usage]]:
    """Returns what runs took on a machine, for the forecast: by cell, and by peers.

    Runs that were measured together took their block's time, of which each has the share that it
    has in the time of all: what they slept while others measured is counted once.
    """
    done = [run for run in runs if run.machine == machine and run.outcome == "ok"]
    stretch = _stretches(done)
    history: dict[str, list[Usage]] = defaultdict(list)
    for run in done:
        own_s = run.seconds
        took_s = None if own_s is None else own_s * stretch.get(run.together, 1.0)
        usage = Usage(took_s, run.metrics.get(RUN_J), run.metrics.get(RUN_USD))
        history[run.cell].append(usage)
        if run.peers is not None:
            history[run.peers].append(usage)
    return history


def _stretches(runs: Iterable[Run]) -> dict[str | None, float]:
    """Returns how long a block lasted for each second that its runs took, by `together`."""
    blocks: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.together is not None and run.ended and run.seconds is not None:
            blocks[run.together].append(run)
    stretches: dict[str | None, float] = {}
    for together, members in blocks.items():
        begun = min(datetime.fromisoformat(run.started) for run in members)
        ended = max(datetime.fromisoformat(run.ended) for run in members)
        own_s = sum(run.seconds or 0.0 for run in members)
        if own_s > 0:
            stretches[together] = max(1.0, (ended - begun).total_seconds() / own_s)
    return stretches


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
