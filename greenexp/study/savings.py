"""What a tactic saves, when it pays back, and what serving costs, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from greenexp.study.estimates import Interval, Quantity
from greenexp.study.verdicts import PaybackVerdict

Currency = Literal["j", "usd", "s"]


@dataclass(frozen=True)
class Payback:
    """When applying a tactic has paid for itself, in one currency.

    Attributes:
        currency: joules, dollars or seconds.
        price: of applying the tactic once.
        saving: per image, against the baseline; negative where the tactic takes more.
        saving_interval: None below two blocks.
        images: break-even N at the point estimates; None where nothing is saved.
        interval: of N; its `high` is infinite where the saving can't be told from none; None below
            two blocks.
        verdict: what may be claimed.
    """

    currency: Currency
    price: float
    saving: float
    saving_interval: Interval | None
    images: float | None
    interval: Interval | None
    verdict: PaybackVerdict


@dataclass(frozen=True)
class Monthly:
    """What a tactic saves in a month of `requests_per_month` images; negative: it takes more."""

    kwh: Quantity | None
    usd: Quantity | None
    kg_co2e: Quantity | None
    hours: Quantity | None


@dataclass(frozen=True)
class Occupancy:
    """How much of a machine the requests take; savings are of computing seconds alone.

    Attributes:
        filled: of a month, the fraction that the baseline computes; above 1 for several machines.
        rent_usd: of a month by the hour, which no tactic changes; None where it is unknown.
    """

    filled: float
    rent_usd: float | None


@dataclass(frozen=True)
class Bill:
    """What serving costs over the months asked about, in dollars, applying the tactic included."""

    total_usd: Quantity
    baseline_usd: Quantity


@dataclass(frozen=True)
class Sensitivity:
    """The dollars (or kg CO2e, for carbon) saved a month when one price is another.

    Attributes:
        name: what is varied: electricity, rent, PUE, carbon.
        unit: of `values`.
        values: the price tried.
        saved: what a month then saves, for each value.
        saved_unit: USD or kg CO2e.
    """

    name: str
    unit: str
    values: Sequence[float]
    saved: Sequence[float]
    saved_unit: str
