"""The map in CONTRIBUTING.md says of each room what the room says of itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.imports import PACKAGE
from tests.test_architecture import FLOORS

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
HEADER = ("| room | does |", "|---|---|")
ENDS = (". ", ".\n")


def first_sentence(text: str) -> str:
    """Returns the first sentence of a docstring, in one line and without its full stop."""
    ends = [place for end in ENDS if (place := text.find(end)) >= 0]
    return " ".join(text[: min(ends, default=len(text))].split()).removesuffix(".")


def source_of(room: str) -> Path:
    """Returns the file whose docstring describes a room: its own, or its package's."""
    loose = PACKAGE / f"{room}.py"
    return loose if loose.is_file() else PACKAGE / room / "__init__.py"


def row(room: str) -> str:
    source = source_of(room)
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))
    assert docstring, f"{source.relative_to(PACKAGE.parent)} has no docstring"
    name = source.relative_to(PACKAGE).as_posix().removesuffix("__init__.py") or source.name
    return f"| `{name}` | {first_sentence(docstring)} |"


def right_table() -> str:
    """Returns the table as it must be: the floors from the top, rooms of a floor in order."""
    rooms = [room for floor in reversed(FLOORS) for room in floor]
    return "\n".join([*HEADER, *map(row, rooms)])


def written_table(text: str) -> str:
    """Returns the table of rooms out of a page; empty where there is none."""
    lines = text.splitlines()
    if HEADER[0] not in lines:
        return ""
    begins = lines.index(HEADER[0])
    ends = next(
        (place for place in range(begins, len(lines)) if not lines[place].startswith("|")),
        len(lines),
    )
    return "\n".join(lines[begins:ends])


def test_map_agrees_with_docstrings() -> None:
    right = right_table()
    assert written_table(CONTRIBUTING.read_text(encoding="utf-8")) == right, (
        f"the table of rooms in CONTRIBUTING.md must be\n\n{right}\n"
    )


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        pytest.param("One thing.", "One thing", id="alone"),
        pytest.param("One thing. Another.", "One thing", id="two in a line"),
        pytest.param("One thing,\nin two lines.\n\nMore.", "One thing, in two lines", id="wrapped"),
        pytest.param("Reads `run.json`. Else.", "Reads `run.json`", id="a dot within a word"),
        pytest.param(
            "`python -m greenexp.store`: sends", "`python -m greenexp.store`: sends", id="none"
        ),
    ],
)
def test_first_sentence(docstring: str, sentence: str) -> None:
    assert first_sentence(docstring) == sentence


@pytest.mark.parametrize(
    ("page", "table"),
    [
        pytest.param("no table", "", id="none"),
        pytest.param(
            "# Page\n\n| room | does |\n|---|---|\n| `a/` | b |\n\nmore",
            "| room | does |\n|---|---|\n| `a/` | b |",
            id="among text",
        ),
        pytest.param("| room | does |\n|---|---|", "| room | does |\n|---|---|", id="at the end"),
    ],
)
def test_table_is_found(page: str, table: str) -> None:
    assert written_table(page) == table
