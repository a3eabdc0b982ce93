"""The estimates of a made-up study: its quantities, effects, savings and paybacks."""

from __future__ import annotations

import math
from collections.abc import Mapping

from greenexp.quantities import COST, ENERGY, LATENCY
from greenexp.study.estimates import Effect, Interval, Quantity
from greenexp.study.savings import Currency, Payback
from greenexp.study.verdicts import PaybackVerdict, Verdict

FLOOR = 0.024
USD_PER_J = 0.21 / 3.6e6


def quantities(
    millions: float,
    joules: float,
    latency_ms: float,
    top1: float,
    price: tuple[float, float] | None,
    blocks: int,
) -> dict[str, Quantity]:
    usd = joules * USD_PER_J * 1e6
    spread = {
        ENERGY: joules,
        LATENCY: latency_ms,
        COST: usd,
        "carbon/g_per_million_images": joules / 3.6 * 380.0,
        "throughput/images_per_s": 1000.0 / latency_ms,
    }
    exact = {
        "complexity/parameters": millions * 1e6,
        "complexity/macs": millions * 2e8,
        "complexity/weights_mib": millions * 3.8,
    }
    if price is not None:
        spread["optimization/energy_j"], spread["optimization/time_s"] = price
        spread["optimization/cost_usd"] = price[0] * USD_PER_J
    return {
        **{name: Quantity(value, around(value, 0.015, blocks)) for name, value in spread.items()},
        **{name: Quantity(value) for name, value in exact.items()},
        "accuracy/top1": Quantity(top1, Interval(top1 - 0.011, top1 + 0.011)),
    }


def around(value: float, relative: float, blocks: int) -> Interval | None:
    return Interval(value * (1 - relative), value * (1 + relative)) if blocks > 1 else None


def effect(ratio: float, relative: float, units: int, floor: float | None = FLOOR) -> Effect:
    if units < 2:
        return Effect(ratio=ratio, units=units, floor=floor)
    low, high = ratio / (1 + relative), ratio * (1 + relative)
    verdict = Verdict.NOT_SHOWN
    if high < 1 - FLOOR:
        verdict = Verdict.LOWER
    elif low > 1 + FLOOR:
        verdict = Verdict.HIGHER
    told = verdict != Verdict.NOT_SHOWN
    return Effect(
        ratio=ratio,
        units=units,
        interval=Interval(low, high),
        p_value=0.0078 if told else 0.41,
        adjusted_p=0.031 if told else 1.0,
        test="paired permutation",
        cliffs_delta=-1.0 if verdict == Verdict.LOWER else 1.0 if told else 0.1,
        detectable=0.03,
        floor=floor,
        verdict=verdict,
    )


def noise(models: int, blocks: int) -> Effect:
    return effect(1.002, 0.02, models * blocks)


def saving(baseline: float, effect: Effect) -> Quantity:
    """Returns what is saved an image."""
    if effect.interval is None:
        return Quantity(baseline * (1 - effect.ratio))
    interval = Interval(baseline * (1 - effect.interval.high), baseline * (1 - effect.interval.low))
    return Quantity(baseline * (1 - effect.ratio), interval)


def scaled(quantity: Quantity, factor: float) -> Quantity:
    interval = quantity.interval
    return Quantity(
        quantity.value * factor,
        interval and Interval(interval.low * factor, interval.high * factor),
    )


def paybacks(
    joules: float, effects: Mapping[str, Effect], price_j: float, price_s: float
) -> dict[Currency, Payback]:
    saved_j = saving(joules, effects[ENERGY])
    return {
        "j": payback("j", price_j, saved_j),
        "usd": payback("usd", price_j * USD_PER_J, scaled(saved_j, USD_PER_J)),
        "s": payback("s", price_s, saving(0.012 * joules, effects[LATENCY])),
    }


def payback(currency: Currency, price: float, saving: Quantity) -> Payback:
    images = price / saving.value if saving.value > 0 else None
    interval = None
    verdict = PaybackVerdict.ONE_BLOCK
    if saving.interval is not None:
        low, high = saving.interval.low, saving.interval.high
        interval = Interval(
            price / high if high > 0 else math.inf, price / low if low > 0 else math.inf
        )
        repaid = PaybackVerdict.PAYS_BACK if price else PaybackVerdict.AT_ONCE
        verdict = PaybackVerdict.NEVER if low <= 0 else repaid
    return Payback(currency, price, saving.value, saving.interval, images, interval, verdict)
