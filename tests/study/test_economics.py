"""Break-even, savings and bills: known answers, and the laws they obey."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t, ttest_1samp

from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.stats.intervals import CONFIDENCE
from greenexp.study.economics import (
    FACTORS,
    Pair,
    Prices,
    Spent,
    bill,
    fieller,
    monthly,
    payback,
    paybacks,
    quantity,
    sensitivities,
)
from greenexp.study.estimates import Interval, Quantity
from greenexp.study.savings import Sensitivity

MONTH = 1e6  # requests
ELECTRICITY = Hardware(price=Price(usd_per_kwh=0.25, pue=1.2), carbon=Carbon(g_per_kwh=400.0))
RENT = Hardware(price=Price(usd_per_hour=0.8, utilization=0.5))
BOTH = Hardware(price=Price(usd_per_hour=0.8, usd_per_kwh=0.25), carbon=Carbon(g_per_kwh=400.0))

amounts = st.floats(1e-3, 1e3)
blocks = st.lists(
    st.tuples(amounts, st.one_of(amounts, st.floats(-1e3, -1e-3))), min_size=2, max_size=12
)
SCATTERED = [
    1.001,
    1.2,
    1.2571608961403342,
    110.28838368334056,
    10.315028346250642,
    858.1078192352119,
    909.6965117848708,
    940.7681543867387,
    523.2642618622389,
    684.1230921300757,
    999.591460232913,
]
# Savings within 1 % of each other, so that even two blocks tell them from none.
paying = st.builds(
    lambda saving, drawn: [(price, saving * factor) for price, factor in drawn],
    amounts,
    st.lists(st.tuples(amounts, st.floats(0.99, 1.01)), min_size=2, max_size=12),
)
# In thousandths, so that a saving isn't the rounding of two amounts that are all but equal.
thousandths = st.integers(1, 10**6).map(lambda number: number / 1e3)
spent = st.builds(Spent, seconds=thousandths, joules=thousandths)
pairs = st.lists(
    st.builds(Pair, image=spent, baseline=spent, applying=spent), min_size=1, max_size=8
)
machines = st.builds(
    Prices,
    st.builds(
        Hardware,
        price=st.builds(
            Price,
            usd_per_hour=st.floats(0.01, 100.0),
            usd_per_kwh=st.floats(0.01, 2.0),
            utilization=st.floats(0.05, 1.0),
            pue=st.floats(1.0, 2.0),
        ),
        carbon=st.builds(Carbon, g_per_kwh=st.floats(1.0, 1000.0)),
    ),
    share=st.sampled_from([1.0, 0.25]),
)


def columns(drawn: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    prices, savings = zip(*drawn, strict=True)
    return list(prices), list(savings)


def told(images: float, prices: Sequence[float], savings: Sequence[float]) -> float:
    """How far what is still owed after some images is from 0, in critical values of t."""
    owed = np.array(prices) - images * np.array(savings)
    reach = t.isf((1 - CONFIDENCE) / 2, len(owed) - 1)
    return float(abs(ttest_1samp(owed, 0.0).statistic) / reach)


# What is drawn: prices, savings per image, both as mean and standard deviation, and blocks.
BOUNDED = [((100, 5), (2.0, 0.2), 3), ((100, 30), (2.0, 0.5), 8), ((100, 30), (2.0, 2.0), 20)]


@pytest.mark.parametrize(("price", "saving", "count"), BOUNDED, ids=["3", "8", "20 blocks"])
@pytest.mark.parametrize("seed", range(5))
def test_fieller_agrees_with_the_roots_of_t(
    price: tuple[float, float], saving: tuple[float, float], count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    prices, savings = rng.normal(*price, count), rng.normal(*saving, count)
    assert told(0.0, prices, savings) > 1  # so that there are two ends
    assert told(1e9, prices, savings) > 1
    point = prices.mean() / savings.mean()

    def off(images: float) -> float:
        return told(images, prices, savings) - 1

    found = fieller(prices.tolist(), savings.tolist())
    assert found is not None
    expected = brentq(off, 0.0, point, xtol=1e-10), brentq(off, point, 1e9, xtol=1e-10)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "savings",
    [
        pytest.param([0.2, 0.9, -0.4, 0.6, 0.1], id="mean above 0"),
        pytest.param([-0.2, -0.9, 0.4, -0.6, -0.1], id="mean below 0"),
    ],
)
def test_fieller_without_an_upper_end(savings: list[float]) -> None:
    """The saving can't be told from none: from some N on nothing can be said against payback."""
    prices = [99.0, 101.0, 100.5, 98.0, 102.0]
    found = fieller(prices, savings)
    assert found is not None
    assert found.high == math.inf
    lowest = brentq(lambda images: told(images, prices, savings) - 1, 0.0, 1e6, xtol=1e-10)
    assert found.low == pytest.approx(lowest, rel=1e-6)
    assert told(1e12, prices, savings) < 1


