"""Notes and next steps of made-up runs, each checked to be plain."""

from __future__ import annotations

from typing import Any

from greenexp.report.words import notes
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.study.effects import compare
from greenexp.study.select import priced
from tests.support.sentences import check_commands, check_plain
from tests.support.synthetic_runs import LOCAL, Row, labels_of, no_predictions, runs_of


def said(
    made: list[Row], preset: Hardware = LOCAL, *, repriced: str | None = None, **options: Any
) -> tuple[list[str], list[str]]:
    """Returns the notes and the next steps, each checked to be plain and to name what is there."""
    used, left_out = priced(runs_of(made, preset), labels_of(made), **options)
    cells = compare(used, no_predictions, Report()).cells
    noted = notes.notes(used, cells, repriced)
    steps = notes.next_steps(used, cells, left_out)
    for lines in (noted, steps, notes.prices(used)):
        check_plain(lines)
        check_commands(lines)
        assert len(lines) == len(set(lines))
    return noted, steps


def only(lines: list[str], words: str) -> str:
    (line,) = [line for line in lines if words in line]
    return line
