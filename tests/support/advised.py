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
from greenexp.report.words.advice import Answer
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import Comparison, compare
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Payback
from greenexp.study.study import Cell, Overall, Study
from tests.support.advised_clauses import (
    BESIDES,
    CURRENCIES,
    DEPLOY,
    PAID_MODELS,
    TAKES,
    TOP1,
    UNITS,
    check_amounts,
    check_month,
    check_payback,
    check_ratio,
    check_top1,
    near,
    number,
)
from tests.support.advised_kept import check_kept
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

    answers: Sequence[Answer]
    comparison: Comparison
    options: Report

    def cell(self, who: str, tactic: str) -> Cell:
        """The cell that a sentence calls `model`, or `model on setting`."""
        (cell,) = [
            cell
            for cell in self.comparison.cells
            if cell.tactic == tactic and who in (cell.model, f"{cell.model} on {cell.setting.name}")
        ]
        return cell

    def line(self, who: str, tactic: str) -> Overall:
        """The overall line that a sentence is about."""
        where = who.removeprefix("Over models").removeprefix(" on ")
        (line,) = [
            line
            for line in self.comparison.overall
            if line.tactic == tactic and where in ("", line.setting.name)
        ]
        return line

    @property
    def lines(self) -> list[str]:
        """Every sentence."""
        return [line for each in self.answers for line in sentences(each)]

    def deployed(self) -> dict[str, str]:
        """Which tactic is advised, by who."""
        matches = [re.match(r"(.+?): deploy (.+?);", each.headline) for each in self.answers]
        return {match[1]: match[2] for match in matches if match}

    def about(self, who: str) -> str:
        """All that is said of a model, or over models."""
        (answer,) = [each for each in self.answers if each.headline.startswith(f"{who}: ")]
        return " ".join(sentences(answer))


def sentences(answer: Answer) -> list[str]:
    return [answer.headline, *answer.points, *answer.rest]


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
    comparison = compare(used(made, preset), judged or predictions(made, tactics), asked)
    result = Advised(answers(comparison.cells, comparison.overall, asked), comparison, asked)
    check(result)
    return result


def answers(cells: Sequence[Cell], overall: Sequence[Overall], options: Report) -> Sequence[Answer]:
    """Returns the advice on these cells in words."""
    made = replace(
        empty_study(),
        cells=cells,
        overall=overall,
        advice=decide.advice(cells, overall, options),
        requests_per_month=options.requests_per_month,
        max_top1_drop=options.max_top1_drop,
    )
    return advice.answers(made)


def advised_by(study: Study) -> list[str]:
    """Returns what a study advises, in sentences."""
    return [line for each in advice.answers(study) for line in sentences(each)]


def check(made: Advised) -> None:
    check_plain(made.lines)
    check_commands(made.lines)
    for answer in made.answers:
        assert len(answer.points) <= 3
        match = DEPLOY.fullmatch(answer.headline)
        if match is None:
            assert "deploy" not in answer.headline
            check_kept(answer, made.comparison, made.options)
        elif match["models"] is None:
            check_model(made, match, answer)
        else:
            check_models(made, match, answer)


def check_takes(
    made: Advised, deploy: re.Match[str], line: str, effect: Effect, estimated: bool
) -> None:
    """Headline and first point say the same of what is saved."""
    takes = TAKES.fullmatch(line)
    assert takes is not None, line
    check_ratio(takes[2], takes[1], takes[3], effect)
    assert effect.verdict == "lower"
    energy = deploy["what"] == "energy"
    assert energy is (takes["what"] == "energy an image")
    assert energy or all(ENERGY not in cell.effects for cell in made.comparison.cells)
    assert takes["models"] == deploy["models"]
    assert (takes["doubts"] is None) is (deploy["flagged"] is None)
    for match in (takes, deploy):
        assert (match["estimated"] is not None) is (energy and estimated)
    assert math.isclose(number(deploy["share"]), 100 * (1 - effect.ratio), abs_tol=0.51)


def check_usd(deploy: re.Match[str], usd: Quantity | None, holds: str | None) -> None:
    """The headline has a month's dollars where they are shown, and says who saves them."""
    ends = None if usd is None else usd.interval
    shown = usd is not None and not (ends is not None and ends.low <= 0 <= ends.high)
    assert (deploy["usd"] is not None) is shown
    if shown and usd is not None:
        assert near(deploy["usd"], abs(usd.value))
        assert (deploy["costs"] is None) is (usd.value >= 0)
        assert (deploy["paid"] is not None) is (holds != "electricity")


