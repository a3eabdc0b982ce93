"""Made-up prices, savings and pairs of a block, and what a month of them saves."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study.economics import Expense, Pair, Prices, monthly
from greenexp.study.estimates import Quantity

MONTH = 1e6  # requests

amounts = st.floats(1e-3, 1e3)
blocks = st.lists(
    st.tuples(amounts, st.one_of(amounts, st.floats(-1e3, -1e-3))), min_size=2, max_size=12
)
# Savings within 1 % of each other, so that even two blocks tell them from none.
paying = st.builds(
    lambda saving, drawn: [(price, saving * factor) for price, factor in drawn],
    amounts,
    st.lists(st.tuples(amounts, st.floats(0.99, 1.01)), min_size=2, max_size=12),
)
# In thousandths, so that a saving isn't the rounding of two amounts that are all but equal.
thousandths = st.integers(1, 10**6).map(lambda number: number / 1e3)
spent = st.builds(Expense, seconds=thousandths, joules=thousandths)
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
# A block: an image of the tactic, one of the baseline, applying the tactic.
HALF = Pair(Expense(0.05, 1.8), Expense(0.1, 3.6), Expense(60.0, 7200.0))


def columns(drawn: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    prices, savings = zip(*drawn, strict=True)
    return list(prices), list(savings)


def value(quantity: Quantity | None) -> float:
    assert quantity is not None
    return quantity.value


def figures(sample: Sequence[Pair], prices: Prices, requests: float) -> dict[str, float]:
    """What a month saves: each value, and the ends of its interval."""
    result = {}
    for name, quantity in vars(monthly(sample, prices, requests)).items():
        assert quantity is not None
        result[name] = quantity.value
        if quantity.interval is not None:
            result |= {f"{name}_low": quantity.interval.low, f"{name}_high": quantity.interval.high}
    return result
