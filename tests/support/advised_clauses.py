"""The clauses of a sentence of advice, each held against the figures that it tells."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from greenexp.study.estimates import Accuracy, Effect, Quantity
from greenexp.study.savings import Occupancy
from greenexp.study.study import Cell

NUMBER = r"-?[\d,]+(?:\.\d+)?(?:e-?\d+)?"
IMAGES = r"[\d,]+(?:\.\d+)?(?: (?:m|b|tr)illion)?"
POINTS = r"[+-]?\d+\.\d\d"
SPAN = rf"(?: \(({NUMBER}) to ({NUMBER})\))?"
SIZES = {"million": 1e6, "billion": 1e9, "trillion": 1e12}
UNITS = {"kWh": "kwh", "USD": "usd", "kg CO2e": "kg_co2e", "hours of the machine": "hours"}
CURRENCIES: Mapping[str, Any] = {"energy": "j", "dollars": "usd", "time": "s"}
DEPLOY = re.compile(
    rf"(?P<who>.+): deploy (?P<tactic>.+), which takes ×({NUMBER}) \(({NUMBER}) to ({NUMBER})\) of "
    r"the baseline's (?P<what>energy an image|latency)(?P<estimated> \(estimated\))?"
    r"(?: over (?P<models>\d+) models)?"
)
MONTH = re.compile(
    rf"at ({NUMBER}) images a month it (?:saves (?P<less>.+?))?(?: and )?"
    r"(?:takes (?P<more>.+) more)?(?P<mean> on average over the models)?"
    rf" where computing seconds are billed(?:: the requests fill (?P<filled>{NUMBER}) % of a "
    rf"machine(?:, whose rent of (?P<rent>{NUMBER}) USD a month stays the same)?)?"
)
AMOUNT = re.compile(rf"({NUMBER}) ({'|'.join(UNITS)}){SPAN}(?:, | and |$)")
PAID = re.compile(
    rf"(?:(at once|never)|after ({IMAGES}) images(?: \(({IMAGES}) to ({IMAGES})\))?) in (\w+)"
    r"(?:, | and |$)"
)
PAID_MODELS = re.compile(
    rf"for (\d+) of (\d+) models? in (\w+)(?: \((?:(at once)|after ({IMAGES}) to ({IMAGES}) images)"
    r"\))?(?:, | and |$)"
)
TOP1 = re.compile(
    rf"top-1 changes by ({POINTS}) pt(?: \(({POINTS}) to ({POINTS})\))?"
    r"(?P<beyond>, and (?P<judged>[\d,]+) (?:images|models) can't rule out a larger drop than "
    r"allowed)?(?P<unknown>, whose error is unknown, for predictions on the same images are "
    r"missing)?"
)


def number(text: str) -> float:
    """Reads what `wording` wrote."""
    digits, _, size = text.partition(" ")
    return float(digits.replace(",", "")) * SIZES.get(size, 1.0)


def near(text: str, value: float, absolute: float = 0.0) -> bool:
    """Whether a figure is written to three digits, or nearer than `absolute`."""
    return math.isclose(number(text), value, rel_tol=5.1e-3, abs_tol=absolute)


def check_ratio(low: str, middle: str, high: str, effect: Effect) -> None:
    assert effect.interval is not None
    ends = (effect.interval.low, effect.ratio, effect.interval.high)
    for text, value in zip((low, middle, high), ends, strict=True):
        assert near(text, value, 5.1e-4)
    assert near(low, effect.interval.low, 5.1e-4)


def check_amounts(match: re.Match[str], expected: Mapping[str, Quantity | None]) -> None:
    """Every amount known is said, once, with its interval, on the side of its sign."""
    told = set()
    for side, sign in ((match["less"], 1), (match["more"], -1)):
        assert AMOUNT.sub("", side or "") == ""
        for amount, unit, low, high in AMOUNT.findall(side or ""):
            quantity = expected[UNITS[unit]]
            assert quantity is not None
            assert near(amount, sign * quantity.value)
            assert (quantity.value >= 0) is (sign > 0)
            assert (quantity.interval is None) is (low == "")
            if quantity.interval is not None:
                ends = (quantity.interval.low, quantity.interval.high)[::sign]
                assert near(low, sign * ends[0])
                assert near(high, sign * ends[1])
            told.add(UNITS[unit])
    assert told == {name for name, quantity in expected.items() if quantity is not None}


def check_occupancy(match: re.Match[str], occupancy: Occupancy | None) -> None:
    """What the requests fill of a machine, and its rent, are said where they are known."""
    assert (match["filled"] is None) is (occupancy is None)
    if occupancy is None:
        return
    assert near(match["filled"], 100 * occupancy.filled, 5.1e-2)
    assert (match["rent"] is None) is (occupancy.rent_usd is None)
    if match["rent"]:
        assert near(match["rent"], occupancy.rent_usd or 0.0)


def check_top1(clause: str, accuracy: Accuracy, limit: float, judged: int | None) -> None:
    match = TOP1.fullmatch(clause)
    assert match is not None, clause
    assert math.isclose(number(match[1]), 100 * accuracy.delta, abs_tol=5.1e-3)
    assert accuracy.delta >= -limit - 1e-9
    assert (match["unknown"] is None) is (accuracy.interval is not None)
    if accuracy.interval is not None:
        assert math.isclose(number(match[2]), 100 * accuracy.interval.low, abs_tol=5.1e-3)
        assert math.isclose(number(match[3]), 100 * accuracy.interval.high, abs_tol=5.1e-3)
        assert (match["beyond"] is not None) is (accuracy.interval.low < -limit)
        if match["judged"]:
            assert number(match["judged"]) == judged


def check_payback(clause: str, cell: Cell) -> None:
    said = clause.removeprefix("applying it pays back ")
    assert PAID.sub("", said) == ""
    told = set()
    for word, images, low, high, name in PAID.findall(said):
        found = cell.paybacks[CURRENCIES[name]]
        told.add(CURRENCIES[name])
        if word:
            assert found.verdict == word
            continue
        assert found.verdict == "pays back"
        assert found.images is not None
        assert found.interval is not None
        assert near(images, found.images, 1.0)
        assert near(low, found.interval.low, 1.0)
        assert near(high, found.interval.high, 1.0)
    assert told == set(cell.paybacks)