def check_caveat(deploy: re.Match[str], line: str, limit: float) -> None:
    """The headline warns of top-1 where the point on it does."""
    match = TOP1.fullmatch(line)
    assert match is not None
    assert (deploy["beyond"] is None) is (match["beyond"] is None)
    assert (deploy["unknown"] is None) is (match["unknown"] is None)
    if deploy["beyond"]:
        assert near(deploy["beyond"], 100 * limit)


def check_model(made: Advised, deploy: re.Match[str], answer: Answer) -> None:
    cell = made.cell(deploy["who"], deploy["tactic"])
    metric = ENERGY if deploy["what"] == "energy" else LATENCY
    takes, *month, top1 = answer.points
    check_takes(made, deploy, takes, cell.effects[metric], "model" in (cell.energy_source or ""))
    assert cell.monthly is not None
    check_usd(deploy, cell.monthly.usd, cell.cost_holds)
    assert bool(month) is (cell.monthly.usd is not None)
    for line in month:
        requests = made.options.requests_per_month
        check_month(line, cell.monthly.usd, cell.occupancy, cell.cost_holds or "", requests)
    besides, payback = answer.rest
    match = BESIDES.fullmatch(besides)
    assert match is not None, besides
    assert number(match[1]) == made.options.requests_per_month
    check_amounts(match, vars(cell.monthly))
    check_payback(payback, cell)
    assert cell.accuracy is not None
    check_top1(top1, cell.accuracy, made.options.max_top1_drop, cell.accuracy.images)
    check_caveat(deploy, top1, made.options.max_top1_drop)
    check_best(made, cell, metric)


def check_best(made: Advised, advised_cell: Cell, metric: str) -> None:
    """No other tactic of the model that is shown to save and keeps its top-1 saves more."""
    assert advised_cell.monthly is not None
    name = "usd" if advised_cell.monthly.usd is not None else "kwh"
    name = name if getattr(advised_cell.monthly, name) is not None else "hours"
    best = getattr(advised_cell.monthly, name).value
    for cell in made.comparison.cells:
        rival = (cell.setting, cell.model) == (advised_cell.setting, advised_cell.model)
        if not rival or metric not in cell.effects or cell.accuracy is None:
            continue
        lower = cell.effects[metric].verdict == "lower"
        if lower and cell.accuracy.delta >= -made.options.max_top1_drop - 1e-9:
            assert getattr(cell.monthly, name).value <= best


def check_models(made: Advised, deploy: re.Match[str], answer: Answer) -> None:
    line = made.line(deploy["who"], deploy["tactic"])
    metric = ENERGY if deploy["what"] == "energy" else LATENCY
    effect = line.effects[metric]
    assert int(deploy["models"]) == effect.units
    cells = [
        cell
        for cell in made.comparison.cells
        if (cell.setting, cell.tactic) == (line.setting, line.tactic) and metric in cell.effects
    ]
    takes, *month, top1 = answer.points
    estimated = any("model" in (cell.energy_source or "") for cell in cells)
    check_takes(made, deploy, takes, effect, estimated)
    usd, holds = over_models(cells, "usd"), cells[0].cost_holds
    check_usd(deploy, usd, holds)
    assert bool(month) is (usd is not None)
    for each in month:
        check_month(each, usd, None, holds or "", made.options.requests_per_month)
        assert "on average over the models" in each
    besides, payback = answer.rest
    match = BESIDES.fullmatch(besides)
    assert match is not None, besides
    assert number(match[1]) == made.options.requests_per_month
    check_amounts(match, {name: over_models(cells, name) for name in UNITS.values()})
    words = payback.removeprefix("Applying it pays back ")
    assert PAID_MODELS.sub("", words) == ""
    for paid, of, name, once, low, high in PAID_MODELS.findall(words):
        break_evens: list[Payback] = [cell.paybacks[CURRENCIES[name]] for cell in cells]
        paying = [
            break_even
            for break_even in break_evens
            if break_even.verdict in ("pays back", "at once")
        ]
        assert (int(paid), int(of)) == (len(paying), len(break_evens))
        images = [break_even.images or 0.0 for break_even in paying]
        assert bool(once) is (bool(images) and max(images) == 0)
        if low:
            assert near(low, min(images), 1.0)
            assert near(high, max(images), 1.0)
    assert line.accuracy is not None
    check_top1(top1, line.accuracy, made.options.max_top1_drop, line.accuracy.models)
    check_caveat(deploy, top1, made.options.max_top1_drop)


def over_models(cells: Sequence[Cell], name: str) -> Quantity | None:
    """The mean saving of models with Student's t interval, by scipy."""
    savings = [getattr(cell.monthly, name) for cell in cells]
    if None in savings:
        return None
    saved = [saving.value for saving in savings]
    half = stats.sem(saved) * stats.t.ppf(0.975, len(saved) - 1)
    mean = float(np.mean(saved))
    return Quantity(mean, Interval(mean - half, mean + half))