@pytest.mark.parametrize(
    ("prices", "savings"),
    [
        pytest.param([99.0, 101.0, 100.0], [-2.0, -2.1, -1.9], id="it takes more"),
        pytest.param([100.0], [2.0], id="one block"),
        pytest.param([99.0, 101.0], [0.0, 0.0], id="neither more nor less"),
    ],
)
def test_fieller_of_nothing(prices: list[float], savings: list[float]) -> None:
    assert fieller(prices, savings) is None


@pytest.mark.parametrize(
    ("prices", "savings", "high"),
    [
        pytest.param([-1.0, 1.0, 0.5], [2.0, 2.1, 1.9], None, id="price about 0"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, 2.1, 0.3], math.inf, id="both about 0"),
        pytest.param([0.0, 0.0], [2.0, 2.0], 0.0, id="free"),
        pytest.param([0.0, 0.0], [0.0, 0.0], math.inf, id="nothing for nothing"),
    ],
)
def test_fieller_from_no_image_on(
    prices: list[float], savings: list[float], high: float | None
) -> None:
    found = fieller(prices, savings)
    assert found is not None
    assert found.low == 0.0
    if high is None:
        high = brentq(lambda images: told(images, prices, savings) - 1, 1.0, 1e6, xtol=1e-12)
    assert found.high == pytest.approx(high, rel=1e-6)


@given(blocks, st.floats(0, 4))
def test_fieller_holds_what_cannot_be_told_from_0(
    drawn: list[tuple[float, float]], share: float
) -> None:
    prices, savings = columns(drawn)
    images = share * abs(np.mean(prices) / np.mean(savings))
    owed = np.array(prices) - images * np.array(savings)
    assume(np.std(owed) > 1e-5 * np.max(np.abs(owed)))  # rounding is not what is compared
    distance = told(images, prices, savings)
    assume(abs(distance - 1) > 1e-5)
    found = fieller(prices, savings)
    inside = found is not None and found.low <= images <= found.high
    if found is None or found.high < math.inf:
        assert inside == (distance < 1)
    else:  # where the saving may be none there can be a gap, which the interval spans
        assert inside or distance > 1


