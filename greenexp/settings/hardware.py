"""A machine and its prices: the settings of the group `hardware`."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from greenexp.errors import BadInput
from greenexp.settings.checks import check_range


@dataclass
class Price:
    """What the machine and its electricity cost. US dollars; None means unknown.

    Rent is `usd_per_hour`. For owned hardware it may be derived instead from `purchase_usd`
    spread over `lifetime_years`. Either is divided by `utilization`.
    """

    usd_per_hour: float | None = None  # rent of the whole instance, USD/h
    electricity_included: bool = False  # True: the rent pays the electricity too
    utilization: float = 1.0  # fraction of the paid hours spent serving, 0 < u <= 1
    purchase_usd: float | None = None  # price of the owned machine, USD
    lifetime_years: float | None = None  # years over which the purchase is written off
    usd_per_kwh: float | None = None  # electricity, USD/kWh
    pue: float = 1.0  # power usage effectiveness of the building, >= 1
    region: str | None = None  # where the quote holds
    date: str | None = None  # ISO date of the quote (YYYY-MM-DD)
    source: str | None = None  # where the price was read
    electricity_source: str | None = None  # where USD/kWh and PUE were read

    def __post_init__(self) -> None:
        check_range("hardware.price.usd_per_hour", self.usd_per_hour, at_least=0)
        check_range("hardware.price.utilization", self.utilization, above=0, at_most=1)
        check_range("hardware.price.purchase_usd", self.purchase_usd, at_least=0)
        check_range("hardware.price.lifetime_years", self.lifetime_years, above=0)
        check_range("hardware.price.usd_per_kwh", self.usd_per_kwh, at_least=0)
        check_range("hardware.price.pue", self.pue, at_least=1)
        _check_date("hardware.price.date", self.date)
        if self.electricity_included and self.usd_per_hour is None:
            raise BadInput(
                "hardware.price.electricity_included=true says that a rent pays the electricity, "
                "and no rent is given; give hardware.price.usd_per_hour=…"
            )
        if self.purchase_usd is not None and self.lifetime_years is None:
            raise BadInput(
                "hardware.price.purchase_usd is given without hardware.price.lifetime_years; "
                "give the years over which the machine is written off"
            )


@dataclass
class Carbon:
    """Carbon intensity of the electricity, location-based."""

    g_per_kwh: float | None = None  # grams of CO2e per kWh
    region: str | None = None
    date: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("hardware.carbon.g_per_kwh", self.g_per_kwh, at_least=0)
        _check_date("hardware.carbon.date", self.date)


@dataclass
class Power:
    """Power of the CPU this preset describes, for the estimate where no counter exists."""

    cpu_idle_w: float | None = None  # W at zero utilization
    cpu_rated_w: float | None = None  # W at full utilization
    source: str | None = None

    def __post_init__(self) -> None:
        check_range("hardware.power.cpu_idle_w", self.cpu_idle_w, at_least=0)
        check_range("hardware.power.cpu_rated_w", self.cpu_rated_w, above=0)
        if (self.cpu_idle_w is None) != (self.cpu_rated_w is None):
            raise BadInput(
                "hardware.power.cpu_idle_w and hardware.power.cpu_rated_w go together; "
                "give both or neither"
            )


@dataclass
class Hardware:
    """A machine and its prices. `gpu` and `cpu` are words its device names must contain."""

    description: str = "unnamed"
    gpu: str | None = None  # e.g. "A10G"; None: no GPU is priced
    gpu_count: int = 0  # GPUs in the priced instance
    cpu: str | None = None  # e.g. "Xeon Platinum 8488C"; None: any CPU
    any_device: bool = False  # True: prices hold for whatever machine runs (hardware=local)
    price: Price = field(default_factory=Price)
    carbon: Carbon = field(default_factory=Carbon)
    power: Power = field(default_factory=Power)

    def __post_init__(self) -> None:
        check_range("hardware.gpu_count", self.gpu_count, at_least=0)
        if (self.gpu is None) != (self.gpu_count == 0):
            raise BadInput("hardware.gpu and hardware.gpu_count go together; give both or neither")


def _check_date(key: str, value: str | None) -> None:
    try:
        datetime.date.fromisoformat(value or "2000-01-01")
    except ValueError:
        raise BadInput(f"{key}={value} is no date; allowed: YYYY-MM-DD") from None
