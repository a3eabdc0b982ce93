"""Dollars and grams: pure arithmetic on seconds, joules and a hardware preset.

machine     = usd_per_hour x hours x share of the instance / utilization of the paid hours
electricity = kWh x PUE x usd_per_kwh, unless the rent includes it
carbon      = kWh x PUE x g_per_kwh
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenexp.settings.device_names import names
from greenexp.settings.hardware import Carbon, Hardware, Price

SECONDS_PER_HOUR = 3600.0
JOULES_PER_KWH = 3.6e6
HOURS_PER_MONTH = 730.0
HOURS_PER_YEAR = 8760.0
QUOTE_MAX_AGE_DAYS = 365


@dataclass(frozen=True)
class Cost:
    """Dollars for some work. A part that is not known, or inside the rent, is None."""

    machine_usd: float | None
    electricity_usd: float | None

    @property
    def total_usd(self) -> float | None:
        """The sum of the parts that are known, None if none is; `holds` says which."""
        known = [usd for usd in (self.machine_usd, self.electricity_usd) if usd is not None]
        return sum(known) if known else None

    @property
    def holds(self) -> str | None:
        """Which parts the total holds: `machine+electricity`, one of them, or None for none."""
        parts = {"machine": self.machine_usd, "electricity": self.electricity_usd}
        return "+".join(name for name, usd in parts.items() if usd is not None) or None


def hourly_usd(price: Price) -> float | None:
    """Returns USD for one hour of the whole instance, before utilization; None if unknown."""
    if price.usd_per_hour is not None:
        return price.usd_per_hour
    if price.purchase_usd is not None and price.lifetime_years is not None:
        return price.purchase_usd / (price.lifetime_years * HOURS_PER_YEAR)
    return None


def month_usd(price: Price, share: float) -> float | None:
    """Returns USD for a share of the instance over a month by the hour; None if unknown."""
    hourly = hourly_usd(price)
    return None if hourly is None else hourly * share * HOURS_PER_MONTH


def cost(price: Price, *, seconds: float, energy_j: float | None, share: float) -> Cost:
    """Returns what some work costs.

    Args:
        price: of the instance and its electricity.
        seconds: how long the work holds the machine.
        energy_j: gross joules it takes, None if not measured.
        share: fraction of the instance's devices that the work holds, 0 < share <= 1.
    """
    hourly = hourly_usd(price)
    machine = (
        None if hourly is None else hourly * seconds / SECONDS_PER_HOUR * share / price.utilization
    )
    electricity: float | None
    if price.electricity_included or energy_j is None or price.usd_per_kwh is None:
        electricity = None
    else:
        electricity = energy_j / JOULES_PER_KWH * price.pue * price.usd_per_kwh
    return Cost(machine, electricity)


def carbon_g(carbon: Carbon, *, pue: float, energy_j: float | None) -> float | None:
    """Returns grams of CO2e, None where energy or intensity is unknown."""
    if energy_j is None or carbon.g_per_kwh is None:
        return None
    return energy_j / JOULES_PER_KWH * pue * carbon.g_per_kwh


def share(hardware: Hardware, device: str) -> float:
    """Returns the fraction of the instance that a run on one device holds."""
    return 1 / hardware.gpu_count if device == "cuda" and hardware.gpu_count else 1.0


def matches(hardware: Hardware, *, device: str, cpu: str, gpus: Sequence[str]) -> bool:
    """Tells whether a run's machine is the one that the preset prices.

    Args:
        hardware: the preset; its names are matched as whole words.
        device: where the run computed, cpu or cuda.
        cpu: the model name of the processor.
        gpus: the names of the GPUs used.
    """
    if hardware.any_device:
        return True
    if hardware.gpu is not None:
        return device == "cuda" and bool(gpus) and all(names(hardware.gpu, gpu) for gpu in gpus)
    return device == "cpu" and (hardware.cpu is None or names(hardware.cpu, cpu))


RENT = tuple(f"hardware.price.{name}" for name in ("usd_per_hour", "purchase_usd", "date"))


def stale_quote(price: Price, today: datetime.date, overrides: Iterable[str] = ()) -> str | None:
    """Returns a warning where the quote is over a year old, else None.

    Args:
        price: as it was composed.
        today: the day.
        overrides: of the command line, as `key=value`; a price given there is today's.
    """
    given = {override.lstrip("+").partition("=")[0] for override in overrides}
    if price.date is None or hourly_usd(price) is None or given.intersection(RENT):
        return None
    age_days = (today - datetime.date.fromisoformat(price.date)).days
    if age_days <= QUOTE_MAX_AGE_DAYS:
        return None
    return (
        f"the price of hardware was quoted on {price.date}, {age_days} days ago; "
        "give today's with hardware.price.usd_per_hour=…"
    )