@given(blocks)
def test_never_is_a_saving_that_may_be_none(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    found = payback("j", prices, savings)
    mean, spread = np.mean(savings), np.std(savings)
    assume(spread > 1e-6 * np.max(np.abs(savings)))
    low = ttest_1samp(savings, 0.0).confidence_interval(CONFIDENCE).low
    assume(abs(low) > 1e-9 * abs(mean))
    assert (found.verdict == "never") == (low <= 0)
    assert (found.images is None) == (low <= 0)
    assert found.verdict in ("never", "pays back")


@given(paying)
def test_break_even_is_where_savings_reach_the_price(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    found = payback("usd", prices, savings)
    assert found.price == pytest.approx(np.mean(prices))
    assert found.saving == pytest.approx(np.mean(savings))
    assert found.verdict == "pays back"
    assert found.images is not None
    assert found.images * found.saving == pytest.approx(found.price, rel=1e-9)
    assert found.interval is not None
    assert found.interval.low <= found.images * (1 + 1e-6)
    assert found.interval.high >= found.images * (1 - 1e-6)


@given(blocks, st.integers(-20, 20))
@example([(price, 1.0) for price in SCATTERED], 1)  # told apart by a rounding of `**`
def test_break_even_has_no_currency(drawn: list[tuple[float, float]], power: int) -> None:
    """In cents or millions it is the same number of images; by powers of 2, without rounding."""
    prices, savings = columns(drawn)
    here = payback("usd", prices, savings)
    there = payback("usd", [2.0**power * p for p in prices], [2.0**power * s for s in savings])
    assert (there.images, there.interval, there.verdict) == (
        here.images,
        here.interval,
        here.verdict,
    )


@given(blocks)
def test_double_the_price_double_the_images(drawn: list[tuple[float, float]]) -> None:
    prices, savings = columns(drawn)
    once, twice = payback("s", prices, savings), payback("s", [2 * p for p in prices], savings)
    assert twice.verdict == once.verdict
    if once.images is None:
        assert twice.images is None
    else:
        assert twice.images == 2 * once.images
    if once.interval is None:
        assert twice.interval is None
    else:
        assert twice.interval == Interval(2 * once.interval.low, 2 * once.interval.high)


@given(paying, amounts)
def test_the_more_is_saved_the_sooner(drawn: list[tuple[float, float]], more: float) -> None:
    prices, savings = columns(drawn)
    before = payback("j", prices, savings)
    after = payback("j", prices, [saving + more for saving in savings])
    assert after.verdict == "pays back"
    assert before.images is not None
    assert after.images is not None
    assert after.images < before.images


@given(blocks)
def test_what_is_free_pays_at_once_or_never(drawn: list[tuple[float, float]]) -> None:
    savings = columns(drawn)[1]
    found = payback("usd", [0.0] * len(savings), savings)
    assert found.saving_interval is not None
    if found.saving_interval.low > 0:
        assert (found.verdict, found.images) == ("at once", 0.0)
        assert found.interval == Interval(0.0, 0.0)
    else:
        assert (found.verdict, found.images) == ("never", None)


@pytest.mark.parametrize(
    ("prices", "savings", "verdict", "images"),
    [
        pytest.param([100.0, 100.0], [2.0, 2.0], "pays back", 50.0, id="pays back"),
        pytest.param([100.0, 100.0], [1.0, 3.0], "never", None, id="two blocks apart"),
        pytest.param([100.0, 100.0], [-2.0, -2.0], "never", None, id="takes more"),
        pytest.param([100.0, 100.0], [0.0, 0.0], "never", None, id="saves nothing"),
        pytest.param([0.0, 0.0], [2.0, 2.0], "at once", 0.0, id="free"),
        pytest.param([100.0], [2.0], "one block", 50.0, id="one block"),
        pytest.param([100.0], [-2.0], "one block", None, id="one block that takes more"),
    ],
)
def test_payback_known_answers(
    prices: list[float], savings: list[float], verdict: str, images: float | None
) -> None:
    found = payback("j", prices, savings)
    assert (found.verdict, found.images) == (verdict, images)
    if verdict == "pays back":
        assert found.interval is not None
        assert (found.interval.low, found.interval.high) == pytest.approx((images, images))
    if verdict == "one block":
        assert (found.interval, found.saving_interval) == (None, None)


@pytest.mark.parametrize(
    ("prices", "savings", "low"),
    [
        pytest.param([99.0, 101.0, 100.0], [-2.0, -2.1, -1.9], None, id="it takes more"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, -2.1, -1.9], 0.0, id="and may be free"),
        pytest.param([-1.0, 1.0, 0.5], [-2.0, 2.1, 0.3], 0.0, id="nothing is known"),
    ],
)
def test_never_has_no_upper_end(
    prices: list[float], savings: list[float], low: float | None
) -> None:
    found = payback("j", prices, savings)
    assert found.verdict == "never"
    assert found.interval == (None if low is None else Interval(low, math.inf))


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


# A block: an image of the tactic, one of the baseline, applying the tactic.
HALF = Pair(Spent(0.05, 1.8), Spent(0.1, 3.6), Spent(60.0, 7200.0))


def test_month_known_answer() -> None:
    """A million images, each 0.05 s and 1.8 J less: 13.9 h, 0.5 kWh, at PUE 1.2 0.6 kWh paid."""
    found = monthly([HALF, HALF], Prices(ELECTRICITY), MONTH)
    assert value(found.kwh) == pytest.approx(0.5)
    assert value(found.usd) == pytest.approx(0.5 * 1.2 * 0.25)
    assert value(found.kg_co2e) == pytest.approx(0.5 * 1.2 * 0.4)
    assert value(found.hours) == pytest.approx(0.05e6 / 3600)


def test_bill_known_answer() -> None:
    """A year of 1.2 kWh a month at 0.25 USD, or half of it and 7.2 kJ at PUE 1.2 once."""
    found = bill([HALF], Prices(ELECTRICITY), MONTH, 12.0)
    assert found is not None
    assert found.baseline_usd.value == pytest.approx(12 * 1.2 * 0.25)
    assert found.total_usd.value == pytest.approx(6 * 1.2 * 0.25 + 0.002 * 1.2 * 0.25)


def value(one: Quantity | None) -> float:
    assert one is not None
    return one.value


def figures(found: Sequence[Pair], prices: Prices, requests: float) -> dict[str, float]:
    """What a month saves: each value, and the ends of its interval."""
    result = {}
    for name, one in vars(monthly(found, prices, requests)).items():
        assert one is not None
        result[name] = one.value
        if one.interval is not None:
            result |= {f"{name}_low": one.interval.low, f"{name}_high": one.interval.high}
    return result


@given(pairs, machines, st.floats(1.0, 1e9), st.integers(-10, 10))
def test_a_month_is_linear_in_requests(
    found: list[Pair], prices: Prices, requests: float, power: int
) -> None:
    once = figures(found, prices, requests)
    scaled = figures(found, prices, requests * 2.0**power)
    assert scaled == pytest.approx({name: 2.0**power * one for name, one in once.items()}, rel=1e-9)


@given(st.lists(st.tuples(spent, spent), min_size=1, max_size=8), machines)
def test_no_difference_no_saving(drawn: list[tuple[Spent, Spent]], prices: Prices) -> None:
    alike = [Pair(image, image, applying) for image, applying in drawn]
    assert set(figures(alike, prices, MONTH).values()) == {0.0}
    for one in paybacks(alike, prices).values():
        assert one.saving == 0.0
        assert one.images is None
        assert one.verdict == ("never" if len(alike) > 1 else "one block")


@given(pairs, machines)
def test_the_other_way_round_it_costs_what_it_saved(found: list[Pair], prices: Prices) -> None:
    turned = [Pair(pair.baseline, pair.image, pair.applying) for pair in found]
    there, back = figures(found, prices, MONTH), figures(turned, prices, MONTH)
    for name in ("kwh", "usd", "kg_co2e", "hours"):
        assert back[name] == pytest.approx(-there[name], rel=1e-9, abs=1e-12)


@given(pairs, machines, st.floats(1.0, 1e9), st.floats(0.1, 120.0))
def test_bills_differ_by_what_is_saved_less_the_price(
    found: list[Pair], prices: Prices, requests: float, months: float
) -> None:
    bills = bill(found, prices, requests, months)
    assert bills is not None
    saved = value(monthly(found, prices, requests).usd) * months
    once = paybacks(found, prices)["usd"].price
    assert bills.baseline_usd.value - bills.total_usd.value == pytest.approx(
        saved - once, rel=1e-9, abs=1e-9 * max(bills.baseline_usd.value, bills.total_usd.value)
    )


@given(paying, machines)
def test_bills_are_even_at_break_even(drawn: list[tuple[float, float]], prices: Prices) -> None:
    """Applying takes as many seconds and joules as are drawn, an image as many fewer."""
    found = [
        Pair(Spent(1.0, 1.0), Spent(1.0 + saving, 1.0 + saving), Spent(price, price))
        for price, saving in drawn
    ]
    even = paybacks(found, prices)["usd"].images
    assert even is not None
    bills = bill(found, prices, even, 1.0)
    assert bills is not None
    assert bills.total_usd.value == pytest.approx(bills.baseline_usd.value, rel=1e-6)


def tried(found: Sequence[Sensitivity], name: str) -> Sensitivity:
    return next(one for one in found if one.name == name)


@given(pairs, machines)
def test_at_the_present_price_a_month_saves_what_it_does(found: list[Pair], prices: Prices) -> None:
    of_prices = sensitivities(found, prices, MONTH)
    month = monthly(found, prices, MONTH)
    scale = 1e-9 * MONTH * max(max(p.baseline.seconds, p.image.seconds) for p in found)
    for one in of_prices:
        if one.name == "PUE":
            continue
        expected = value(month.usd if one.saved_unit == "USD" else month.kg_co2e)
        assert one.saved[FACTORS.index(1.0)] == pytest.approx(expected, rel=1e-9, abs=scale)


@given(pairs, machines)
def test_at_a_pue_of_one_a_month_saves_what_a_machine_in_the_open_would(
    found: list[Pair], prices: Prices
) -> None:
    price = dataclasses.replace(prices.hardware.price, pue=1.0)
    open_air = Prices(dataclasses.replace(prices.hardware, price=price), prices.share)
    of_pue = tried(sensitivities(found, prices, MONTH), "PUE")
    assert of_pue.values[0] == 1.0
    assert of_pue.saved[0] == pytest.approx(value(monthly(found, open_air, MONTH).usd))


@given(pairs, machines)
def test_sensitivities_lie_on_a_line(found: list[Pair], prices: Prices) -> None:
    of_prices = sensitivities(found, prices, MONTH)
    assert [one.name for one in of_prices] == ["electricity", "PUE", "machine", "carbon intensity"]
    for one in of_prices:
        taken, per = (prices.usd, 1.0) if one.saved_unit == "USD" else (prices.grams, 1e3)
        paid = [taken(of_pair) for pair in found for of_pair in (pair.image, pair.baseline)]
        slopes = np.diff(one.saved) / np.diff(one.values)
        # What is saved is a difference, so its rounding is that of what is spent.
        rounding = 1e-12 * MONTH / per * max(filter(None, paid)) / min(np.diff(one.values))
        assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=1e-6, abs=rounding)


