"""Savings, bills and prices: known answers, and the laws they obey."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study.economics import Expense, Pair, Prices, bill, monthly, paybacks
from greenexp.study.estimates import Interval, Quantity
from greenexp.study.means import quantity
from tests.support.economics import HALF, MONTH, figures, machines, pairs, paying, spent, value

ELECTRICITY = Hardware(price=Price(usd_per_kwh=0.25, pue=1.2), carbon=Carbon(g_per_kwh=400.0))
RENT = Hardware(price=Price(usd_per_hour=0.8, utilization=0.5))
BOTH = Hardware(price=Price(usd_per_hour=0.8, usd_per_kwh=0.25), carbon=Carbon(g_per_kwh=400.0))


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param([], None, id="no block"),
        pytest.param([1.0, None], None, id="a block without the figure"),
        pytest.param([2.0], Quantity(2.0), id="one block"),
        pytest.param([2.0, 2.0], Quantity(2.0, Interval(2.0, 2.0)), id="two alike"),
    ],
)
def test_quantity(samples: list[float | None], expected: Quantity | None) -> None:
    assert quantity(samples) == expected


def test_month_known_answer() -> None:
    """A million images, each 0.05 s and 1.8 J less: 13.9 h, 0.5 kWh, at PUE 1.2 0.6 kWh paid."""
    month = monthly([HALF, HALF], Prices(ELECTRICITY), MONTH)
    assert value(month.kwh) == pytest.approx(0.5)
    assert value(month.usd) == pytest.approx(0.5 * 1.2 * 0.25)
    assert value(month.kg_co2e) == pytest.approx(0.5 * 1.2 * 0.4)
    assert value(month.hours) == pytest.approx(0.05e6 / 3600)


def test_bill_known_answer() -> None:
    """A year of 1.2 kWh a month at 0.25 USD, or half of it and 7.2 kJ at PUE 1.2 once."""
    bills = bill([HALF], Prices(ELECTRICITY), MONTH, 12.0)
    assert bills is not None
    assert bills.baseline_usd.value == pytest.approx(12 * 1.2 * 0.25)
    assert bills.total_usd.value == pytest.approx(6 * 1.2 * 0.25 + 0.002 * 1.2 * 0.25)


@given(pairs, machines, st.floats(1.0, 1e9), st.integers(-10, 10))
def test_a_month_is_linear_in_requests(
    sample: list[Pair], prices: Prices, requests: float, power: int
) -> None:
    once = figures(sample, prices, requests)
    scaled = figures(sample, prices, requests * 2.0**power)
    assert scaled == pytest.approx(
        {name: 2.0**power * amount for name, amount in once.items()}, rel=1e-9
    )


@given(st.lists(st.tuples(spent, spent), min_size=1, max_size=8), machines)
def test_no_difference_no_saving(drawn: list[tuple[Expense, Expense]], prices: Prices) -> None:
    alike = [Pair(image, image, applying) for image, applying in drawn]
    assert set(figures(alike, prices, MONTH).values()) == {0.0}
    for payback in paybacks(alike, prices).values():
        assert payback.saving == 0.0
        assert payback.images is None
        assert payback.verdict == ("never" if len(alike) > 1 else "one block")


@given(pairs, machines)
def test_the_other_way_round_it_costs_what_it_saved(sample: list[Pair], prices: Prices) -> None:
    turned = [Pair(pair.baseline, pair.image, pair.applying) for pair in sample]
    there, back = figures(sample, prices, MONTH), figures(turned, prices, MONTH)
    for name in ("kwh", "usd", "kg_co2e", "hours"):
        assert back[name] == pytest.approx(-there[name], rel=1e-9, abs=1e-12)


@given(pairs, machines, st.floats(1.0, 1e9), st.floats(0.1, 120.0))
def test_bills_differ_by_what_is_saved_less_the_price(
    sample: list[Pair], prices: Prices, requests: float, months: float
) -> None:
    bills = bill(sample, prices, requests, months)
    assert bills is not None
    saved = value(monthly(sample, prices, requests).usd) * months
    once = paybacks(sample, prices)["usd"].price
    assert bills.baseline_usd.value - bills.total_usd.value == pytest.approx(
        saved - once, rel=1e-9, abs=1e-9 * max(bills.baseline_usd.value, bills.total_usd.value)
    )


@given(paying, machines)
def test_bills_are_even_at_break_even(drawn: list[tuple[float, float]], prices: Prices) -> None:
    """Applying takes as many seconds and joules as are drawn, an image as many fewer."""
    sample = [
        Pair(Expense(1.0, 1.0), Expense(1.0 + saving, 1.0 + saving), Expense(price, price))
        for price, saving in drawn
    ]
    even = paybacks(sample, prices)["usd"].images
    assert even is not None
    bills = bill(sample, prices, even, 1.0)
    assert bills is not None
    assert bills.total_usd.value == pytest.approx(bills.baseline_usd.value, rel=1e-6)


@pytest.mark.parametrize(
    ("hardware", "currency", "same"),
    [
        pytest.param(ELECTRICITY, "usd", "j", id="electricity alone: as in joules"),
        pytest.param(RENT, "usd", "s", id="rent alone: as in seconds"),
    ],
)
@given(sample=pairs, share=st.sampled_from([1.0, 0.125]))
def test_one_price_does_not_move_the_break_even(
    hardware: Hardware, currency: str, same: str, sample: list[Pair], share: float
) -> None:
    by_currency = {
        str(name): payback for name, payback in paybacks(sample, Prices(hardware, share)).items()
    }
    in_dollars, in_kind = by_currency[currency], by_currency[same]
    assume(in_kind.saving_interval is None or abs(in_kind.saving_interval.low) > 1e-9)
    assert in_dollars.verdict == in_kind.verdict
    if in_kind.images is None:
        assert in_dollars.images is None
    else:
        assert in_dollars.images == pytest.approx(in_kind.images, rel=1e-6)


def without_joules(expense: Expense) -> Expense:
    return dataclasses.replace(expense, joules=None)


@pytest.mark.parametrize(
    ("change", "hardware", "known"),
    [
        pytest.param(lambda pair: pair, Hardware(), {"j", "s"}, id="no price"),
        pytest.param(lambda pair: pair, BOTH, {"j", "usd", "s"}, id="all known"),
        pytest.param(
            lambda pair: Pair(*map(without_joules, vars(pair).values())),
            ELECTRICITY,
            {"s"},
            id="no energy",
        ),
        pytest.param(
            lambda pair: Pair(*map(without_joules, vars(pair).values())),
            RENT,
            {"usd", "s"},
            id="no energy, and rent",
        ),
        pytest.param(
            lambda pair: dataclasses.replace(pair, applying=without_joules(pair.applying)),
            BOTH,
            {"s"},
            id="no energy of applying",
        ),
    ],
)
def test_break_even_only_where_all_is_known(
    change: Callable[[Pair], Pair], hardware: Hardware, known: set[str]
) -> None:
    """Rent and electricity of images are not held against the rent alone of applying."""
    sample = [HALF, change(HALF)]
    assert paybacks(sample, Prices(hardware)).keys() == known
    bills = bill(sample, Prices(hardware), MONTH, 12.0)
    assert (bills is not None) == ("usd" in known)


@pytest.mark.parametrize(
    ("hardware", "absent"),
    [
        pytest.param(Hardware(), {"usd", "kg_co2e"}, id="no price"),
        pytest.param(RENT, {"kg_co2e"}, id="rent, no intensity"),
        pytest.param(BOTH, set(), id="all known"),
    ],
)
def test_a_month_holds_what_is_known(hardware: Hardware, absent: set[str]) -> None:
    month = monthly([HALF, HALF], Prices(hardware), MONTH)
    assert {name for name, amount in vars(month).items() if amount is None} == absent


def test_a_month_without_energy_is_rent_and_hours() -> None:
    pair = Pair(*map(without_joules, vars(HALF).values()))
    month = monthly([pair, pair], Prices(BOTH), MONTH)
    assert (month.kwh, month.kg_co2e) == (None, None)
    assert value(month.usd) == pytest.approx(0.05e6 / 3600 * 0.8)
