"""A table of the terminal made to fit: no word is cut, and what is left out for it is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.table import Column, Table
from rich.text import Text

LEAST_NAME = 20  # characters that the column of names keeps, before another column goes
INDENT = "  "  # of what stands below a name
# What a line holds whole as long as it can: words, their parts, parts of these, characters.
PIECES = [
    re.compile(r"\S+\s*"),
    re.compile(r"[^:/=]*[:/=\s]*"),
    re.compile(r"[^_\-.]*[_\-.\s]*"),
    re.compile(r".\s*"),
]
FIRST_TO_GO = ("images to repay joules", "models")
LAST_TO_GO = ("top-1",)
ABSENT = "–"


def fitted(table: Table, width: int) -> Table:
    """Returns a table with its last column, of words, below the names of the first.

    Figures that there is no room for are left out and named below it, the least needed first.

    Args:
        table: its first column holds names, its last one words, the others figures.
        width: characters that a line has.
    """
    names, *figures, words = table.columns
    shown = list(figures)
    order = [*_called(figures, FIRST_TO_GO), *_others(figures), *_called(figures, LAST_TO_GO)]
    for column in order[: len(figures) - 1]:
        if _room(shown, width) >= min(LEAST_NAME, _width(names.cells)):
            break
        shown.remove(column)
    room = max(1, _room(shown, width))
    made = Table(
        title=table.title,
        title_justify=table.title_justify,
        caption=_left_out([column for column in figures if column not in shown]),
        caption_justify="left",
        box=table.box,
        show_edge=table.show_edge,
        padding=table.padding,
        pad_edge=table.pad_edge,
    )
    made.add_column(names.header, overflow="fold", max_width=room)
    for column in shown:
        made.add_column(column.header, justify="right", no_wrap=True)
    rows = zip(table.rows, names.cells, words.cells, *(c.cells for c in shown), strict=True)
    for row, name, verdict, *cells in rows:
        made.add_row(
            _stacked(_text(name), _text(verdict), room), *cells, end_section=row.end_section
        )
    return made


def folded(text: Text, width: int) -> Text:
    """Returns a text in lines of a width; they end between words, else behind a sign of a word.

    Args:
        text: in one line.
        width: characters that a line has, at least 1.
    """
    lines = list(text.divide(_ends(text.plain, width)))
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def widest(text: Text) -> int:
    """Returns the width of a text's longest line."""
    return max((line.cell_len for line in text.split("\n")), default=0)


def _ends(text: str, width: int) -> list[int]:
    """Returns where the lines of a text end."""
    ends = [0]

    def fill(start: int, end: int, pieces: Sequence[re.Pattern[str]]) -> None:
        for piece in pieces[0].finditer(text, start, end):
            if len(text[ends[-1] : piece.end()].rstrip()) <= width:
                continue
            if piece.start() > ends[-1]:
                ends.append(piece.start())
            if len(piece[0].rstrip()) > width:
                fill(piece.start(), piece.end(), pieces[1:])

    fill(0, len(text), PIECES)
    return ends[1:]


def _stacked(name: Text, verdict: Text, room: int) -> Text:
    """Returns a name with what is said of it below."""
    lines = [folded(name, room)]
    below = room - len(INDENT)
    for line in _lines(verdict) if verdict.plain not in ("", ABSENT) else ():
        lines += [Text(INDENT) + part for part in folded(line, max(1, below)).split("\n")]
    return Text("\n").join(lines)


def _lines(verdict: Text) -> list[Text]:
    """Returns what is said in lines, a p-value in the line of its verdict."""
    lines: list[Text] = []
    for line in verdict.split("\n"):
        if lines and line.plain.startswith("p "):
            lines[-1] = lines[-1] + Text(", ") + line
        else:
            lines.append(line)
    return lines


def _room(shown: Sequence[Column], width: int) -> int:
    """Returns the characters that are left for names; a column keeps one to the next."""
    return width - sum(_width([column.header, *column.cells]) + 1 for column in shown)


def _width(cells: Iterable[object]) -> int:
    """Returns the width of a column: that of its longest line."""
    return max((widest(_text(cell)) for cell in cells), default=0)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def _heading(column: Column) -> str:
    return _text(column.header).plain.replace("\n", " ")


def _called(columns: Iterable[Column], headings: Sequence[str]) -> list[Column]:
    return [column for column in columns if _heading(column) in headings]


def _others(columns: Sequence[Column]) -> list[Column]:
    """Returns the columns between those that go first and last, in the order they may go."""
    kept = (*FIRST_TO_GO, *LAST_TO_GO)
    return [column for column in reversed(columns) if _heading(column) not in kept]


def _left_out(columns: Sequence[Column]) -> Text | None:
    if not columns:
        return None
    headings = ", ".join(map(_heading, columns))
    return Text(f"No room here for: {headings}; a wider terminal and the page have it.")
