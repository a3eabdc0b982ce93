"""Advice with every number in it held against the figures that it is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.words import advice
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import Compared, compare
from greenexp.study.estimates import Accuracy, Effect, Interval, Quantity
from greenexp.study.savings import Payback
from greenexp.study.study import Cell, Overall, Study
from tests.support.sentences import check_commands, check_plain
from tests.support.studies import empty_study
from tests.support.synthetic_runs import (
    LOCAL,
    QUANTIZED,
    Planted,
    Predictions,
    Row,
    predictions,
    used,
)

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


@dataclass(frozen=True)
class Advised:
    """What was advised, and what it was made of."""

    lines: Sequence[str]
    found: Compared
    options: Report

    def cell(self, who: str, tactic: str) -> Cell:
        """The cell that a sentence calls `model`, or `model on setting`."""
        (cell,) = [
            cell
            for cell in self.found.cells
            if cell.tactic == tactic and who in (cell.model, f"{cell.model} on {cell.setting.name}")
        ]
        return cell

    def line(self, who: str, tactic: str) -> Overall:
        """The overall line that a sentence is about."""
        where = who.removeprefix("Over models").removeprefix(" on ")
        (line,) = [
            line
            for line in self.found.overall
            if line.tactic == tactic and where in ("", line.setting.name)
        ]
        return line

    def deployed(self) -> dict[str, str]:
        """Which tactic is advised, by who."""
        matches = [re.match(r"(.+?): deploy (.+?),", line) for line in self.lines]
        return {match[1]: match[2] for match in matches if match}

    def about(self, who: str) -> str:
        (line,) = [line for line in self.lines if line.startswith(f"{who}: ")]
        return line


def advised(
    made: list[Row],
    tactics: Mapping[str, Planted] = QUANTIZED,
    preset: Hardware = LOCAL,
    *,
    judged: Predictions | None = None,
    **options: Any,
) -> Advised:
    """Returns the advice, every sentence of it checked against the figures."""
    asked = Report(**options)
    found = compare(used(made, preset), judged or predictions(made, tactics), asked)
    result = Advised(lines(found.cells, found.overall, asked), found, asked)
    check(result)
    return result


def lines(cells: Sequence[Cell], overall: Sequence[Overall], options: Report) -> list[str]:
    """Returns the sentences of advice on these cells."""
    made = replace(
        empty_study(),
        cells=cells,
        overall=overall,
        advice=decide.advice(cells, overall, options),
        requests_per_month=options.requests_per_month,
        max_top1_drop=options.max_top1_drop,
    )
    return advised_by(made)


def advised_by(study: Study) -> list[str]:
    """Returns what a study advises, in sentences."""
    return [advice.sentence(one, study) for one in study.advice]


def check(made: Advised) -> None:
    check_plain(made.lines)
    check_commands(made.lines)
    for line in made.lines:
        clauses = line.removesuffix(".").split("; ")
        match = DEPLOY.fullmatch(clauses[0])
        if match is None:
            assert "deploy" not in line
            check_kept(made, line)
        elif match["models"] is None:
            check_model(made, match, clauses[1:])
        else:
            check_models(made, match, clauses[1:])


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


def check_model(made: Advised, deploy: re.Match[str], clauses: list[str]) -> None:
    cell = made.cell(deploy["who"], deploy["tactic"])
    metric = ENERGY if deploy["what"] == "energy an image" else LATENCY
    effect = cell.effects[metric]
    check_ratio(deploy[4], deploy[3], deploy[5], effect)
    assert effect.verdict == "lower"
    assert metric == ENERGY or all(ENERGY not in one.effects for one in made.found.cells)
    estimated = metric == ENERGY and "model" in (cell.energy_source or "")
    assert (deploy["estimated"] is not None) is estimated
    month, payback, top1 = clauses
    match = MONTH.fullmatch(month)
    assert match is not None, month
    assert number(match[1]) == made.options.requests_per_month
    assert match["mean"] is None
    assert cell.monthly is not None
    check_amounts(match, vars(cell.monthly))
    check_payback(payback, cell)
    assert cell.accuracy is not None
    check_top1(top1, cell.accuracy, made.options.max_top1_drop, cell.accuracy.images)
    check_best(made, cell, metric)


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


def check_best(made: Advised, advised_cell: Cell, metric: str) -> None:
    """No other tactic of the model that is shown to save and keeps its top-1 saves more."""
    assert advised_cell.monthly is not None
    name = "usd" if advised_cell.monthly.usd is not None else "kwh"
    name = name if getattr(advised_cell.monthly, name) is not None else "hours"
    best = getattr(advised_cell.monthly, name).value
    for cell in made.found.cells:
        rival = (cell.setting, cell.model) == (advised_cell.setting, advised_cell.model)
        if not rival or metric not in cell.effects or cell.accuracy is None:
            continue
        lower = cell.effects[metric].verdict == "lower"
        if lower and cell.accuracy.delta >= -made.options.max_top1_drop - 1e-9:
            assert getattr(cell.monthly, name).value <= best


def check_models(made: Advised, deploy: re.Match[str], clauses: list[str]) -> None:
    line = made.line(deploy["who"], deploy["tactic"])
    metric = ENERGY if deploy["what"] == "energy an image" else LATENCY
    effect = line.effects[metric]
    check_ratio(deploy[4], deploy[3], deploy[5], effect)
    assert effect.verdict == "lower"
    assert int(deploy["models"]) == effect.units
    cells = [
        cell
        for cell in made.found.cells
        if (cell.setting, cell.tactic) == (line.setting, line.tactic) and metric in cell.effects
    ]
    month, payback, top1 = clauses
    match = MONTH.fullmatch(month)
    assert match is not None, month
    assert match["mean"] is not None
    assert number(match[1]) == made.options.requests_per_month
    check_amounts(match, {name: over_models(cells, name) for name in UNITS.values()})
    said = payback.removeprefix("applying it pays back ")
    assert PAID_MODELS.sub("", said) == ""
    for paid, of, name, once, low, high in PAID_MODELS.findall(said):
        found: list[Payback] = [cell.paybacks[CURRENCIES[name]] for cell in cells]
        paying = [one for one in found if one.verdict in ("pays back", "at once")]
        assert (int(paid), int(of)) == (len(paying), len(found))
        images = [one.images or 0.0 for one in paying]
        assert bool(once) is (bool(images) and max(images) == 0)
        if low:
            assert near(low, min(images), 1.0)
            assert near(high, max(images), 1.0)
    assert line.accuracy is not None
    check_top1(top1, line.accuracy, made.options.max_top1_drop, line.accuracy.models)


def over_models(cells: Sequence[Cell], name: str) -> Quantity | None:
    """The mean saving of models with Student's t interval, by scipy."""
    found = [getattr(cell.monthly, name) for cell in cells]
    if None in found:
        return None
    saved = [one.value for one in found]
    half = stats.sem(saved) * stats.t.ppf(0.975, len(saved) - 1)
    mean = float(np.mean(saved))
    return Quantity(mean, Interval(mean - half, mean + half))


def check_kept(made: Advised, line: str) -> None:
    """Where nothing is advised, what is said of the nearest tactic is what was found."""
    said = re.search(
        rf": (?P<who>\S+) took ×({NUMBER}){SPAN} of the baseline's(?:, but| over) (\d+) blocks?",
        line,
    )
    drop = re.search(r"drop of at most (\d+\.\d\d) pt", line)
    if drop:
        assert math.isclose(float(drop[1]), 100 * made.options.max_top1_drop, abs_tol=5.1e-3)
    if said:
        cell = made.cell(line.partition(": keep")[0], said["who"])
        metric = ENERGY if "less energy" in line else LATENCY
        effect = cell.effects[metric]
        assert near(said[2], effect.ratio, 5.1e-4)
        assert (said[3] is None) is (effect.interval is None)
        if effect.interval is not None:
            assert near(said[3], effect.interval.low, 5.1e-4)
            assert near(said[4], effect.interval.high, 5.1e-4)
        assert int(said[5]) == effect.units
        assert effect.verdict in ("too few runs", "no difference shown")
        floor = re.search(rf"differ by up to ({NUMBER}) %", line)
        if floor:
            assert effect.floor is not None
            assert near(floor[1], 100 * effect.floor)
