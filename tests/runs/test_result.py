"""The record of a run survives JSON to the last bit."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.protocols import Reading, Series
from greenexp.runs.result import (
    OUTCOMES,
    Complexity,
    Phase,
    Predictions,
    Result,
    Window,
    from_json,
    to_json,
)
from tests.support.builders import cpu_run, energy, window

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(max_size=8)
indices = st.integers(0, 100_000)
scalars = st.one_of(words, st.integers(-(2**70), 2**70), numbers, st.booleans())
sources = st.sampled_from(["counter", "sampled", "model"])
bounds = st.none() | numbers
readings = st.lists(
    st.builds(Reading, words, words, numbers, sources, words, bounds, bounds), max_size=3
)
plain = st.recursive(
    st.none() | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
complexities = st.builds(
    Complexity,
    parameters=indices,
    macs=st.none() | indices,
    weights_mib=numbers,
    sparsity=st.none() | numbers,
    weights_in_memory_mib=st.none() | numbers,
)
results = st.builds(
    Result,
    outcome=st.sampled_from(OUTCOMES),
    reason=st.none() | words,
    traceback=st.none() | words,
    device=st.none() | words,
    components=st.lists(words, max_size=3),
    phases=st.lists(st.builds(Phase, words, numbers, numbers, readings, words), max_size=2),
    windows=st.lists(
        st.builds(Window, numbers, numbers, indices, st.lists(numbers, max_size=3), readings),
        max_size=2,
    ),
    series=st.lists(
        st.builds(
            Series,
            words,
            words,
            sources,
            words,
            st.lists(numbers, max_size=3),
            st.lists(numbers, max_size=3),
        ),
        max_size=2,
    ),
    predictions=st.none()
    | st.builds(
        Predictions,
        identifiers=st.lists(words, max_size=3),
        targets=st.lists(indices, max_size=3),
        ranked=st.lists(st.lists(indices, max_size=5), max_size=3),
    ),
    before=st.none() | complexities,
    after=st.none() | complexities,
    effect=st.dictionaries(words, scalars, max_size=3),
    provenance=st.dictionaries(words, scalars, max_size=3),
    environment=st.dictionaries(words, plain, max_size=3),
    doubts=st.lists(words, max_size=2),
    discarded_windows=indices,
    duration_s=st.none() | numbers,
)


def test_every_field_is_written() -> None:
    assert set(json.loads(to_json(Result("ok")))) == {field.name for field in fields(Result)}


@given(results)
def test_round_trip_loses_nothing(result: Result) -> None:
    read = from_json(to_json(result))
    assert read == result
    assert repr(read) == repr(result)  # also types (1, 1.0, True) and signs of zero


@given(numbers)
def test_floats_are_exact(value: float) -> None:
    result = cpu_run(window(energy("cpu", value), latencies_s=[value]))
    read = from_json(to_json(result)).windows[0]
    assert read.readings[0].value.hex() == value.hex()
    assert read.latencies_s[0].hex() == value.hex()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["reading", "latency", "effect", "environment"])
def test_what_is_no_number_is_refused(value: float, place: str) -> None:
    whole = cpu_run(window(energy("cpu", 1.0)))
    broken = {
        "reading": replace(whole, windows=[window(energy("cpu", value))]),
        "latency": replace(whole, windows=[window(latencies_s=[value])]),
        "effect": replace(whole, effect={"sparsity": value}),
        "environment": replace(whole, environment={"memory_mib": [value]}),
    }[place]
    with pytest.raises(ValueError, match="Out of range float"):
        to_json(broken)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"outcome": "fine"}', id="unknown outcome"),
        pytest.param("{}", id="no outcome"),
        pytest.param('{"outcome": "ok", "windows": [{}]}', id="a window without its fields"),
        pytest.param('{"outcome": "ok"', id="cut off"),
    ],
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        from_json(text)


def test_an_older_record_without_a_field_is_read() -> None:
    assert from_json('{"outcome": "oom", "reason": "why"}') == Result("oom", reason="why")


def test_an_older_record_of_phases_and_weights_is_read() -> None:
    """As written before phases had steps, and before bytes in memory were counted."""
    phase = {"name": "optimize", "start_s": 1.0, "duration_s": 2.0, "readings": []}
    weights = {"parameters": 3, "macs": 4, "weights_mib": 5.0, "sparsity": 0.5}
    read = from_json(json.dumps({"outcome": "ok", "phases": [phase], "after": weights}))
    assert list(read.phases) == [Phase("optimize", 1.0, 2.0, [], step="")]
    assert read.after == Complexity(3, 4, 5.0, 0.5, weights_in_memory_mib=None)


def test_json_keeps_letters_readable() -> None:
    assert "größe" in to_json(Result("error", reason="größe"))
