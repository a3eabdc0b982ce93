"""What a plan will take: by earlier runs, by the settings alone, and how it is told."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.runs.amounts import plural
from greenexp.sweep.forecast import Forecast, Usage, forecast

untimed = settings(deadline=None)  # no test asserts a time

HISTORY = {
    "a": [Usage(10.0, 100.0, 0.1), Usage(12.0, 300.0, 0.3), Usage(50.0, 200.0, 0.2)],
    "b": [Usage(20.0, 400.0, 0.4)],
    "c": [Usage(30.0, None, None)],
    "never finished": [],
}


@pytest.mark.parametrize(
    ("cells", "known", "seconds", "joules", "usd"),
    [
        pytest.param([], 0, None, None, None, id="nothing to measure"),
        pytest.param(["x", "y"], 0, None, None, None, id="nothing known"),
        pytest.param(["never finished"], 0, None, None, None, id="no run of it ended"),
        pytest.param(["a"], 1, 12.0, 200.0, 0.2, id="the median of its runs"),
        pytest.param(["a", "b"], 2, 32.0, 600.0, 0.6, id="each by its own"),
        pytest.param(["a", "a"], 2, 24.0, 400.0, 0.4, id="a cell measured twice counts twice"),
        pytest.param(["a", "b", "x"], 2, 48.0, 900.0, 0.9, id="unknown: as the median of the rest"),
        pytest.param(["c"], 1, 30.0, None, None, id="earlier run told no energy"),
        pytest.param(
            ["b", "c"], 2, 50.0, 800.0, 0.8, id="energy of the one stands for the other's"
        ),
        pytest.param(["b", "a", "c", "x"], 3, 82.0, 1200.0, 1.2, id="three known"),
        pytest.param(
            ["x", "a", "a", "b"], 3, 60.0, 1100.0, 1.1, id="the median is over cells, not runs"
        ),
    ],
)
def test_known_answer(
    cells: list[str],
    known: int,
    seconds: float | None,
    joules: float | None,
    usd: float | None,
) -> None:
    estimate = forecast(cells, [1.0] * len(cells), HISTORY)
    assert (estimate.runs, estimate.known, estimate.at_least_s) == (len(cells), known, len(cells))
    assert (estimate.seconds, estimate.joules) == (seconds, joules)
    assert estimate.usd == (None if usd is None else pytest.approx(usd))


def test_settings_tell_the_least_and_the_most() -> None:
    told = forecast(["x", "y"], [4.0, 6.5], {}, at_most_s=[9.0, 20.0])
    assert (told.at_least_s, told.at_most_s) == (10.5, 29.0)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        pytest.param("a", 12.0, id="its own runs tell"),
        pytest.param("x", 20.0, id="those that differ in the tactic alone tell"),
        pytest.param("y", 16.0, id="nothing alike: as the median of the rest"),
    ],
)
def test_a_cell_that_is_new_is_judged_by_those_most_like_it(cell: str, seconds: float) -> None:
    history = {**HISTORY, "peers of x": HISTORY["b"]}
    told = forecast(["a", "x", cell], [1.0] * 3, history, peers={"x": "peers of x"})
    assert told.seconds == 12.0 + 20.0 + seconds
    assert told.known == 1 + (cell == "a")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        pytest.param(
            Forecast(0, 0, 0.0, None, None, None), "nothing is left to measure", id="nothing left"
        ),
        pytest.param(
            Forecast(46, 0, 129.0, None, None, None, at_most_s=529.0, slow_batch_s=0.05 / 3),
            "46 runs, 4 min 25 s to 11 min, longer where a batch takes over 17 ms; no earlier run "
            "tells more, nor what energy",
            id="nothing known",
        ),
        pytest.param(
            Forecast(2100, 0, 147084.0, None, None, None, at_most_s=252000.0, slow_batch_s=0.0166),
            "2,100 runs, 1.8 days to 3 days, longer where a batch takes over 17 ms; no earlier run "
            "tells more, nor what energy",
            id="days",
        ),
        pytest.param(
            Forecast(1, 0, 5.0, None, None, None, at_most_s=5.0, slow_batch_s=1.0),
            "1 run, 8 s, longer where a batch takes over 1 s; no earlier run tells more, nor what "
            "energy",
            id="a range of nothing",
        ),
        pytest.param(
            Forecast(4, 2, 10.0, 125.0, 1234.5, 0.00123),
            "4 runs, about 2 min 05 s, 1.2 kJ, under 0.01 USD, by earlier runs of 2 of them",
            id="some known",
        ),
        pytest.param(
            Forecast(4830, 4830, 10.0, 289800.0, 1.3e6, 12.345),
            "4,830 runs, about 3.4 days, 1.3 MJ, 12.35 USD, by earlier runs",
            id="all known, in human units",
        ),
        pytest.param(
            Forecast(4, 4, 10.0, 59.7, None, None),
            "4 runs, about 1 min, by earlier runs",
            id="time only",
        ),
        pytest.param(
            Forecast(4, 4, 300.0, 30.0, 5.0, None),
            "4 runs, about 5 min, 5 J, by earlier runs",
            id="earlier runs were shorter than the settings now ask",
        ),
        pytest.param(
            Forecast(1, 1, 0.0, 1.0, None, 2.0),
            "1 run, about 1 s, 2.00 USD, by earlier runs",
            id="dollars only",
        ),
    ],
)
def test_line(told: Forecast, line: str) -> None:
    assert told.line() == line


amounts = st.floats(1e-3, 1e6)
took = st.builds(Usage, amounts, st.none() | amounts, st.none() | amounts)
histories = st.dictionaries(st.sampled_from("abcd"), st.lists(took, max_size=4))
plans = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=8)


@untimed
@given(plans, histories, st.randoms(use_true_random=False))
def test_order_does_not_matter(
    cells: list[str], history: dict[str, list[Usage]], chance: random.Random
) -> None:
    shuffled = chance.sample(cells, len(cells))
    estimate, other = (forecast(plan, [1.0] * len(cells), history) for plan in (cells, shuffled))
    assert estimate.known == other.known
    for name in ("seconds", "joules", "usd"):
        value = getattr(estimate, name)
        expected = None if value is None else pytest.approx(value)
        assert getattr(other, name) == expected


@untimed
@given(plans, histories)
def test_whole_plan_lies_between_its_shortest_and_longest_run(
    cells: list[str], history: dict[str, list[Usage]]
) -> None:
    estimate = forecast(cells, [1.0] * len(cells), history)
    for name in ("seconds", "joules", "usd"):
        told = [
            getattr(took, name)
            for cell in set(cells)
            for took in history.get(cell, [])
            if getattr(took, name) is not None
        ]
        value = getattr(estimate, name)
        assert (value is None) is (told == [])
        if value is not None:
            least, most = (len(cells) * bound(told) for bound in (min, max))
            assert least * (1 - 1e-9) <= value <= most * (1 + 1e-9)
            assert math.isfinite(value)


@untimed
@given(plans, histories)
def test_line_is_one_line(cells: list[str], history: dict[str, list[Usage]]) -> None:
    line = forecast(cells, [1.0] * len(cells), history).line()
    assert line == " ".join(line.split())
    assert line.startswith(f"{plural(len(cells), 'run')}, ")
