"""What the figures share of words and looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from greenexp.report.figures.plot import BLACK, CYCLE, DASHES, MARKERS, Dash, Marker
from greenexp.report.words.format import basis, joined, number, span
from greenexp.study.estimates import Interval
from greenexp.study.study import Cell, Study
from greenexp.study.verdicts import EnergyBasis

Look = tuple[str, Marker, Dash]
BASELINE_LOOK: Look = (BLACK, "star", "solid")
NAMED = 8  # so many names stand in a caption


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Returns colour, marker and dash by name; no two of 42 names share colour and marker."""
    return {
        name: (
            CYCLE[index % len(CYCLE)],
            MARKERS[index % len(MARKERS)],
            DASHES[index // len(CYCLE) % len(DASHES)],
        )
        for index, name in enumerate(dict.fromkeys(names))
    }


def tactic_looks(study: Study) -> Mapping[str, Look]:
    """Returns the look of each tactic, the same in every figure of the study."""
    tactics = [line.tactic for line in study.overall]
    tactics += [cell.tactic for cell in study.cells if not cell.is_baseline]
    baselines = {cell.tactic: BASELINE_LOOK for cell in study.cells if cell.is_baseline}
    return {**baselines, **looks(tactics)}


def told(value: float, interval: Interval | None, unit: str = "") -> str:
    """Returns a figure in words: `0.920 J (0.901 to 0.944)`."""
    return joined(" ".join(filter(None, [number(value), unit])), span(interval))


def estimate(cells: Iterable[Cell]) -> str:
    """Returns the sentence that says which joules are estimates; empty where all are measured."""
    made_of = basis(cells)
    if made_of is None or not made_of.holds_estimates:
        return ""
    share = " in part" if made_of is EnergyBasis.MIXED else ""
    return f"Energy is{share} an estimate from utilization and rated power, no measurement."


def dollars_estimate(cells: Iterable[Cell]) -> str:
    """Returns the same of their dollars, as far as these hold electricity."""
    return estimate([cell for cell in cells if "electricity" in (cell.cost_holds or "")])


def listed(names: Sequence[str]) -> str:
    """Returns the names with commas; past NAMED of them, how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def sentences(*parts: str) -> str:
    """Returns those that are not empty as one paragraph."""
    return " ".join(filter(None, parts))
