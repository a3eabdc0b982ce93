"""Where and when runs were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from greenexp.report.words.format import number, plural
from greenexp.runs.run import Run
from greenexp.runs.texts import printable

MIB_PER_GIB = 2**10
DAY = len("2026-11-30")


def machines(runs: Iterable[Run]) -> list[str]:
    """Returns the machines of runs, each with its logical CPUs and memory as far as known."""
    return sorted({printable(_machine(run)) for run in runs if run.cpu or run.gpus})


def _machine(run: Run) -> str:
    facts = []
    if run.cpu_threads is not None:
        facts.append(plural(run.cpu_threads, "logical CPU"))
    if run.memory_mib is not None:
        facts.append(f"{number(run.memory_mib / MIB_PER_GIB)} GiB of memory")
    known = ", ".join(facts)
    cpu = f"{run.cpu} ({known})" if known else run.cpu or ""
    return " with ".join(filter(None, [", ".join(run.gpus), cpu]))


def days(runs: Sequence[Run]) -> str:
    """Returns the day of runs, or the first and the last, UTC; nothing without runs."""
    if not runs:
        return ""
    first, last = (extreme(run.started for run in runs)[:DAY] for extreme in (min, max))
    return first if first == last else f"{first} to {last}"
