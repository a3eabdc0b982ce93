"""How figures are written."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.report.words import format as wording
from greenexp.study.estimates import Effect, Interval
from greenexp.study.savings import Payback
from tests.support.studies import study

finite = st.floats(-1e300, 1e300)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (0.123456, "0.123"),
        (12.3456, "12.3"),
        (-1.2345, "-1.23"),
        (1234567.8, "1,234,568"),
        (0.00012345, "0.000123"),
        (0.0000012345, "1.23e-06"),
        (1.2345e304, "1.23e+304"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert wording.number(value) == text


@given(finite)
def test_number_is_right_to_three_digits(value: float) -> None:
    shown = float(wording.number(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=5.1e-3, abs=1e-320)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.2, "1"),
        (949.2, "950"),
        (12345.0, "12,300"),
        (999_999.0, "1,000,000"),
        (1_234_567.0, "1.23 million"),
        (4.2e10, "42.0 billion"),
        (math.inf, "–"),
    ],
)
def test_count(value: float, text: str) -> None:
    assert wording.count(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(-0.0125, "-1.25 pt"), (0.0125, "+1.25 pt"), (-0.00001, "0.00 pt"), (None, "–")],
)
def test_points(fraction: float | None, text: str) -> None:
    assert wording.points(fraction) == text


def test_a_ratio_close_to_one_is_not_shown_as_one() -> None:
    effect = Effect(0.996, 5, Interval(0.994, 0.998))
    assert wording.ratio(effect) == "×0.996"
    assert wording.ratio_span(effect) == "0.994 to 0.998"
    assert wording.ratio(None) == "–"
    assert wording.ratio_span(Effect(0.5, 1)) == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "<0.001"), (0.0341, "0.034"), (1.0, "1.000"), (None, "–")]
)
def test_p_value(value: float | None, text: str) -> None:
    assert wording.p_value(value) == text


def payback(**changes: object) -> Payback:
    values: dict[str, object] = {
        "currency": "j",
        "price": 120.0,
        "saving": 0.01,
        "saving_interval": Interval(0.008, 0.0125),
        "images": 12_000.0,
        "interval": Interval(9_600.0, 15_000.0),
        "verdict": "pays back",
    }
    return Payback(**(values | changes))  # type: ignore[arg-type] # chosen by name


NEVER = {"images": None, "interval": Interval(6_000.0, math.inf), "verdict": "never"}
ONE_BLOCK = {"saving_interval": None, "interval": None, "verdict": "one block"}


@pytest.mark.parametrize(
    ("break_even", "words", "reason", "short"),
    [
        pytest.param(None, "–", "", "–", id="unknown"),
        pytest.param(payback(), "after 12,000 images", "9,600 to 15,000", "12,000", id="pays"),
        pytest.param(
            payback(images=0.0, price=0.0, verdict="at once"), "at once", "", "at once", id="free"
        ),
        pytest.param(
            payback(**NEVER), "never", "the saving can't be told from none", "never", id="never"
        ),
        pytest.param(
            payback(saving=-0.01, **NEVER), "never", "it takes more", "never", id="takes_more"
        ),
        pytest.param(
            payback(**ONE_BLOCK), "about 12,000 images, by one block", "", "about 12,000", id="one"
        ),
        pytest.param(
            payback(**(ONE_BLOCK | {"images": None})),
            "nothing saved in one block",
            "",
            "–",
            id="one_block_without_a_saving",
        ),
    ],
)
def test_payback(break_even: Payback | None, words: str, reason: str, short: str) -> None:
    assert wording.payback(break_even) == words
    assert wording.payback_span(break_even) == reason
    assert wording.repaid(break_even) == short


def test_payback_says_what_is_paid_and_saved_in_which_unit() -> None:
    dollars = payback(currency="usd", price=0.5, saving=2e-6, saving_interval=None)
    assert wording.payback_terms(dollars) == (
        "costs 0.500 USD once, saves 2.00 USD a million images"
    )
    slower = payback(currency="s", price=3.0, saving=-0.001, saving_interval=Interval(-0.002, 0.0))
    assert wording.payback_terms(slower) == (
        "costs 3.00 s once, takes 1.00 (0 to 2.00) ms an image more"
    )


@pytest.mark.parametrize(
    ("requests_per_month", "words"),
    [(1e9, "within an hour"), (1e6, "8.76 hours"), (1e5, "3.65 days"), (1e3, "12.0 months")],
)
def test_wait_of_a_payback(requests_per_month: float, words: str) -> None:
    assert wording.payback_wait(payback(), requests_per_month) == words


@pytest.mark.parametrize("break_even", [payback(**NEVER), payback(**ONE_BLOCK), None])
def test_no_wait_is_said_where_nothing_is_claimed(break_even: Payback | None) -> None:
    assert wording.payback_wait(break_even, 1e6) == ""


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["cpu:counter", "cpu:counter+gpu:counter"], "energy"),
        (["cpu:model"], "estimated energy"),
        (["cpu:model+gpu:counter"], "energy (estimated in part)"),
        (["cpu:model", "cpu:counter"], "energy (estimated in part)"),
        ([None], "energy"),
    ],
)
def test_an_estimate_is_called_one(sources: list[str | None], name: str) -> None:
    from dataclasses import replace

    cell = study(1, 1).cells[0]
    assert wording.energy_name(replace(cell, energy_source=source) for source in sources) == name


@given(st.floats(0, 1e15), st.floats(0, 1e15))
def test_interval_without_an_upper_end_is_open(low: float, high: float) -> None:
    assert wording.span(Interval(low, math.inf)).endswith(" or more")
    assert re.fullmatch(r"\S+ to \S+", wording.span(Interval(low, high)))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "5 s"),
        (21.0, "20 s"),
        (54.0, "55 s"),
        (61.0, "1 min"),
        (239.0, "4 min"),
        (3601.0, "1 h"),
        (7_790.0, "2 h 10 min"),
        (289_800.0, "80 h 30 min"),
    ],
)
def test_durations_are_of_human_size(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.03, "3 %"), (0.031, "3.10 %"), (0.5, "50 %"), (0.0041, "0.410 %")]
)
def test_whole_percentages_have_no_decimals(value: float, text: str) -> None:
    assert wording.percentage(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.538, "54 %"), (0.031, "3.1 %"), (0.0996, "10 %")])
def test_shares_of_headlines_are_short(value: float, text: str) -> None:
    assert wording.share(value) == text
