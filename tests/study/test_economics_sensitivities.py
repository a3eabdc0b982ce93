"""What a month saves where a price or an intensity is another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study.economics import FACTORS, Pair, Prices, monthly, sensitivities
from greenexp.study.savings import Sensitivity
from tests.support.economics import HALF, MONTH, figures, machines, pairs, value


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


def test_no_sensitivity_to_what_is_not_paid() -> None:
    included = Hardware(price=Price(usd_per_hour=0.8, usd_per_kwh=0.25, electricity_included=True))
    assert [one.name for one in sensitivities([HALF], Prices(included), MONTH)] == ["machine"]
    assert sensitivities([HALF], Prices(Hardware()), MONTH) == []
