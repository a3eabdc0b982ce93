"""Amounts as a person reads them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.runs.amounts import duration, joules, plural

untimed = settings(deadline=None)  # no test asserts a time


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (59.7, "1 min"),
        (125, "2 min 05 s"),
        (127, "2 min 05 s"),
        (599, "10 min"),
        (1000, "17 min"),
        (3599, "1 h"),
        (3600 + 29, "1 h"),
        (2 * 3600 + 300, "2 h 05 min"),
        (86399, "1 day"),
        (147084, "1.7 days"),  # 2451 min 24 s
        (289800, "3.4 days"),  # 4830 min
        (86400 * 400, "400 days"),
    ],
)
def test_a_time_has_the_units_that_a_person_takes_for_it(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "0 J"),
        (0.0123, "0.0123 J"),
        (5, "5 J"),
        (123.4, "120 J"),
        (999, "1 kJ"),
        (1234.5, "1.2 kJ"),
        (1.3e4, "13 kJ"),
        (2.57e6, "2.6 MJ"),
        (4e9, "4 GJ"),
    ],
)
def test_joules_have_a_prefix_in_place_of_an_exponent(amount: float, told: str) -> None:
    assert joules(amount) == told


@pytest.mark.parametrize(("amount", "told"), [(0, "0 runs"), (1, "1 run"), (1200, "1,200 runs")])
def test_a_noun_is_as_many_as_its_amount(amount: int, told: str) -> None:
    assert plural(amount, "run") == told


@untimed
@given(st.floats(0, 1e9))
def test_what_is_told_is_near_what_it_is(seconds: float) -> None:
    told = duration(seconds)
    units = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}
    parts = re.findall(r"([\d.,]+) (\w+)", told)
    value = sum(float(number.replace(",", "")) * units[unit] for number, unit in parts)
    assert value == pytest.approx(seconds, rel=0.06, abs=0.5)


@untimed
@given(st.floats(1e-6, 1e12))
def test_joules_never_have_an_exponent_that_a_prefix_could_take(amount: float) -> None:
    assert "e+" not in joules(min(amount, 9e11))
