"""Break-even, monthly savings and bills: pure arithmetic on seconds and joules of blocks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from greenexp.runs import cost as money
from greenexp.settings.hardware import Hardware
from greenexp.stats.intervals import mean, t_quantile
from greenexp.study.estimates import Interval, Quantity
from greenexp.study.means import above_zero, quantity
from greenexp.study.savings import Bill, Currency, Monthly, Occupancy, Payback, Sensitivity
from greenexp.study.verdicts import PaybackVerdict

MILLION = 1e6
G_PER_KG = 1e3
FACTORS = (0.5, 1.0, 2.0)  # of the present price
PUES = (1.0, 1.2, 1.5, 2.0)


@dataclass(frozen=True)
class Expense:
    """What an image, or applying a tactic, takes of one run.

    Attributes:
        seconds: that the device is held.
        joules: gross; None where no energy was measured.
    """

    seconds: float
    joules: float | None = None


@dataclass(frozen=True)
class Prices:
    """A machine and the share of it that a run holds."""

    hardware: Hardware
    share: float = 1.0

    def usd(self, spent: Expense) -> float | None:
        """Returns dollars, None where no part is known; see `cost.Cost`."""
        return self._cost(spent).total_usd

    def holds(self, spent: Expense) -> str | None:
        """Returns which parts the dollars hold, see `cost.Cost`."""
        return self._cost(spent).holds

    def grams(self, spent: Expense) -> float | None:
        """Returns g CO2e, None where energy or intensity is unknown."""
        pue = self.hardware.price.pue
        return money.carbon_g(self.hardware.carbon, pue=pue, energy_j=spent.joules)

    def _cost(self, spent: Expense) -> money.Cost:
        return money.cost(
            self.hardware.price, seconds=spent.seconds, energy_j=spent.joules, share=self.share
        )


@dataclass(frozen=True)
class Pair:
    """A tactic and the baseline of the same block: an image of each, and applying the tactic."""

    image: Expense
    baseline: Expense
    applying: Expense


def paybacks(pairs: Sequence[Pair], prices: Prices) -> dict[Currency, Payback]:
    """Returns break-even in joules, dollars and seconds, as far as each is known of all pairs."""
    of: dict[Currency, Callable[[Expense], float | None]] = {
        "j": lambda spent: spent.joules,
        "usd": prices.usd,
        "s": lambda spent: spent.seconds,
    }
    break_evens: dict[Currency, Payback] = {}
    for currency, taken in of.items():
        if currency == "usd" and not _alike(pairs, prices):
            continue
        applying = [taken(pair.applying) for pair in pairs]
        saving = [_less(taken(pair.baseline), taken(pair.image)) for pair in pairs]
        known = [(a, s) for a, s in zip(applying, saving, strict=True) if None not in (a, s)]
        if known and len(known) == len(pairs):
            break_evens[currency] = payback(currency, *zip(*known, strict=True))
    return break_evens


def payback(currency: Currency, prices: Sequence[float], savings: Sequence[float]) -> Payback:
    """Returns after how many images a tactic has paid for itself.

    Args:
        currency: of both.
        prices: of applying it, a block each.
        savings: per image, of the same blocks.
    """
    price, saving = mean(prices), mean(savings)
    images = price / saving if saving > 0 else None
    per_image = quantity(savings)
    interval = per_image.interval if per_image is not None else None
    if interval is None:
        return Payback(currency, price, saving, None, images, None, PaybackVerdict.ONE_BLOCK)
    if interval.low <= 0:
        lowest = fieller(prices, savings)
        until_never = None if lowest is None else Interval(lowest.low, math.inf)
        return Payback(currency, price, saving, interval, None, until_never, PaybackVerdict.NEVER)
    if price <= 0:
        at_once = Interval(0.0, 0.0)
        return Payback(currency, price, saving, interval, 0.0, at_once, PaybackVerdict.AT_ONCE)
    of_images = fieller(prices, savings)
    return Payback(currency, price, saving, interval, images, of_images, PaybackVerdict.PAYS_BACK)


def fieller(prices: Sequence[float], savings: Sequence[float]) -> Interval | None:
    """Returns the 95 % interval of mean price by mean saving, paired, at 0 or above.

    Fieller, 1954, JRSS B 16:175: the ratios N for which price - N x saving can't be told from 0 by
    Student's t. It has no upper end where the saving can't be told from 0. None where no
    ratio above 0 is in it, or there are fewer than two pairs.
    """
    count = len(prices)
    if count < 2:
        return None
    price, saving = mean(prices), mean(savings)
    covariance = np.cov(prices, savings) / count
    square = t_quantile(count - 1) ** 2
    # Products, not powers of 2: `**` isn't rounded exactly, and cents would differ from dollars.
    a = saving * saving - square * float(covariance[1, 1])
    b = price * saving - square * float(covariance[0, 1])
    c = price * price - square * float(covariance[0, 0])
    if a == 0.0 and b > 0:  # a line: c - 2 b N <= 0
        return Interval(max(c / (2 * b), 0.0), math.inf)
    if a == 0.0:
        return Interval(0.0, c / (2 * b) if b < 0 else math.inf) if c <= 0 else None
    inside = b * b - a * c
    if a > 0:
        root = math.sqrt(max(inside, 0.0))
        low, high = (b - root) / a, (b + root) / a
        return Interval(max(low, 0.0), high) if high >= 0 else None
    if c <= 0 or inside < 0:  # 0 images are in it, and so is every number
        return Interval(0.0, math.inf)
    return Interval((b - math.sqrt(inside)) / a, math.inf)


def monthly(pairs: Sequence[Pair], prices: Prices, requests_per_month: float) -> Monthly:
    """Returns what a month of requests saves against the baseline, one image a request.

    Kilowatt-hours are the device's, before PUE; dollars and carbon hold it.
    """

    def saved(taken: Callable[[Expense], float | None], per: float) -> Quantity | None:
        per_image = [_less(taken(pair.baseline), taken(pair.image)) for pair in pairs]
        return quantity(
            [None if saving is None else saving * requests_per_month / per for saving in per_image]
        )

    return Monthly(
        kwh=saved(lambda spent: spent.joules, money.JOULES_PER_KWH),
        usd=saved(prices.usd, 1.0),
        kg_co2e=saved(prices.grams, G_PER_KG),
        hours=saved(lambda spent: spent.seconds, money.SECONDS_PER_HOUR),
    )


def occupancy(pairs: Sequence[Pair], prices: Prices, requests_per_month: float) -> Occupancy:
    """Returns how much of a machine the requests take under the baseline, one image a request."""
    per_image_s = mean([pair.baseline.seconds for pair in pairs])
    seconds_per_month = money.HOURS_PER_MONTH * money.SECONDS_PER_HOUR
    return Occupancy(
        filled=per_image_s * requests_per_month / seconds_per_month,
        rent_usd=money.month_usd(prices.hardware.price, prices.share),
    )


def bill(
    pairs: Sequence[Pair], prices: Prices, requests_per_month: float, months: float
) -> Bill | None:
    """Returns the dollars of serving for some months with the tactic, applied once, and without.

    None where dollars are unknown, or hold other parts of applying than of images.
    """
    if not _alike(pairs, prices):
        return None
    images = requests_per_month * months
    total = quantity(
        [_plus(prices.usd(pair.applying), _times(prices.usd(pair.image), images)) for pair in pairs]
    )
    baseline = quantity([_times(prices.usd(pair.baseline), images) for pair in pairs])
    if total is None or baseline is None:
        return None
    return Bill(above_zero(total), above_zero(baseline))


def sensitivities(
    pairs: Sequence[Pair], prices: Prices, requests_per_month: float
) -> list[Sensitivity]:
    """Returns what a month saves when one price at a time is another, others as they are."""
    hardware = prices.hardware
    price, carbon = hardware.price, hardware.carbon
    hourly = money.hourly_usd(price)
    tried: list[tuple[str, str, list[tuple[float, Hardware]], str]] = []
    if price.usd_per_kwh is not None and not price.electricity_included:
        for name, unit, key, values in (
            ("electricity", "USD/kWh", "usd_per_kwh", _around(price.usd_per_kwh)),
            ("PUE", "ratio", "pue", list(PUES)),
        ):
            tried.append((name, unit, [(v, _priced(hardware, key, v)) for v in values], "USD"))
    if hourly is not None:
        varied = [(value, _priced(hardware, "usd_per_hour", value)) for value in _around(hourly)]
        tried.append(("machine", "USD/h", varied, "USD"))
    if carbon.g_per_kwh is not None:
        varied = [(value, _emitting(hardware, value)) for value in _around(carbon.g_per_kwh)]
        tried.append(("carbon intensity", "g CO2e/kWh", varied, "kg CO2e"))
    # Dollars and grams are linear in seconds and joules, so the mean over blocks is priced.
    image = _mean([pair.image for pair in pairs])
    baseline = _mean([pair.baseline for pair in pairs])
    results = []
    for name, unit, varied, saved_unit in tried:
        saved = [
            _saved(image, baseline, Prices(other, prices.share), saved_unit, requests_per_month)
            for _, other in varied
        ]
        known = [value for value in saved if value is not None]
        if len(known) == len(varied):
            values = [value for value, _ in varied]
            results.append(Sensitivity(name, unit, values, known, saved_unit))
    return results


def _alike(pairs: Sequence[Pair], prices: Prices) -> bool:
    """Tells whether the dollars of applying a tactic hold the parts that those of an image hold."""
    return all(prices.holds(pair.applying) == prices.holds(pair.image) for pair in pairs)


def _around(present: float) -> list[float]:
    return [present * factor for factor in FACTORS]


def _mean(spent: Sequence[Expense]) -> Expense:
    joules = [expense.joules for expense in spent if expense.joules is not None]
    complete = len(joules) == len(spent)
    return Expense(mean([expense.seconds for expense in spent]), mean(joules) if complete else None)


def _saved(
    image: Expense, baseline: Expense, prices: Prices, unit: str, requests_per_month: float
) -> float | None:
    """Returns the dollars, or kg CO2e, that a month saves."""
    taken, per = (prices.usd, 1.0) if unit == "USD" else (prices.grams, G_PER_KG)
    saved = _less(taken(baseline), taken(image))
    return None if saved is None else saved * requests_per_month / per


def _priced(hardware: Hardware, key: str, value: float) -> Hardware:
    changed: dict[str, Any] = {key: value}
    return dataclasses.replace(hardware, price=dataclasses.replace(hardware.price, **changed))


def _emitting(hardware: Hardware, g_per_kwh: float) -> Hardware:
    carbon = dataclasses.replace(hardware.carbon, g_per_kwh=g_per_kwh)
    return dataclasses.replace(hardware, carbon=carbon)


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _plus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value + other


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
