"""The machines that measured a model, on a terminal: what each would deploy, side by side."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from greenexp.report.tables.narrow import folded, widest
from greenexp.report.words import format as wording
from greenexp.report.words import machines as words
from greenexp.runs.texts import printable
from greenexp.study.study import Deployment, Machines, Study

LEAST = 16  # characters that the column of names keeps
ROOMY = 80  # characters of a line that has room for whole intervals
FIGURE = 12  # characters of a column of figures where there is none


def machines_table(machines: Machines, study: Study, width: int, *, wide: bool) -> Table:
    """Returns a model's machines, cheapest first, with a paragraph on what that says.

    Args:
        machines: of the model.
        study: that says it.
        width: characters that a line has.
        wide: whether there is room for more than what tactics are compared by.
    """
    shown = [quantity for quantity in words.columns(study) if wide or quantity.compared]
    table = Table(
        title=Text(words.title(machines)),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
        pad_edge=False,
    )
    table.add_column("machine", overflow="fold", min_width=LEAST)
    for quantity in shown:
        heading = wording.heading(quantity, words.energy(machines))
        table.add_column(Text(heading.replace(" ", "\n")), justify="right", no_wrap=True)
    for deployment in machines.deployments:
        table.add_section()
        figures = [_figure(deployment, quantity.name) for quantity in shown]
        if width < ROOMY:
            figures = [_folded(figure, FIGURE) for figure in figures]
        room = width - sum(1 + widest(figure) for figure in figures)
        table.add_row(_folded(_name(deployment), max(LEAST, room)), *figures)
    stacked = Table.grid(padding=(0, 0, 1, 0))
    stacked.add_row(table)
    stacked.add_row(Text(words.caption(machines)))
    return stacked


def _name(deployment: Deployment) -> Text:
    """Returns machine and settings, and below them what would be deployed there."""
    name = Text(printable(words.machine(deployment)), style="bold")
    tactic = wording.joined(words.tactic(deployment), words.why(deployment))
    return name.append(f"\n{words.place(deployment)}\n{tactic}", style="not bold")


def _folded(text: Text, width: int) -> Text:
    """Returns a text with each line folded."""
    return Text("\n").join(folded(line, width) for line in text.split("\n"))


def _figure(deployment: Deployment, name: str) -> Text:
    remark = words.remark(deployment, name).replace(", ", "\n")
    parts = [words.figure(deployment, name), words.span(deployment, name), remark]
    return Text("\n".join(filter(None, parts)))
