"""Runs of several stores and journals as those of one, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from greenexp.runs.run import Run


def merged(runs: Iterable[Run]) -> list[Run]:
    """Returns each run once, oldest first.

    A run stands in several places where its record was copied, or sent to a tracker. It is the one
    that is known exactly, with the folder and the id of whichever place has one. Places that share
    a run hold one study: their runs have one origin from then on.

    Args:
        runs: of all places, those of one place in its order.
    """
    same: list[list[Run]] = []
    numbers: dict[str, int] = {}  # of the runs in `same`, by what they are known by
    for run in runs:
        names = [f"id {run.id}", *([f"tracked {run.tracked}"] if run.tracked else [])]
        number = next((numbers[name] for name in names if name in numbers), len(same))
        if number == len(same):
            same.append([])
        same[number].append(run)
        numbers |= dict.fromkeys(names, number)
    origins = _joined([[run.origin for run in of_one if run.origin] for of_one in same])
    return sorted((_one(of_one, origins) for of_one in same), key=lambda run: run.started)


def _one(same: Sequence[Run], origins: dict[str, str]) -> Run:
    """Returns the run that several are."""
    exact = max(same, key=lambda run: run.schema > 0)
    if len(same) == 1 and exact.origin == origins.get(exact.origin or "", exact.origin):
        return exact
    return replace(
        exact,
        tracked=next((run.tracked for run in same if run.tracked), None),
        folder=next((run.folder for run in same if run.folder), None),
        origin=next((origins[run.origin] for run in same if run.origin), None),
    )


def _joined(together: Iterable[Sequence[str]]) -> dict[str, str]:
    """Returns what each name is called where those that stand together are one: by the first."""
    first: dict[str, str] = {}
    for names in together:
        for name in names:
            first.setdefault(name, name)
        called = {first[name] for name in names}
        if len(called) > 1:
            oldest = next(name for name in first.values() if name in called)
            first = {name: oldest if now in called else now for name, now in first.items()}
    return first
