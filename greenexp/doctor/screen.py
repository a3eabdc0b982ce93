"""The one screen: verdicts on top, then what each meter tells, cures, and the machine."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from greenexp.doctor.checks import Fact
from greenexp.doctor.verdict import ENERGY, Verdict
from greenexp.protocols import Availability, Source
from greenexp.runs.energy import kind

ABSENT = "absent"
WORDS: dict[Source | None, str] = {
    "counter": "counter",
    "sampled": "sampled",
    "model": "estimate",
    None: ABSENT,
}
STYLES: dict[Source | None, str] = {
    "counter": "green",
    "sampled": "green",
    "model": "yellow",
    None: "yellow",
}
HEADING = "bold"


def screen(
    verdicts: Sequence[Verdict], availability: Sequence[Availability], facts: Sequence[Fact]
) -> list[RenderableType]:
    """Returns what is shown, from top to bottom."""
    shown: list[RenderableType] = [
        Text(verdict.text, style=STYLES[verdict.source]) for verdict in verdicts
    ]
    if availability:
        shown += [Text(), _meters(availability)]
    remedies = cures(verdicts, availability, facts)
    if remedies:
        shown += [Text(), Text("How to get more", style=HEADING)]
        shown.append(_grid([(Text(name), Text(cure)) for name, cure in remedies]))
    shown += [Text(), Text("Machine", style=HEADING)]
    styled = [(Text(f.name), Text(f.text, style="" if f.there else STYLES[None])) for f in facts]
    shown.append(_grid(styled))
    return shown


def cures(
    verdicts: Sequence[Verdict], availability: Sequence[Availability], facts: Sequence[Fact]
) -> list[tuple[str, str]]:
    """Returns (what, cure), each cure once; none for energy that a counter tells already."""
    counted = {verdict.kind for verdict in verdicts if verdict.source == "counter"}
    names: dict[str, str] = {}
    for entry in availability:
        settled = entry.quantity == ENERGY and kind(entry.component) in counted
        if entry.cure and not settled:
            names.setdefault(entry.cure, f"{entry.component} {entry.quantity}")
    for fact in facts:
        if fact.cure:
            names.setdefault(fact.cure, fact.name)
    return [(name, cure) for cure, name in names.items()]


def _meters(availability: Sequence[Availability]) -> Table:
    """Returns a row for each component and instrument, with all quantities that it tells."""
    rows: dict[tuple[str, Source | None, str], list[str]] = {}
    energy_first = sorted(availability, key=lambda entry: entry.quantity != ENERGY)
    for entry in energy_first:
        # Energy has a row of its own: its source is what all of this is about.
        key = (entry.component, entry.source, entry.detail)
        rows.setdefault(key, []).append(entry.quantity)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=HEADING)
    for name in ("component", "quantity", "source"):
        table.add_column(name)
    table.add_column("instrument, or why it is absent", ratio=1, overflow="fold")
    for (component, source, detail), quantities in rows.items():
        style = STYLES[source] if source is None or ENERGY in quantities else ""
        named = ", ".join(quantities)
        table.add_row(*map(Text, (component, named, WORDS[source], detail)), style=style)
    return table


def _grid(rows: Sequence[tuple[Text, Text]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")  # commands must not be cut
    for row in rows:
        grid.add_row(*row)
    return grid