@given(pairs, machines, st.integers(-6, 6))
def test_carbon_is_linear_in_intensity(found: list[Pair], prices: Prices, power: int) -> None:
    intensity = prices.hardware.carbon.g_per_kwh
    assert intensity is not None
    other = dataclasses.replace(prices.hardware, carbon=Carbon(g_per_kwh=intensity * 2.0**power))
    once = figures(found, prices, MONTH)
    scaled = figures(found, Prices(other, prices.share), MONTH)
    for name, one in once.items():
        factor = 2.0**power if name.startswith("kg_co2e") else 1.0
        assert scaled[name] == pytest.approx(factor * one)
    of_carbon = tried(sensitivities(found, prices, MONTH), "carbon intensity")
    assert of_carbon.saved == pytest.approx([f * once["kg_co2e"] for f in FACTORS])


@pytest.mark.parametrize(
    ("hardware", "currency", "same"),
    [
        pytest.param(ELECTRICITY, "usd", "j", id="electricity alone: as in joules"),
        pytest.param(RENT, "usd", "s", id="rent alone: as in seconds"),
    ],
)
@given(found=pairs, share=st.sampled_from([1.0, 0.125]))
def test_one_price_does_not_move_the_break_even(
    hardware: Hardware, currency: str, same: str, found: list[Pair], share: float
) -> None:
    by_currency = {str(name): one for name, one in paybacks(found, Prices(hardware, share)).items()}
    in_dollars, in_kind = by_currency[currency], by_currency[same]
    assume(in_kind.saving_interval is None or abs(in_kind.saving_interval.low) > 1e-9)
    assert in_dollars.verdict == in_kind.verdict
    if in_kind.images is None:
        assert in_dollars.images is None
    else:
        assert in_dollars.images == pytest.approx(in_kind.images, rel=1e-6)


def without_joules(one: Spent) -> Spent:
    return dataclasses.replace(one, joules=None)


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
    found = [HALF, change(HALF)]
    assert paybacks(found, Prices(hardware)).keys() == known
    bills = bill(found, Prices(hardware), MONTH, 12.0)
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
    found = monthly([HALF, HALF], Prices(hardware), MONTH)
    assert {name for name, one in vars(found).items() if one is None} == absent


def test_a_month_without_energy_is_rent_and_hours() -> None:
    pair = Pair(*map(without_joules, vars(HALF).values()))
    found = monthly([pair, pair], Prices(BOTH), MONTH)
    assert (found.kwh, found.kg_co2e) == (None, None)
    assert value(found.usd) == pytest.approx(0.05e6 / 3600 * 0.8)


def test_no_sensitivity_to_what_is_not_paid() -> None:
    included = Hardware(price=Price(usd_per_hour=0.8, usd_per_kwh=0.25, electricity_included=True))
    assert [one.name for one in sensitivities([HALF], Prices(included), MONTH)] == ["machine"]
    assert sensitivities([HALF], Prices(Hardware()), MONTH) == []
