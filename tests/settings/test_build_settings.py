"""Settings with a type: presets have their origin, and values out of range are refused."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import asdict, fields
from typing import Any

import pytest

from greenexp.cli.schema import Config
from greenexp.errors import BadInput
from greenexp.settings.build import typed
from greenexp.settings.hardware import Carbon, Hardware, Power, Price
from greenexp.settings.sweep import Isolation
from greenexp.settings.workload import ON_INTERFERENCE, Interference, Workload
from tests.support.compositions import OPTIONS, plain

PRESETS = [option for option in OPTIONS if option.startswith("hardware/")]


@pytest.mark.parametrize("option", PRESETS)
def test_preset_price_has_its_origin(option: str) -> None:
    preset = typed(plain(option), "hardware", Hardware)
    price = preset.price
    known = [price.usd_per_hour is not None, price.purchase_usd is not None]
    assert sum(known) <= 1, "rent or purchase, not both"
    if any(known):
        assert price.region
        assert price.source
        assert price.date is not None
        datetime.date.fromisoformat(price.date)
    if price.usd_per_kwh is not None or price.pue > 1:
        assert price.electricity_source
    assert price.electricity_included == (price.usd_per_hour is not None)


@pytest.mark.parametrize("option", PRESETS)
def test_preset_carbon_and_power_have_their_origin(option: str) -> None:
    preset = typed(plain(option), "hardware", Hardware)
    if preset.carbon.g_per_kwh is not None:
        assert preset.carbon.region
        assert preset.carbon.source
        assert preset.carbon.date is not None
        datetime.date.fromisoformat(preset.carbon.date)
    assert (preset.power.cpu_idle_w is None) == (preset.power.source is None)
    assert preset.any_device == (option == "hardware/local")


def test_estimate_takes_the_power_of_the_preset() -> None:
    preset = plain("hardware/aws_c7i_2xlarge")
    estimate = preset["meters"]["cpu_estimate"]
    assert estimate["idle_w"] == preset["hardware"]["power"]["cpu_idle_w"]
    assert estimate["rated_w"] == preset["hardware"]["power"]["cpu_rated_w"]
    assert estimate["cpu"] == preset["hardware"]["cpu"]


@pytest.mark.parametrize("value", ["-1", "-0.001", "nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "key",
    [
        "hardware.price.usd_per_hour",
        "hardware.price.usd_per_kwh",
        "hardware.price.purchase_usd",
        "hardware.price.lifetime_years",
        "hardware.price.pue",
        "hardware.price.utilization",
        "hardware.carbon.g_per_kwh",
        "hardware.power.cpu_idle_w",
        "hardware.power.cpu_rated_w",
    ],
)
def test_prices_out_of_range_are_refused(key: str, value: str) -> None:
    configuration = {"hardware": asdict(Hardware())}
    inner: dict[str, Any] = configuration
    *path, last = key.split(".")
    for name in path:
        inner = inner[name]
    inner[last] = float(value)
    with pytest.raises(BadInput, match=re.escape(f"{key}={float(value)} ")):
        typed(configuration, "hardware", Hardware)


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_override_of_a_price_is_checked(value: str) -> None:
    configuration = plain(None, f"hardware.price.usd_per_hour={value}")
    with pytest.raises(BadInput, match=r"hardware\.price\.usd_per_hour"):
        typed(configuration, "hardware", Hardware)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: Price(utilization=0.0), "price.utilization", id="never used"),
        pytest.param(lambda: Price(utilization=1.01), "price.utilization", id="over used"),
        pytest.param(lambda: Price(pue=0.99), "price.pue", id="pue below 1"),
        pytest.param(lambda: Price(purchase_usd=10.0), "lifetime_years", id="no lifetime"),
        pytest.param(lambda: Price(date="last week"), "price.date", id="date that is none"),
        pytest.param(lambda: Carbon(date="2025-02-30"), "carbon.date", id="day that is none"),
        pytest.param(lambda: Power(cpu_idle_w=1.0), "go together", id="idle without rated"),
        pytest.param(lambda: Power(cpu_rated_w=9.0), "go together", id="rated without idle"),
        pytest.param(lambda: Hardware(gpu="T4"), "go together", id="gpu without count"),
        pytest.param(lambda: Hardware(gpu_count=1), "go together", id="count without gpu"),
        pytest.param(lambda: Workload(batch_size=0), "workload.batch_size", id="empty batch"),
        pytest.param(lambda: Workload(min_windows=0), "workload.min_windows", id="no window"),
        pytest.param(
            lambda: Workload(min_windows=4, max_windows=3),
            r"workload.max_windows=3 .*>= 4",
            id="fewer windows at most than at least",
        ),
        pytest.param(lambda: Workload(half_width=0.0), "workload.half_width=0", id="no width"),
        pytest.param(lambda: Workload(half_width=1.0), "workload.half_width=1", id="all width"),
        pytest.param(
            lambda: Workload(half_width=math.nan),
            "workload.half_width=nan",
            id="width that is none",
        ),
        pytest.param(
            lambda: Workload(half_width=0.01, min_windows=1),
            "half_width=0.01 needs a spread.*min_windows=2",
            id="width of one window",
        ),
        pytest.param(
            lambda: Workload(on_interference="stop"),
            "workload.on_interference=stop .*flag, wait, fail",
            id="unknown reaction",
        ),
        pytest.param(lambda: Config(repetitions=0), "repetitions=0", id="no repetition"),
        pytest.param(
            lambda: Workload(warmup_min_seconds=9.0, warmup_max_seconds=8.0),
            "workload.warmup_max_seconds",
            id="cap below the floor",
        ),
        pytest.param(lambda: Isolation(timeout_s=0.0), "isolation.timeout_s", id="no time"),
        pytest.param(lambda: Config(device="gpu"), "device=gpu", id="unknown device"),
    ],
)
def test_settings_refuse(make: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make()


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf], ids=str)
@pytest.mark.parametrize("key", [field.name for field in fields(Interference)])
def test_limits_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(BadInput, match=re.escape(f"interference.{key}={value} ")):
        typed({"interference": {key: value}}, "interference", Interference)


@pytest.mark.parametrize(
    "key", [field.name for field in fields(Interference) if "None" in str(field.type)]
)
def test_limit_of_none_is_not_judged(key: str) -> None:
    configuration = plain(None, f"interference.{key}=null")
    assert getattr(typed(configuration, "interference", Interference), key) is None


@pytest.mark.parametrize("key", ["steal_pct", "other_processes_pct", "involuntary_switches_per_s"])
def test_limit_of_zero_is_a_limit(key: str) -> None:
    assert getattr(Interference(**{key: 0.0}), key) == 0.0


@pytest.mark.parametrize("word", ON_INTERFERENCE)
def test_reactions_to_interference(word: str) -> None:
    assert plain(None, f"workload.on_interference={word}")["workload"]["on_interference"] == word
    assert Workload(on_interference=word).on_interference == word


def test_one_window_is_enough_where_no_precision_is_asked() -> None:
    assert Workload(min_windows=1, max_windows=1).half_width is None


def test_seconds_that_a_run_lasts_at_least() -> None:
    timed = Workload(
        idle_seconds=2.0, warmup_min_seconds=3.0, min_windows=4, max_windows=9, min_seconds=5.0
    )
    assert timed.at_least_s == 2.0 + 3.0 + 4 * 5.0


def test_free_is_a_price() -> None:
    price = Price(usd_per_hour=0.0, usd_per_kwh=0.0, purchase_usd=0.0, lifetime_years=1.0)
    assert price.usd_per_hour == 0.0
