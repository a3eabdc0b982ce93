"""What figures and the page's tables share of words and looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from greenexp.report.figures.plot import BLACK, CYCLE, DASHES, MARKERS, Dash, Marker
from greenexp.report.words import savings
from greenexp.report.words.format import basis, joined, number, span
from greenexp.study.estimates import Interval
from greenexp.study.study import Cell, Overall, Study
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


def flagged(members: Iterable[Cell | Overall]) -> str:
    """Returns what stands against runs that are drawn; empty where nothing does."""
    doubts = sorted({doubt for member in members for doubt in member.doubts})
    return f"Flagged runs are among them: {', '.join(doubts)}." if doubts else ""


def bars(drawn: bool) -> str:
    """Returns what bars are, where there are any."""
    return "Bars are 95 % intervals." if drawn else ""


def spans(members: Iterable[Cell | Overall]) -> bool:
    """Tells whether any ratio has an interval."""
    return any(effect.interval for member in members for effect in member.effects.values())


def payback_spans(cells: Iterable[Cell]) -> bool:
    """Tells whether any break-even has an interval."""
    return any(payback.interval for cell in cells for payback in cell.paybacks.values())


def months_spans(cells: Iterable[Cell]) -> bool:
    """Tells whether any saving of a month has an interval."""
    saved = [figure for cell in cells if cell.monthly for figure in vars(cell.monthly).values()]
    return any(figure.interval for figure in saved if figure is not None)


def of_model(model: str, cells: Sequence[Cell]) -> str:
    """Returns the caption of a model's table of measured figures."""
    measured = [figure for cell in cells for figure in cell.quantities.values()]
    intervals = any(figure.interval for figure in measured) or spans(cells)
    effects = [effect for cell in cells for effect in cell.effects.values()]
    tested = any(effect.adjusted_p is not None for effect in effects)
    ratios = "× is against the baseline" if effects else ""
    adjusted = "p adjusted for the number of tactics" if tested else ""
    below = "95 % interval below it" if intervals else ""
    blocks = "mean over blocks" if any(cell.blocks > 1 for cell in cells) else "of one block"
    against = ", ".join(filter(None, [ratios, adjusted]))
    clauses = [", ".join(filter(None, [blocks, below])), against, "per million is of images"]
    return f"{model}: {'; '.join(filter(None, clauses))}."


def is_billed(cells: Iterable[Cell]) -> bool:
    """Tells whether any dollars are those of hours of computing."""
    return any(savings.of_computing(cell.cost_holds) for cell in cells)


def billing(cells: Iterable[Cell]) -> str:
    """Returns on what condition a model's dollars are saved; empty where they are not of hours."""
    known = [cell.occupancy for cell in cells if savings.of_computing(cell.cost_holds)]
    return f" USD are saved {savings.billing(known[0])}." if known else ""


def listed(names: Sequence[str]) -> str:
    """Returns the names with commas; past NAMED of them, how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def sentences(*parts: str) -> str:
    """Returns those that are not empty as one paragraph."""
    return " ".join(filter(None, parts))
