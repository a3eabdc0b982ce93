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
from greenexp.study.effects import Comparison, compare
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Payback
from greenexp.study.study import Cell, Overall, Study
from tests.support.advised_clauses import (
    CURRENCIES,
    DEPLOY,
    MONTH,
    NUMBER,
    PAID_MODELS,
    SPAN,
    UNITS,
    check_amounts,
    check_occupancy,
    check_payback,
    check_ratio,
    check_top1,
    near,
    number,
)
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


@dataclass(frozen=True)
class Advised:
    """What was advised, and what it was made of."""

    lines: Sequence[str]
    found: Comparison
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
    assert cell.occupancy is not None
    check_occupancy(match, cell.occupancy)
    check_payback(payback, cell)
    assert cell.accuracy is not None
    check_top1(top1, cell.accuracy, made.options.max_top1_drop, cell.accuracy.images)
    check_best(made, cell, metric)


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
    check_occupancy(match, None)
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
    """Where nothing is advised, no tactic is praised; what is said of some is what was found."""
    drop = re.search(r"drop of at most (\d+\.\d\d) pt", line)
    if drop:
        assert math.isclose(float(drop[1]), 100 * made.options.max_top1_drop, abs_tol=5.1e-3)
    who = line.partition(": keep")[0]
    few = re.search(r"pt: (\d+) blocks? can't tell what (\d+) tactics? did from chance", line)
    undecided = re.search(
        r"pt: not decided after (\d+) blocks?: (.+?)(?:, and two baselines.*)?\.$", line
    )
    if who.startswith("Over models") or not (few or undecided):
        return
    metric = ENERGY if "less energy" in line else LATENCY
    cells = [
        cell
        for cell in made.found.cells
        if who in (cell.model, f"{cell.model} on {cell.setting.name}") and metric in cell.effects
    ]
    open_ = [
        cell.effects[metric]
        for cell in cells
        if cell.effects[metric].verdict in ("too few runs", "no difference shown")
        and cell.accuracy is not None
        and cell.accuracy.delta >= -made.options.max_top1_drop - 1e-9
    ]
    if few:
        assert (int(few[1]), int(few[2])) == (max(e.units for e in open_), len(open_))
        assert "×" not in line
    if undecided:
        assert int(undecided[1]) == max(effect.units for effect in open_)
        check_undecided(
            undecided[2], {cell.tactic: cell.effects[metric] for cell in cells}, len(open_)
        )
    floor = re.search(rf"differ by up to ({NUMBER}) %", line)
    if floor:
        known = [effect.floor for effect in open_ if effect.floor is not None]
        assert near(floor[1], 100 * max(known))


def check_undecided(said: str, effects: Mapping[str, Effect], count: int) -> None:
    """Each tactic that is named has its ratio and interval; how many more there are is said."""
    named = re.findall(rf"(\S+) ×({NUMBER}){SPAN}(?=,| and |$)", said)
    more = re.search(r"(\d+) more$", said)
    assert len(named) + (int(more[1]) if more else 0) == count
    for tactic, ratio, low, high in named:
        effect = effects[tactic]
        assert effect.verdict in ("too few runs", "no difference shown")
        assert near(ratio, effect.ratio, 5.1e-4)
        assert (low == "") is (effect.interval is None)
        if effect.interval is not None:
            assert near(low, effect.interval.low, 5.1e-4)
            assert near(high, effect.interval.high, 5.1e-4)
