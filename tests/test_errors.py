"""Messages say what was given, what is allowed and how to mend it."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp import errors
from greenexp.errors import BadInput, GreenexpError, nearest
from greenexp.settings.checks import check_choice, check_range

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, Exception) and cls.__module__ == errors.__name__
]


def test_docstring_draws_the_tree() -> None:
    drawn: dict[str, int] = {
        match.group(2): len(match.group(1)) // 4
        for match in re.finditer(r"^    ((?:[│├└─ ]{4})*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    }
    assert drawn == {cls.__name__: cls.__mro__.index(GreenexpError) for cls in CLASSES}


@pytest.mark.parametrize("cls", CLASSES)
def test_all_descend_from_one_root(cls: type[Exception]) -> None:
    assert issubclass(cls, GreenexpError)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        pytest.param(None, {"at_least": 0}, id="absent"),
        pytest.param(0, {"at_least": 0}, id="at the lower bound"),
        pytest.param(1, {"at_most": 1}, id="at the upper bound"),
        pytest.param(1e-300, {"above": 0}, id="just above"),
        pytest.param(0.999, {"above": 0, "below": 1}, id="between"),
        pytest.param(-1e308, {}, id="any finite number"),
    ],
)
def test_in_range(value: float | None, bounds: dict[str, float]) -> None:
    assert check_range("key", value, **bounds) is None


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        pytest.param(-1, {"at_least": 0}, "k=-1 is out of range; .* >= 0$", id="below"),
        pytest.param(0, {"above": 0}, "k=0 is out of range; .* > 0$", id="on an open bound"),
        pytest.param(1.5, {"at_most": 1}, r"k=1\.5 .* <= 1$", id="beyond"),
        pytest.param(1, {"below": 1}, "k=1 .* < 1$", id="on an open upper bound"),
        pytest.param(2, {"above": 0, "at_most": 1}, "> 0 and <= 1$", id="both bounds told"),
        pytest.param(math.nan, {"at_least": 0}, "k=nan .*finite number", id="nan"),
        pytest.param(math.inf, {"at_least": 0}, "k=inf .*finite number", id="inf"),
        pytest.param(-math.inf, {"at_most": 0}, "k=-inf .*finite number", id="-inf"),
        pytest.param(math.nan, {}, "finite number", id="nan without bounds"),
    ],
)
def test_out_of_range(value: float, bounds: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_range("k", value, **bounds)


@given(st.floats(), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_range_is_what_python_says(value: float, low: float, high: float) -> None:
    inside: Any = True
    try:
        check_range("k", value, at_least=low, below=high)
    except BadInput:
        inside = False
    assert inside is (low <= value < high)


def test_choice_that_is_allowed() -> None:
    assert check_choice("device", "cpu", iter(("auto", "cpu", "cuda"))) is None


@pytest.mark.parametrize(
    ("given_word", "message"),
    [
        pytest.param(
            "cdua",
            r"^device=cdua is unknown; allowed: auto, cpu, cuda\. Did you mean cuda\?$",
            id="a slip of the finger",
        ),
        pytest.param("xyz", r"allowed: auto, cpu, cuda\.$", id="nothing alike"),
        pytest.param("CPU", "device=CPU is unknown", id="capitals"),
    ],
)
def test_choice_that_is_not(given_word: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_choice("device", given_word, iter(("auto", "cpu", "cuda")))


@pytest.mark.parametrize(
    ("word", "allowed", "hint"),
    [
        pytest.param("amont", ["amount", "backend"], " Did you mean amount?", id="near"),
        pytest.param("qqq", ["amount"], "", id="far"),
        pytest.param("amount", [], "", id="nothing allowed"),
    ],
)
def test_nearest(word: str, allowed: list[str], hint: str) -> None:
    assert nearest(word, allowed) == hint
