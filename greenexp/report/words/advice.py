"""Advice in sentences: which tactic to deploy, what it saves, when it pays back, or why none is."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.quantities import ENERGY
from greenexp.report.words import format as wording
from greenexp.stats.power import units_needed
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Currency, Occupancy, Payback
from greenexp.study.study import Advice, Study
from greenexp.study.verdicts import AdviceKind, Caveat, PaybackVerdict

SAVED = {"kwh": "kWh", "usd": "USD", "kg_co2e": "kg CO2e", "hours": "hours of the machine"}
MENTIONED = 3  # tactics of which nothing is shown
CURRENCIES: dict[Currency, str] = {"j": "energy", "usd": "dollars", "s": "time"}
NOTHING = {
    AdviceKind.NO_BASELINE: "there is no valid baseline among the runs",
    AdviceKind.ONLY_BASELINE: "there is only the baseline",
    AdviceKind.NO_PAIR: "no tactic shares a block with the baseline",
}


def sentence(advice: Advice, study: Study) -> str:
    """Returns the sentence that gives one advice of a study."""
    who = "Over models" if advice.model is None else advice.model
    at = f" on {advice.setting.name}" if len(study.settings) > 1 else ""
    return f"{who}{at}: {_said(advice, study)}."


def _said(advice: Advice, study: Study) -> str:
    match advice.kind:
        case AdviceKind.DEPLOY:
            return _deploy(advice, study)
        case AdviceKind.ONE_MODEL:
            return "one model tells nothing of others; sweep model=all"
        case AdviceKind.TOO_FEW_MODELS:
            return (
                f"{advice.models} models can't show what holds for others; with "
                f"{wording.plural(advice.tactics, 'tactic')} at least "
                f"{units_needed(advice.tactics)} are needed"
            )
        case AdviceKind.NO_BASELINE | AdviceKind.ONLY_BASELINE | AdviceKind.NO_PAIR:
            return f"nothing can be said, for {NOTHING[advice.kind]}"
        case _:
            return _keep(advice, study)


def _keep(advice: Advice, study: Study) -> str:
    what = "energy" if advice.metric == ENERGY else "time"
    drop = "mean top-1 drop" if advice.model is None else "top-1 drop"
    limit = wording.points(study.max_top1_drop).removeprefix("+")
    none = (
        f"keep the baseline; no tactic is shown to take less {what} at a {drop} of at most {limit}"
    )
    blocks = wording.plural(max([e.units for e in advice.undecided.values()], default=0), "block")
    if advice.kind is AdviceKind.KEEP_TOO_FEW:
        tried = wording.plural(len(advice.undecided), "tactic")
        return f"{none}: {blocks} can't tell what {tried} did from chance"
    if not advice.undecided:
        return none
    named = [f"{tactic} {_ratio(effect)}" for tactic, effect in advice.undecided.items()]
    more = len(named) - MENTIONED
    shown = [*named[:MENTIONED], *([f"{more} more"] if more > 0 else [])]
    floors = [e.floor for e in advice.undecided.values() if e.floor is not None]
    floor = ""
    if floors:
        floor = f", and two baselines differ by up to {wording.percentage(max(floors))}"
    return f"{none}: not decided after {blocks}: {wording.listing(shown)}{floor}"


def _deploy(advice: Advice, study: Study) -> str:
    month = _month(advice, study.requests_per_month)
    if advice.model is None:
        over = f" over {wording.plural(advice.models, 'model')}"
        clauses = [f"{_takes(advice)}{over}", month, _pays_back_of_models(advice)]
    else:
        clauses = [_takes(advice), month, _pays_back(advice)]
    return "; ".join(filter(None, [*clauses, _top1(advice)]))


def _takes(advice: Advice) -> str:
    clause = f"deploy {advice.tactic}, which takes {_ratio(advice.effect)} of the baseline's "
    if advice.metric != ENERGY:
        return f"{clause}latency"
    estimated = advice.basis is not None and advice.basis.holds_estimates
    return f"{clause}energy an image{' (estimated)' if estimated else ''}"


def _ratio(effect: Effect | None) -> str:
    return wording.joined(wording.ratio(effect), wording.ratio_span(effect))


def _month(advice: Advice, requests_per_month: float) -> str:
    saved = {unit: wording.saved(advice.saved, name) for name, unit in SAVED.items()}
    known = {unit: amount for unit, amount in saved.items() if amount is not None}
    less = [_amount(amount, unit) for unit, amount in known.items() if amount.value >= 0]
    more = [_amount(_negative(amount), unit) for unit, amount in known.items() if amount.value < 0]
    parts = [f"saves {wording.listing(less)}"] if less else []
    parts += [f"takes {wording.listing(more)} more"] if more else []
    images = wording.requests(requests_per_month)
    if not parts:
        return ""
    mean = " on average over the models" if advice.model is None else ""
    return f"at {images} images a month it {' and '.join(parts)}{mean}{_where(advice.occupancy)}"


def _where(occupancy: Occupancy | None) -> str:
    """Returns where savings of computing seconds are savings, and where they are not."""
    where = " where computing seconds are billed"
    if occupancy is None:
        return where
    filled = wording.percentage(occupancy.filled)
    machine = f"{where}: the requests fill {filled} of a machine"
    if occupancy.rent_usd is None:
        return machine
    rent = wording.number(occupancy.rent_usd)
    return f"{machine}, whose rent of {rent} USD a month stays the same"


def _amount(quantity: Quantity, unit: str) -> str:
    return wording.joined(f"{wording.quantity(quantity)} {unit}", wording.quantity_span(quantity))


def _negative(quantity: Quantity) -> Quantity:
    ends = quantity.interval
    return Quantity(-quantity.value, None if ends is None else Interval(-ends.high, -ends.low))


def _pays_back(advice: Advice) -> str:
    """Returns when it pays back on one model."""
    parts = [
        f"{_payback(payback)} in {name}"
        for currency, name in CURRENCIES.items()
        for payback in advice.paybacks.get(currency, ())
    ]
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _payback(payback: Payback) -> str:
    pays = payback.verdict == PaybackVerdict.PAYS_BACK
    return wording.joined(wording.payback(payback), wording.payback_span(payback) if pays else "")


def _pays_back_of_models(advice: Advice) -> str:
    """Returns for how many models it pays back, and the least and the most images that takes."""
    parts = []
    for currency, name in CURRENCIES.items():
        known = advice.paybacks.get(currency, ())
        paid = [
            payback.images or 0.0 for payback in known if payback.verdict != PaybackVerdict.NEVER
        ]
        if known:
            clause = f"for {len(paid)} of {wording.plural(len(known), 'model')} in {name}"
            parts.append(wording.joined(clause, _wait(paid)))
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _wait(images: Sequence[float]) -> str:
    """Returns the least and the most images of some models; nothing without any."""
    if not images:
        return ""
    if max(images) == 0:
        return PaybackVerdict.AT_ONCE
    return f"after {wording.span(Interval(min(images), max(images)), wording.count)} images"


def _top1(advice: Advice) -> str:
    """Returns the change of top-1, and what must be said of it."""
    change = advice.accuracy
    if change is None:
        return ""
    points = wording.joined(wording.points(change.delta), wording.points_span(change.interval))
    clause = f"top-1 changes by {points}"
    match advice.caveat:
        case Caveat.ERROR_UNKNOWN:
            return (
                f"{clause}, whose error is unknown, for predictions on the same images are missing"
            )
        case Caveat.LARGER_DROP_POSSIBLE:
            judged = (
                f"{change.models} models" if advice.model is None else f"{change.images:,} images"
            )
            return f"{clause}, and {judged} can't rule out a larger drop than allowed"
    return clause
