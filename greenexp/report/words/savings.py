"""What a tactic saves, in words: a month's dollars and who pays them, and when it pays back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from greenexp.report.words import format as wording
from greenexp.runs.cost import HOURS_PER_MONTH
from greenexp.study.estimates import Interval, Quantity
from greenexp.study.savings import Currency, Occupancy, Payback
from greenexp.study.study import Advice
from greenexp.study.verdicts import PaybackVerdict

UNITS = {"usd": "USD", "kwh": "kWh", "kg_co2e": "kg CO2e", "hours": "hours of computing"}
CURRENCIES: dict[Currency, str] = {"j": "energy", "usd": "dollars", "s": "time"}
ELECTRICITY = "electricity"  # as a run says what its dollars hold


def of_computing(holds: str | None) -> bool:
    """Tells whether dollars are those of hours, which a rented machine costs either way."""
    return holds is not None and holds != ELECTRICITY


def billing(occupancy: Occupancy | None) -> str:
    """Returns on what condition dollars of hours of computing are saved."""
    if occupancy is None:
        return "only if the hours of computing are what is paid"
    hours = wording.number(occupancy.filled * HOURS_PER_MONTH)
    paid = f"only if the {hours} hours of computing are what is paid"
    if occupancy.rent_usd is None:
        return paid
    machines = math.ceil(occupancy.filled)
    rent = f"{wording.number(occupancy.rent_usd * machines)} USD a month"
    if machines < 2:
        return f"{paid}; a rented machine is {rent} either way"
    return f"{paid}; {machines} rented machines are {rent}, and only a whole one less saves any"


def caveat(advice: Advice) -> str:
    """Returns who saves the dollars of a headline; nothing where it has none of hours."""
    return " if paid by use" if short(advice) and of_computing(advice.cost_holds) else ""


def short(advice: Advice) -> str:
    """Returns a month's dollars as a headline has them.

    Nothing where they are unknown, or their interval holds 0.
    """
    usd = wording.saved(advice.saved, "usd")
    if usd is None or (usd.interval is not None and usd.interval.low <= 0 <= usd.interval.high):
        return ""
    amount = f"{wording.number(abs(usd.value))} USD a month"
    return amount if usd.value >= 0 else f"costs {amount} more"


def month(advice: Advice, requests_per_month: float) -> str:
    """Returns a month's dollars, and on what condition; else what else is saved; or nothing."""
    usd = wording.saved(advice.saved, "usd")
    if usd is None:
        return ""
    images = wording.requests(requests_per_month)
    what = "" if of_computing(advice.cost_holds) else " of electricity"
    more = "less" if usd.value >= 0 else "more"
    size = usd if usd.value >= 0 else _negative(usd)
    mean = " on average over the models" if advice.model is None else ""
    clause = f"A month of {images} images costs {_amount(size, 'USD')}{what} {more}{mean}"
    if not of_computing(advice.cost_holds):
        return clause
    return f"{clause}, {billing(advice.occupancy)}"


def besides(advice: Advice, requests_per_month: float) -> str:
    """Returns what a month saves besides dollars, and what it takes more of."""
    saved = {
        unit: wording.saved(advice.saved, name) for name, unit in UNITS.items() if name != "usd"
    }
    known = {unit: amount for unit, amount in saved.items() if amount is not None}
    less = [_amount(amount, unit) for unit, amount in known.items() if amount.value >= 0]
    more = [_amount(_negative(amount), unit) for unit, amount in known.items() if amount.value < 0]
    parts = [f"saves {wording.listing(less)}"] if less else []
    parts += [f"takes {wording.listing(more)} more"] if more else []
    if not parts:
        return ""
    return f"A month of {wording.requests(requests_per_month)} images {' and '.join(parts)}"


def _amount(quantity: Quantity, unit: str) -> str:
    return wording.joined(f"{wording.quantity(quantity)} {unit}", wording.quantity_span(quantity))


def _negative(quantity: Quantity) -> Quantity:
    ends = quantity.interval
    return Quantity(-quantity.value, None if ends is None else Interval(-ends.high, -ends.low))


def pays_back(advice: Advice) -> str:
    """Returns when it pays back on one model."""
    parts = [
        f"{_payback(payback)} in {name}"
        for currency, name in CURRENCIES.items()
        for payback in advice.paybacks.get(currency, ())
    ]
    return f"Applying it pays back {wording.listing(parts)}" if parts else ""


def _payback(payback: Payback) -> str:
    pays = payback.verdict == PaybackVerdict.PAYS_BACK
    return wording.joined(wording.payback(payback), wording.payback_span(payback) if pays else "")


def pays_back_of_models(advice: Advice) -> str:
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
    return f"Applying it pays back {wording.listing(parts)}" if parts else ""


def _wait(images: Sequence[float]) -> str:
    """Returns the least and the most images of some models; nothing without any."""
    if not images:
        return ""
    if max(images) == 0:
        return PaybackVerdict.AT_ONCE
    return f"after {wording.span(Interval(min(images), max(images)), wording.count)} images"
