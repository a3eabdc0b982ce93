"""Names that others have given, made harmless where they are shown or written."""

from __future__ import annotations

import re

# Control characters, and those that turn the direction of a line; a tab and a newline are none.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # that a spreadsheet takes for the start of one
QUOTE = "'"  # before it, a spreadsheet takes a cell for a text


def printable(text: str) -> str:
    """Returns a text whose control characters are spelled out, so that none reaches a terminal."""
    return CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def spreadsheet_cell(text: str) -> str:
    """Returns a text that no spreadsheet takes for a formula; `from_spreadsheet_cell` undoes it."""
    return f"{QUOTE}{text}" if text.lstrip(QUOTE).startswith(FORMULA) else text


def from_spreadsheet_cell(cell: str) -> str:
    """Returns the text that `spreadsheet_cell` was given."""
    quoted = cell.startswith(QUOTE) and cell.lstrip(QUOTE).startswith(FORMULA)
    return cell.removeprefix(QUOTE) if quoted else cell
