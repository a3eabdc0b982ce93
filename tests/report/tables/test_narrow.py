"""Tables made to fit: what is folded where, and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from greenexp.report.tables.narrow import folded

untimed = settings(deadline=None)  # no test asserts a time


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        pytest.param("baseline", 10, ["baseline"], id="it fits"),
        pytest.param("no difference shown", 13, ["no difference", "shown"], id="between words"),
        pytest.param(
            "structured_pruning → int8_dynamic",
            22,
            ["structured_pruning →", "int8_dynamic"],
            id="a word goes to the next line whole",
        ),
        pytest.param(
            "deit_base_distilled_patch16_384",
            20,
            ["deit_base_distilled_", "patch16_384"],
            id="a long word ends behind a sign",
        ),
        pytest.param(
            "cpu_steal, busy_at_start:other_processes",
            16,
            ["cpu_steal,", "busy_at_start:", "other_processes"],
            id="doubts",
        ),
        pytest.param("abcdefgh", 3, ["abc", "def", "gh"], id="no sign anywhere"),
        pytest.param("", 3, [""], id="nothing"),
    ],
)
def test_lines_end_where_a_reader_expects(text: str, width: int, lines: list[str]) -> None:
    assert folded(Text(text), width).plain.split("\n") == lines


@untimed
@given(st.text(alphabet="ab_ -", max_size=40), st.integers(1, 20))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, width: int) -> None:
    lines = folded(Text(text), width).plain.split("\n")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert max(len(line.strip()) for line in lines) <= width


def test_colors_stay() -> None:
    lines = folded(Text("cpu_steal, throttled", style="yellow"), 10)
    assert lines.plain == "cpu_steal,\nthrottled"
    assert {str(span.style) for span in lines.spans} == {"yellow"}
