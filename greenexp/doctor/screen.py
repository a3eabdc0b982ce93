"""What the doctor found, on one screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from greenexp.doctor.energy import EnergyVerdict
from greenexp.doctor.surroundings import Fact
from greenexp.protocols import Availability

ABSENT = "absent"
SOURCES = {
    "counter": "counter",
    "sampled": "sampled",
    "model": "estimate",
    None: ABSENT,
}
STYLES = {"estimate": "yellow", ABSENT: "red"}


def headline(verdicts: Iterable[EnergyVerdict]) -> list[str]:
    """Returns a sentence on each energy."""
    return [verdict.sentence for verdict in verdicts]


def meters(available: Sequence[tuple[str, Availability]]) -> Table:
    """Returns the table of what each meter tells.

    Args:
        available: the name of a meter, and a quantity that it tells or lacks.
    """
    table = _table("meter", "component", "quantity", "source", "by what, or why not")
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for meter, one in available:
        key = meter, one.component, SOURCES[one.source], one.detail
        grouped.setdefault(key, []).append(one.quantity)
    for (meter, component, source, detail), quantities in grouped.items():
        table.add_row(
            Text(meter),
            Text(component),
            Text(", ".join(quantities)),
            Text(source, style=STYLES.get(source, "")),
            Text(detail),
        )
    return table


def machine(facts: Iterable[Fact]) -> Table:
    """Returns the table of what a run would meet on the machine."""
    table = _table("machine", "")
    for fact in facts:
        table.add_row(Text(fact.name), Text(fact.value))
    return table


def cures(verdicts: Iterable[EnergyVerdict], facts: Iterable[Fact]) -> list[str]:
    """Returns a line for each thing that is absent and can be had."""
    energy = [f"{one.component} energy: {cure}" for one in verdicts for cure in one.cures]
    others = [f"{fact.name}: {fact.cure}" for fact in facts if fact.cure]
    return list(dict.fromkeys([*energy, *others]))


def _table(*names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(Text(name), overflow="fold")
    return table
