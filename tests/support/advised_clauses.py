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
UNITS = {"kWh": "kwh", "kg CO2e": "kg_co2e", "hours of computing": "hours"}
CURRENCIES: Mapping[str, Any] = {"energy": "j", "dollars": "usd", "time": "s"}
FLAGGED = r"(?P<flagged>; the runs are flagged)?"
DEPLOY = re.compile(
    rf"(?P<who>.+): deploy (?P<tactic>.+); saves (?P<share>{NUMBER}) % (?P<what>energy|time)"
    r"(?P<estimated> \(estimated\))?(?: over (?P<models>\d+) models)?"
    rf"(?:, (?P<costs>costs )?(?P<usd>{NUMBER}) USD a month(?(costs) more)"
    r"(?P<paid> if paid by use)?)?"
    rf"(?:; top-1 may drop by over (?P<beyond>{NUMBER}) pt)?"
    rf"(?P<unknown>; the error of its top-1 is unknown)?{FLAGGED}\."
)
TAKES = re.compile(
    rf"It takes ×({NUMBER}) \(({NUMBER}) to ({NUMBER})\) of the baseline's "
    r"(?P<what>energy an image|latency)(?P<estimated> \(estimated\))?"
    r"(?: over (?P<models>\d+) models)?(?:; its runs are flagged: (?P<doubts>.+))?\."
)
MONTH = re.compile(
    rf"A month of (?P<images>{NUMBER}) images costs ({NUMBER}) USD{SPAN}"
    r"(?P<electricity> of electricity)? (?P<sign>less|more)(?P<mean> on average over the models)?"
    rf"(?P<paid>, only if the (?:(?P<hours>{NUMBER}) )?hours of computing are what is paid"
    rf"(?:; a rented machine is (?P<rent>{NUMBER}) USD a month either way)?"
    rf"(?:; (?P<machines>\d+) rented machines are (?P<rents>{NUMBER}) USD a month, and only a "
    r"whole one less saves any)?)?\."
)
BESIDES = re.compile(
    rf"A month of ({NUMBER}) images (?:saves (?P<less>.+?))?(?: and )?"
    r"(?:takes (?P<more>.+) more)?\."
)
AMOUNT = re.compile(rf"({NUMBER}) ({'|'.join(UNITS)}){SPAN}(?:, | and |$)")
PAID = re.compile(
    rf"(?:(at once|never)|after ({IMAGES}) images(?: \(({IMAGES}) to ({IMAGES})\))?) in (\w+)"
    r"(?:, | and |\.$)"
)
PAID_MODELS = re.compile(
    rf"for (\d+) of (\d+) models? in (\w+)(?: \((?:(at once)|after ({IMAGES}) to ({IMAGES}) images)"
    r"\))?(?:, | and |\.$)"
)
TOP1 = re.compile(
    rf"Top-1 changes by ({POINTS}) pt(?: \(({POINTS}) to ({POINTS})\))?"
    r"(?P<beyond>; (?P<judged>[\d,]+) (?:images|models) can't rule out a drop of more than "
    rf"(?P<limit>{NUMBER}) pt)?(?P<unknown>, whose error is unknown, for predictions on the same "
    r"images are missing)?\."
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
            check_amount(amount, low, high, expected[UNITS[unit]], sign)
            told.add(UNITS[unit])
    known = {name for name, quantity in expected.items() if quantity is not None}
    assert told == known & set(UNITS.values())


def check_amount(amount: str, low: str, high: str, of: Quantity | None, sign: int) -> None:
    """An amount is that of the quantity, of its sign, with its interval if it has one."""
    assert of is not None
    assert near(amount, sign * of.value)
    assert (of.value >= 0) is (sign > 0)
    assert (of.interval is None) is (low == "")
    if of.interval is not None:
        ends = (of.interval.low, of.interval.high)[::sign]
        assert near(low, sign * ends[0])
        assert near(high, sign * ends[1])


def check_month(
    line: str, usd: Quantity | None, occupancy: Occupancy | None, holds: str, requests: float
) -> None:
    """The dollars of a month, and on what condition they are saved."""
    match = MONTH.fullmatch(line)
    assert match is not None, line
    assert number(match["images"]) == requests
    sign = 1 if match["sign"] == "less" else -1
    check_amount(match[2], match[3] or "", match[4] or "", usd, sign)
    of_hours = holds != "electricity"
    assert (match["electricity"] is None) is of_hours
    assert (match["paid"] is not None) is of_hours
    if not of_hours:
        return
    assert (match["hours"] is None) is (occupancy is None)
    if occupancy is None:
        return
    assert near(match["hours"], 730 * occupancy.filled, 5.1e-2)
    machines = math.ceil(occupancy.filled)
    assert (match["machines"] is None) is (machines < 2)
    assert occupancy.rent_usd is not None
    assert near(match["rent"] or match["rents"], occupancy.rent_usd * machines)
    assert int(match["machines"] or 1) == machines


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
            assert near(match["limit"], 100 * limit)


def check_payback(clause: str, cell: Cell) -> None:
    words = clause.removeprefix("Applying it pays back ")
    assert PAID.sub("", words) == ""
    told = set()
    for word, images, low, high, name in PAID.findall(words):
        payback = cell.paybacks[CURRENCIES[name]]
        told.add(CURRENCIES[name])
        if word:
            assert payback.verdict == word
            continue
        assert payback.verdict == "pays back"
        assert payback.images is not None
        assert payback.interval is not None
        assert near(images, payback.images, 1.0)
        assert near(low, payback.interval.low, 1.0)
        assert near(high, payback.interval.high, 1.0)
    assert told == set(cell.paybacks)
