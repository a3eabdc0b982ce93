"""Which runs count, and of those that were measured again which one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from greenexp.runs.run import Run
from greenexp.study.verdicts import LeftOutReason

# Stand against a run's prices or its width alone; the spread between blocks holds the latter.
HARMLESS = ("valid", "hardware_mismatch", "precision_not_reached")
Reason = tuple[LeftOutReason, str]  # and its detail


def latest(
    runs: Sequence[Run], tactics: Mapping[str, str], keep_flagged: bool
) -> tuple[list[Run], dict[Reason, list[Run]]]:
    """Returns the runs that count, and those that don't by reason.

    Of runs that were measured again the latest counts, and a flagged one that was is no longer told
    of. What another machine has measured, or another store holds, is no such run.

    Args:
        runs: all there are.
        tactics: what the tactic of each cell is called.
        keep_flagged: whether runs that something stands against count as well.
    """
    left: dict[Reason, list[Run]] = defaultdict(list)
    valid = []
    for run in runs:
        reason = why_left_out(run, keep_flagged)
        if reason is None:
            valid.append((_which(run, tactics[run.cell]), run))
        else:
            left[reason].append(run)
    measured = {_key(run, tactics[run.cell]): run.started for _, run in valid}
    for reason in [reason for reason in left if reason[0] is LeftOutReason.FLAGGED]:
        those = left.pop(reason)
        for run in those:
            better = measured.get(_key(run, tactics[run.cell]), "") > run.started
            left[(LeftOutReason.REPEATED, "") if better else reason].append(run)
    of_unknown_hosts = {which for which, run in valid if run.host is None}
    counted: dict[tuple[object, ...], Run] = {}
    for which, run in valid:
        key = *which, None if which in of_unknown_hosts else run.host
        known = counted.get(key, run)
        older, newer = sorted([known, run], key=lambda attempt: attempt.started)
        if older is not newer:
            left[LeftOutReason.REPEATED, ""].append(older)
        counted[key] = newer
    return list(counted.values()), left


def why_left_out(run: Run, keep_flagged: bool) -> Reason | None:
    """Returns the reason to leave a run out and its detail; None for a run that counts."""
    if run.outcome != "ok":
        return LeftOutReason.FAILED, run.outcome
    if run.peers is None:
        return LeftOutReason.OLD, ""
    if run.block is None:
        return LeftOutReason.SINGLE, ""
    doubts = against(run)
    if doubts and not keep_flagged:
        return LeftOutReason.FLAGGED, ", ".join(doubts)
    return None


def against(run: Run) -> list[str]:
    """Returns the doubts that keep a run from counting, unless flagged runs are let count."""
    return [doubt for doubt in run.doubts if doubt not in HARMLESS]


def _which(run: Run, tactic: str) -> tuple[object, ...]:
    """Returns what is equal for a run and for the same that was measured again.

    A tactic that was measured later has brought its own baselines; earlier ones stay.
    """
    place = (run.together or run.sweep) if run.is_baseline else None
    return *_key(run, tactic), place


def _key(run: Run, tactic: str) -> tuple[object, ...]:
    """Returns what is equal for a run and for the same of another attempt."""
    measured = run.peers, run.machine, run.conditions, tactic, run.block, run.replicate
    return *measured, run.origin
