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


def tried(of_prices: Sequence[Sensitivity], name: str) -> Sensitivity:
    return next(sensitivity for sensitivity in of_prices if sensitivity.name == name)


@given(pairs, machines)
def test_at_the_present_price_a_month_saves_what_it_does(
    sample: list[Pair], prices: Prices
) -> None:
    of_prices = sensitivities(sample, prices, MONTH)
    month = monthly(sample, prices, MONTH)
    scale = 1e-9 * MONTH * max(max(p.baseline.seconds, p.image.seconds) for p in sample)
    for sensitivity in of_prices:
        if sensitivity.name == "PUE":
            continue
        expected = value(month.usd if sensitivity.saved_unit == "USD" else month.kg_co2e)
        assert sensitivity.saved[FACTORS.index(1.0)] == pytest.approx(expected, rel=1e-9, abs=scale)


@given(pairs, machines)
def test_at_a_pue_of_one_a_month_saves_what_a_machine_in_the_open_would(
    sample: list[Pair], prices: Prices
) -> None:
    price = dataclasses.replace(prices.hardware.price, pue=1.0)
    open_air = Prices(dataclasses.replace(prices.hardware, price=price), prices.share)
    of_pue = tried(sensitivities(sample, prices, MONTH), "PUE")
    assert of_pue.values[0] == 1.0
    assert of_pue.saved[0] == pytest.approx(value(monthly(sample, open_air, MONTH).usd))


@given(pairs, machines)
def test_sensitivities_lie_on_a_line(sample: list[Pair], prices: Prices) -> None:
    of_prices = sensitivities(sample, prices, MONTH)
    assert [sensitivity.name for sensitivity in of_prices] == [
        "electricity",
        "PUE",
        "machine",
        "carbon intensity",
    ]
    for sensitivity in of_prices:
        taken, per = (prices.usd, 1.0) if sensitivity.saved_unit == "USD" else (prices.grams, 1e3)
        paid = [taken(of_pair) for pair in sample for of_pair in (pair.image, pair.baseline)]
        slopes = np.diff(sensitivity.saved) / np.diff(sensitivity.values)
        # What is saved is a difference, so its rounding is that of what is spent.
        rounding = 1e-12 * MONTH / per * max(filter(None, paid)) / min(np.diff(sensitivity.values))
        assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=1e-6, abs=rounding)


@given(pairs, machines, st.integers(-6, 6))
def test_carbon_is_linear_in_intensity(sample: list[Pair], prices: Prices, power: int) -> None:
    intensity = prices.hardware.carbon.g_per_kwh
    assert intensity is not None
    other = dataclasses.replace(prices.hardware, carbon=Carbon(g_per_kwh=intensity * 2.0**power))
    once = figures(sample, prices, MONTH)
    scaled = figures(sample, Prices(other, prices.share), MONTH)
    for name, amount in once.items():
        factor = 2.0**power if name.startswith("kg_co2e") else 1.0
        assert scaled[name] == pytest.approx(factor * amount)
    of_carbon = tried(sensitivities(sample, prices, MONTH), "carbon intensity")
    assert of_carbon.saved == pytest.approx([f * once["kg_co2e"] for f in FACTORS])


def test_no_sensitivity_to_what_is_not_paid() -> None:
    included = Hardware(price=Price(usd_per_hour=0.8, usd_per_kwh=0.25, electricity_included=True))
    assert [sensitivity.name for sensitivity in sensitivities([HALF], Prices(included), MONTH)] == [
        "machine"
    ]
    assert sensitivities([HALF], Prices(Hardware()), MONTH) == []
