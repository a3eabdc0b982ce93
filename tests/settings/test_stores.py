"""Which stores and journals a report reads."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.settings.build import typed
from greenexp.settings.stores import Stores, listed
from greenexp.settings.sweep import Tracking
from tests.support.modules import Refusal

ALLOWED = "a folder"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("a", ["a"], id="one"),
        pytest.param(["a", "b"], ["a", "b"], id="two"),
        pytest.param(["a", "b", "a"], ["a", "b"], id="twice"),
        pytest.param(2024, ["2024"], id="a number"),
        pytest.param([2024, "b"], ["2024", "b"], id="a number among words"),
    ],
)
def test_one_or_several_are_a_list(given: Any, words: list[str]) -> None:
    assert listed("journal", given, ALLOWED) == words


@pytest.mark.parametrize("given", [[], {}, {"a": 1}, [["a"]], "", [""], [None], None])
def test_what_names_nothing_is_refused(given: Any, refusal: Refusal) -> None:
    words = refusal(lambda: listed("journal", given, ALLOWED))
    assert words == f"journal={given} names nothing; allowed: a folder"


def test_each_store_has_the_settings_of_all(refusal: Refusal) -> None:
    given = {"tracking": {"uri": ["sqlite:///a.db", "http://b"], "experiment": "e", "timeout_s": 3}}
    assert typed(given, "tracking", Stores).each() == [
        Tracking("sqlite:///a.db", "e", timeout_s=3.0),
        Tracking("http://b", "e", timeout_s=3.0),
    ]
    assert typed({}, "tracking", Stores).each() == [Tracking()]
    words = refusal(lambda: typed({"tracking": {"timeout_s": 0}}, "tracking", Stores))
    assert words.startswith("tracking.timeout_s=0")
