"""Advice in sentences: which tactic to deploy, what it saves, when it pays back, or why none is."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.quantities import ENERGY
from greenexp.report.words import format as wording
from greenexp.stats.power import units_needed
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Currency, Payback
from greenexp.study.study import Advice, Study
from greenexp.study.verdicts import AdviceKind, Caveat, PaybackVerdict, Verdict

SAVED = {"kwh": "kWh", "usd": "USD", "kg_co2e": "kg CO2e", "hours": "hours of the machine"}
CURRENCIES: dict[Currency, str] = {"j": "energy", "usd": "dollars", "s": "time"}
NOTHING = {
    AdviceKind.NO_BASELINE: "there is no valid baseline among the runs",
    AdviceKind.ONLY_BASELINE: "there is only the baseline",
    AdviceKind.NO_PAIR: "no tactic shares a block with the baseline",
}


def sentence(one: Advice, study: Study) -> str:
    """Returns the sentence that gives one advice of a study."""
    who = "Over models" if one.model is None else one.model
    at = f" on {one.setting.name}" if len(study.settings) > 1 else ""
    return f"{who}{at}: {_said(one, study)}."


def _said(one: Advice, study: Study) -> str:
    match one.kind:
        case AdviceKind.DEPLOY:
            return _deploy(one, study)
        case AdviceKind.ONE_MODEL:
            return "one model tells nothing of others; sweep model=all"
        case AdviceKind.TOO_FEW_MODELS:
            return (
                f"{one.models} models can't show what holds for others; with "
                f"{wording.plural(one.tactics, 'tactic')} at least {units_needed(one.tactics)} "
                "are needed"
            )
        case AdviceKind.NO_BASELINE | AdviceKind.ONLY_BASELINE | AdviceKind.NO_PAIR:
            return f"nothing can be said, for {NOTHING[one.kind]}"
        case _:
            return _keep(one, study)


def _keep(one: Advice, study: Study) -> str:
    what = "energy" if one.metric == ENERGY else "time"
    drop = "mean top-1 drop" if one.model is None else "top-1 drop"
    limit = wording.points(study.max_top1_drop).removeprefix("+")
    none = (
        f"keep the baseline; no tactic is shown to take less {what} at a {drop} of at most {limit}"
    )
    if one.effect is None:
        return none
    seen = f"{one.tactic} took {_ratio(one.effect)} of the baseline's"
    blocks = wording.plural(one.effect.units, "block")
    if one.kind is AdviceKind.KEEP_TOO_FEW:
        return f"{none}: {seen}, but {blocks} can't tell that from chance"
    if one.effect.margin is not None:
        if one.effect.verdict == Verdict.EQUAL:
            return f"{none}: {seen}, {wording.verdict(one.effect)}"
        return f"{none}: {seen}, which {blocks} can't tell from none yet"
    floor = ""
    if one.effect.floor is not None:
        floor = f", and two baselines differ by up to {wording.percentage(one.effect.floor)}"
    return f"{none}: {seen} over {blocks}, which is not shown to be real{floor}"


def _deploy(one: Advice, study: Study) -> str:
    month = _month(one, study.requests_per_month)
    if one.model is None:
        over = f" over {wording.plural(one.models, 'model')}"
        mean = month and f"{month} on average over the models"
        clauses = [f"{_takes(one)}{over}", mean, _pays_back_of_models(one)]
    else:
        clauses = [_takes(one), month, _pays_back(one)]
    return "; ".join(filter(None, [*clauses, _top1(one)]))


def _takes(one: Advice) -> str:
    said = f"deploy {one.tactic}, which takes {_ratio(one.effect)} of the baseline's "
    if one.metric != ENERGY:
        return f"{said}latency"
    estimated = one.basis is not None and one.basis.holds_estimates
    return f"{said}energy an image{' (estimated)' if estimated else ''}"


def _ratio(effect: Effect | None) -> str:
    return wording.joined(wording.ratio(effect), wording.ratio_span(effect))


def _month(one: Advice, requests_per_month: float) -> str:
    saved = {unit: wording.saved(one.saved, name) for name, unit in SAVED.items()}
    known = {unit: amount for unit, amount in saved.items() if amount is not None}
    less = [_amount(amount, unit) for unit, amount in known.items() if amount.value >= 0]
    more = [_amount(_negative(amount), unit) for unit, amount in known.items() if amount.value < 0]
    said = [f"saves {wording.listing(less)}"] if less else []
    said += [f"takes {wording.listing(more)} more"] if more else []
    images = wording.requests(requests_per_month)
    return f"at {images} images a month it {' and '.join(said)}" if said else ""


def _amount(one: Quantity, unit: str) -> str:
    return wording.joined(f"{wording.quantity(one)} {unit}", wording.quantity_span(one))


def _negative(one: Quantity) -> Quantity:
    ends = one.interval
    return Quantity(-one.value, None if ends is None else Interval(-ends.high, -ends.low))


def _pays_back(one: Advice) -> str:
    """Returns when it pays back on one model."""
    parts = [
        f"{_payback(found)} in {name}"
        for currency, name in CURRENCIES.items()
        for found in one.paybacks.get(currency, ())
    ]
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _payback(found: Payback) -> str:
    pays = found.verdict == PaybackVerdict.PAYS_BACK
    return wording.joined(wording.payback(found), wording.payback_span(found) if pays else "")


def _pays_back_of_models(one: Advice) -> str:
    """Returns for how many models it pays back, and the least and the most images that takes."""
    parts = []
    for currency, name in CURRENCIES.items():
        known = one.paybacks.get(currency, ())
        paid = [found.images or 0.0 for found in known if found.verdict != PaybackVerdict.NEVER]
        if known:
            said = f"for {len(paid)} of {wording.plural(len(known), 'model')} in {name}"
            parts.append(wording.joined(said, _wait(paid)))
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _wait(images: Sequence[float]) -> str:
    """Returns the least and the most images of some models; nothing without any."""
    if not images:
        return ""
    if max(images) == 0:
        return PaybackVerdict.AT_ONCE
    return f"after {wording.span(Interval(min(images), max(images)), wording.count)} images"


def _top1(one: Advice) -> str:
    """Returns the change of top-1, and what must be said of it."""
    change = one.accuracy
    if change is None:
        return ""
    points = wording.joined(wording.points(change.delta), wording.points_span(change.interval))
    said = f"top-1 changes by {points}"
    match one.caveat:
        case Caveat.ERROR_UNKNOWN:
            return f"{said}, whose error is unknown, for predictions on the same images are missing"
        case Caveat.LARGER_DROP_POSSIBLE:
            judged = f"{change.models} models" if one.model is None else f"{change.images:,} images"
            return f"{said}, and {judged} can't rule out a larger drop than allowed"
    return said
