"""Advice in words: a headline, a few points, and what unfolds; the same wherever it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenexp.quantities import ENERGY
from greenexp.report.words import format as wording
from greenexp.report.words import savings
from greenexp.runs.texts import printable
from greenexp.stats.power import units_needed
from greenexp.study.estimates import Accuracy, Effect
from greenexp.study.study import Advice, Study
from greenexp.study.verdicts import AdviceKind, Caveat

MENTIONED = 3  # tactics that a point names
MOST_BLOCKS = 20  # that are proposed
NOTHING = {
    AdviceKind.NO_BASELINE: "there is no valid baseline among the runs",
    AdviceKind.ONLY_BASELINE: "there is only the baseline",
    AdviceKind.NO_PAIR: "no tactic shares a block with the baseline",
}


@dataclass(frozen=True)
class Answer:
    """One advice in words; each is a sentence.

    Attributes:
        headline: what to do, what that saves, and what stands against it.
        points: three at most.
        rest: for whoever wants to know more.
        is_over_models: whether it is on all models of a setting.
    """

    headline: str
    points: Sequence[str] = ()
    rest: Sequence[str] = ()
    is_over_models: bool = False

    def __str__(self) -> str:
        """Returns headline and points, a line each."""
        return "\n".join([self.headline, *(f"- {point}" for point in self.points)])


def answers(study: Study) -> list[Answer]:
    """Returns what a study advises: for each setting on each model, then over models."""
    return [answer(advice, study) for advice in study.advice]


def answer(advice: Advice, study: Study) -> Answer:
    """Returns one advice of a study in words."""
    who = "Over models" if advice.model is None else advice.model
    at = f" on {advice.setting.name}" if len(study.settings) > 1 else ""
    headline, points, rest = _said(advice, study)
    return Answer(
        printable(f"{who}{at}: {headline}."),
        [printable(f"{point}.") for point in points if point],
        [printable(f"{line}.") for line in rest if line],
        is_over_models=advice.model is None,
    )


def markdown(study: Study) -> str:
    """Returns all that a study advises as Markdown."""
    paragraphs = []
    for each in answers(study):
        points = [f"- {_plain(line)}" for line in (*each.points, *each.rest)]
        paragraphs.append("\n".join([f"**{_plain(each.headline)}**", "", *points]).strip())
    return "\n\n".join(paragraphs)


def _plain(text: str) -> str:
    """Returns a sentence whose signs are none of Markdown's."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#" else sign for sign in text)


Parts = tuple[str, Sequence[str], Sequence[str]]  # headline, points and rest, without full stops


def _said(advice: Advice, study: Study) -> Parts:
    match advice.kind:
        case AdviceKind.DEPLOY:
            return _deploy(advice, study)
        case AdviceKind.KEEP:
            return _keep(advice, study)
        case AdviceKind.UNDECIDED:
            return _undecided(advice, study)
        case AdviceKind.TOO_FEW_MODELS:
            return (
                f"{advice.models} models can't show what holds for others; with "
                f"{wording.plural(advice.tactics, 'tactic')} at least "
                f"{units_needed(advice.tactics)} are needed",
                (),
                (),
            )
        case _:
            return f"nothing can be said, for {NOTHING[advice.kind]}", (), ()


def _deploy(advice: Advice, study: Study) -> Parts:
    saved = _clauses(_saves(advice), savings.short(advice) + savings.caveat(advice), mark=", ")
    headline = _clauses(
        f"deploy {advice.tactic}", saved, _top1_caveat(advice, study), _flagged(advice)
    )
    requests = study.requests_per_month
    points = [_takes(advice), savings.month(advice, requests), _top1(advice, study)]
    over = advice.model is None
    payback = savings.pays_back_of_models(advice) if over else savings.pays_back(advice)
    return headline, points, [savings.besides(advice, requests), payback]


def _clauses(*clauses: str, mark: str = "; ") -> str:
    return mark.join(filter(None, clauses))


def _saves(advice: Advice) -> str:
    """Returns the share that is saved of what tactics are held together by."""
    assert advice.effect is not None
    over = f" over {wording.plural(advice.models, 'model')}" if advice.model is None else ""
    return f"saves {wording.share(1 - advice.effect.ratio)} {_what(advice)}{over}"


def _what(advice: Advice) -> str:
    if advice.metric != ENERGY:
        return "time"
    estimated = advice.basis is not None and advice.basis.holds_estimates
    return "energy (estimated)" if estimated else "energy"


def _takes(advice: Advice) -> str:
    of = "energy an image" if advice.metric == ENERGY else "latency"
    estimated = advice.basis is not None and advice.basis.holds_estimates
    marked = " (estimated)" if advice.metric == ENERGY and estimated else ""
    over = f" over {wording.plural(advice.models, 'model')}" if advice.model is None else ""
    flagged = f"; its runs are flagged: {', '.join(advice.doubts)}" if advice.doubts else ""
    return f"It takes {_ratio(advice.effect)} of the baseline's {of}{marked}{over}{flagged}"


def _ratio(effect: Effect | None) -> str:
    return wording.joined(wording.ratio(effect), wording.ratio_span(effect))


