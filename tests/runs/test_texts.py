"""Names that others give reach neither a terminal nor a spreadsheet as commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.runs.texts import from_spreadsheet_cell, printable, spreadsheet_cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain · ×0.5 – pt", "plain · ×0.5 – pt"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("rub\x08out\r", "rub\\x08out\\x0d"),
        ("cat\u202egpj.exe", "cat\\x202egpj.exe"),
        ("half\udcff", "half\\xdcff"),
    ],
)
def test_control_characters_are_spelled_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert not any(127 <= ord(c) < 160 for c in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'=", "''@"])
def test_no_cell_is_a_formula(start: str) -> None:
    cell = spreadsheet_cell(f"{start}cmd|'/c calc'!A1")
    assert cell.startswith("'")


@given(st.one_of(st.text(), st.from_regex(r"'*[=+\-@].*", fullmatch=True)))
def test_cell_becomes_the_text_again(text: str) -> None:
    assert from_spreadsheet_cell(spreadsheet_cell(text)) == text
    if not text.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")):
        assert spreadsheet_cell(text) == text
