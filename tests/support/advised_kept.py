"""Advice that deploys nothing, each figure of it held against those that it is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.words.advice import Answer
from greenexp.settings.report import Report
from greenexp.study.effects import Comparison
from greenexp.study.estimates import Effect
from greenexp.study.study import Cell, Overall
from tests.support.advised_clauses import NUMBER, POINTS, SPAN, near, number

KEEP = re.compile(
    rf"(?P<who>.+): (?P<kind>keep the baseline|undecided); (?:no tactic saves more than "
    rf"(?P<margin>{NUMBER}) % (?P<what>energy|time) at a (?:mean )?top-1 drop of at most "
    rf"(?P<limit>{NUMBER}) pt|(?P<decides>.+?); (?P<best>\S+) is at ×({NUMBER}){SPAN})\."
)
OPEN = re.compile(
    rf"Open after (\d+) (?:block|model)s?: (.+?)(?:; two baselines differ by up to ({NUMBER}) %)?\."
)
REFUSED = re.compile(rf"(\S+) \(({POINTS}) pt\)")


def check_kept(answer: Answer, comparison: Comparison, options: Report) -> None:
    """Where nothing is advised, no tactic is praised; what is said of some is what was found."""
    match = KEEP.fullmatch(answer.headline)
    if match is None:
        assert re.search(r": nothing can be said|: \d+ models can't show", answer.headline)
        assert not answer.points
        return
    who, limit = match["who"], options.max_top1_drop
    tried = members(comparison, who)
    energy = any(ENERGY in member.effects for member in tried.values())
    metric = ENERGY if energy else LATENCY
    refused = {
        tactic: member.accuracy.delta
        for tactic, member in tried.items()
        if member.accuracy is not None and member.accuracy.delta < -limit - 1e-9
    }
    effects = {t: m.effects[metric] for t, m in tried.items() if t not in refused}
    open_ = {t: effect for t, effect in effects.items() if not shown_not_to_save(effect, options)}
    assert (match["kind"] == "undecided") is bool(open_)
    if match["margin"]:
        assert near(match["margin"], 100 * options.equal_within)
        assert near(match["limit"], 100 * limit)
    else:
        best = min(open_.values(), key=lambda effect: effect.ratio)
        assert open_[match["best"]] == best
        assert near(match[8], best.ratio, 5.1e-4)
    for line in (*answer.points, *answer.rest):
        check_said(line, open_, effects, refused, options)


def members(comparison: Comparison, who: str) -> dict[str, Cell | Overall]:
    """What a headline is about, by tactic."""
    if who.startswith("Over models"):
        where = who.removeprefix("Over models").removeprefix(" on ")
        lines = [line for line in comparison.overall if where in ("", line.setting.name)]
        return {line.tactic: line for line in lines}
    names = [
        (cell, (cell.model, f"{cell.model} on {cell.setting.name}")) for cell in comparison.cells
    ]
    return {cell.tactic: cell for cell, names in names if who in names and not cell.is_baseline}


def shown_not_to_save(effect: Effect, options: Report) -> bool:
    """Whether no saving of more than the margin is left open."""
    margin = options.equal_within
    if effect.verdict in ("higher", "equal"):
        return True
    within = effect.floor is None or effect.floor <= margin
    narrow = effect.interval is not None and effect.interval.low >= 1 / (1 + margin)
    return effect.verdict == "no difference shown" and within and narrow


def check_said(
    line: str,
    open_: Mapping[str, Effect],
    effects: Mapping[str, Effect],
    refused: Mapping[str, float],
    options: Report,
) -> None:
    """Each figure of a point of those that advise no tactic is one that was found."""
    limit = re.search(rf"(?:at most|more than) ({NUMBER}) pt", line)
    if limit:
        assert near(limit[1], 100 * options.max_top1_drop)
    if match := OPEN.fullmatch(line):
        assert int(match[1]) == max(effect.units for effect in open_.values())
        check_named(match[2], open_)
        if match[3]:
            assert near(match[3], 100 * max(e.floor for e in open_.values() if e.floor is not None))
    elif line.startswith(("Shown: ", "Shown not to save more: ")):
        settled = {tactic: effect for tactic, effect in effects.items() if tactic not in open_}
        check_named(line.partition(": ")[2].removesuffix("."), settled)
    elif line.startswith("Top-1 drops"):
        for tactic, points in REFUSED.findall(line):
            assert math.isclose(number(points), 100 * refused[tactic], abs_tol=5.1e-3)
    elif "repetitions=" not in line:
        assert line.startswith("Until then nothing is advised: ")


def check_named(words: str, effects: Mapping[str, Effect]) -> None:
    """Each tactic that is named has its ratio and interval; how many more there are is said."""
    named = re.findall(rf"(\S+) ×({NUMBER}){SPAN}(?=,| and |$)", words)
    more = re.search(r"(\d+) more$", words)
    assert len(named) + (int(more[1]) if more else 0) == len(effects)
    for tactic, ratio, low, high in named:
        effect = effects[tactic]
        assert near(ratio, effect.ratio, 5.1e-4)
        assert (low == "") is (effect.interval is None)
        if effect.interval is not None:
            assert near(low, effect.interval.low, 5.1e-4)
            assert near(high, effect.interval.high, 5.1e-4)