def _limit(study: Study) -> str:
    return f"{study.max_top1_drop * wording.POINTS:g} pt"


def _flagged(advice: Advice) -> str:
    return "the runs are flagged" if advice.doubts else ""


def _top1_caveat(advice: Advice, study: Study) -> str:
    match advice.caveat:
        case Caveat.ERROR_UNKNOWN:
            return "the error of its top-1 is unknown"
        case Caveat.LARGER_DROP_POSSIBLE:
            return f"top-1 may drop by over {_limit(study)}"
    return ""


def _top1(advice: Advice, study: Study) -> str:
    """Returns the change of top-1, and what must be said of it."""
    change = advice.accuracy
    if change is None:
        return ""
    clause = f"Top-1 changes by {_points(change)}"
    match advice.caveat:
        case Caveat.ERROR_UNKNOWN:
            return (
                f"{clause}, whose error is unknown, for predictions on the same images are missing"
            )
        case Caveat.LARGER_DROP_POSSIBLE:
            judged = (
                f"{change.models} models" if advice.model is None else f"{change.images:,} images"
            )
            return f"{clause}; {judged} can't rule out a drop of more than {_limit(study)}"
    return clause


def _points(change: Accuracy) -> str:
    return wording.joined(wording.points(change.delta), wording.points_span(change.interval))


def _keep(advice: Advice, study: Study) -> Parts:
    none = f"no tactic saves more than {_margin(advice)} {_held_by(advice)}"
    at = f"at a {_drop(advice)} of at most {_limit(study)}"
    headline = _clauses("keep the baseline", f"{none} {at}", _flagged(advice))
    return headline, [_named("Shown", advice.settled), _refused(advice, study)], [_doubts(advice)]


def _undecided(advice: Advice, study: Study) -> Parts:
    of = f"{_held_by(advice)} at a {_drop(advice)} of at most {_limit(study)}"
    until = (
        f"Until then nothing is advised: no tactic is shown to save {of}, nor is each shown to "
        f"save no more than {_margin(advice)}"
    )
    if not advice.undecided:
        missing = f"nothing compares {_listed(advice.uncompared)} with the baseline"
        return f"undecided; {missing}", [until, _refused(advice, study)], [_doubts(advice)]
    best, effect = min(advice.undecided.items(), key=lambda each: each[1].ratio)
    leading = f"{best} is at {_ratio(effect)}"
    headline = _clauses("undecided", _decides(advice), leading, _flagged(advice))
    units = max(effect.units for effect in advice.undecided.values())
    floors = [e.floor for e in advice.undecided.values() if e.floor is not None]
    floor = ""
    if floors:
        floor = f"; two baselines differ by up to {wording.percentage(max(floors))}"
    unit = "model" if advice.model is None else "block"
    named = _named(f"Open after {wording.plural(units, unit)}", advice.undecided)
    points = [f"{named}{floor}", _command(advice), until]
    rest = [_named("Shown not to save more", advice.settled), _refused(advice, study)]
    return headline, points, [*rest, _doubts(advice)]


def _decides(advice: Advice) -> str:
    """Returns what decides, and how long that takes."""
    if advice.model is None:
        return "more models decide"
    if advice.blocks is None:
        return "more blocks decide"
    if advice.blocks > MOST_BLOCKS:
        return f"more than {MOST_BLOCKS} further blocks are needed"
    more = f"{advice.blocks} more block{'' if advice.blocks == 1 else 's'}"
    took = "" if advice.blocks_s is None else f", about {wording.duration(advice.blocks_s)},"
    return f"{more}{took} should decide"


def _command(advice: Advice) -> str:
    if advice.repetitions is None or advice.blocks is None or advice.blocks > MOST_BLOCKS:
        return ""
    more = wording.plural(advice.blocks, "block")
    return f"The same sweep with repetitions={advice.repetitions} adds {more}"


def _held_by(advice: Advice) -> str:
    return "energy" if advice.metric == ENERGY else "time"


def _drop(advice: Advice) -> str:
    return "mean top-1 drop" if advice.model is None else "top-1 drop"


def _margin(advice: Advice) -> str:
    return wording.percentage(advice.margin or 0.0)


def _named(what: str, effects: Mapping[str, Effect]) -> str:
    """Returns the tactics that take least, with ratio and interval; nothing without any."""
    if not effects:
        return ""
    ranked = sorted(effects.items(), key=lambda each: (each[1].ratio, each[0]))
    return f"{what}: {_listed([f'{tactic} {_ratio(effect)}' for tactic, effect in ranked])}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MENTIONED
    return wording.listing([*names[:MENTIONED], *([f"{more} more"] if more > 0 else [])])


def _refused(advice: Advice, study: Study) -> str:
    """Returns which tactics cost too much accuracy; nothing without any."""
    if not advice.refused:
        return ""
    ranked = sorted(advice.refused.items(), key=lambda each: (-each[1].delta, each[0]))
    named = [f"{tactic} ({wording.points(change.delta)})" for tactic, change in ranked]
    return f"Top-1 drops by more than {_limit(study)} with {_listed(named)}"


def _doubts(advice: Advice) -> str:
    return f"Against the runs stands: {', '.join(advice.doubts)}" if advice.doubts else ""
