"""Dollars and grams: known answers, and the laws they obey."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.runs.cost import Cost, carbon_g, cost, hourly_usd, matches, share, stale_quote
from greenexp.settings.hardware import Carbon, Hardware, Price

HOUR_S = 3600.0
KWH_J = 3.6e6

amounts = st.floats(1e-3, 1e6)
factors = st.floats(1e-3, 1e3)
prices = st.builds(
    Price,
    usd_per_hour=st.floats(1e-3, 100.0),
    usd_per_kwh=st.floats(1e-3, 10.0),
    utilization=st.floats(0.01, 1.0),
    pue=st.floats(1.0, 3.0),
)


def total(price: Price, *, seconds: float, energy_j: float) -> float:
    usd = cost(price, seconds=seconds, energy_j=energy_j, share=1.0).total_usd
    assert usd is not None
    return usd


@pytest.mark.parametrize(
    ("price", "energy_j", "usd"),
    [
        pytest.param(Price(usd_per_kwh=0.25, pue=1.2), KWH_J, 0.30, id="electricity with PUE"),
        pytest.param(Price(usd_per_hour=0.80), None, 0.80, id="an hour's rent"),
        pytest.param(Price(usd_per_hour=0.80, utilization=0.25), None, 3.20, id="a quarter used"),
        pytest.param(
            Price(usd_per_hour=0.80, usd_per_kwh=0.25, pue=1.2), KWH_J, 1.10, id="rent and power"
        ),
        pytest.param(
            Price(usd_per_hour=0.80, usd_per_kwh=0.25, electricity_included=True),
            KWH_J,
            0.80,
            id="power inside the rent",
        ),
        pytest.param(
            Price(purchase_usd=8760.0, lifetime_years=4.0, utilization=0.25),
            None,
            1.00,
            id="owned: 0.25 USD/h, a quarter used",
        ),
        pytest.param(Price(usd_per_hour=0.0, usd_per_kwh=0.0), KWH_J, 0.0, id="free, not unknown"),
    ],
)
def test_cost_of_an_hour(price: Price, energy_j: float | None, usd: float) -> None:
    assert cost(price, seconds=HOUR_S, energy_j=energy_j, share=1.0).total_usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("price", "energy_j", "expected"),
    [
        pytest.param(Price(), KWH_J, Cost(None, None), id="no price"),
        pytest.param(Price(usd_per_kwh=0.2), None, Cost(None, None), id="no energy"),
        pytest.param(Price(usd_per_hour=2.0), KWH_J, Cost(2.0, None), id="no electricity price"),
        pytest.param(Price(lifetime_years=4.0), None, Cost(None, None), id="lifetime, no purchase"),
    ],
)
def test_absent_stays_none(price: Price, energy_j: float | None, expected: Cost) -> None:
    assert cost(price, seconds=HOUR_S, energy_j=energy_j, share=1.0) == expected


@pytest.mark.parametrize(
    ("parts", "usd", "holds"),
    [
        pytest.param(Cost(1.0, 0.5), 1.5, "machine+electricity", id="both"),
        pytest.param(Cost(1.0, None), 1.0, "machine", id="machine"),
        pytest.param(Cost(None, 0.5), 0.5, "electricity", id="electricity"),
        pytest.param(Cost(0.0, None), 0.0, "machine", id="free machine"),
        pytest.param(Cost(None, None), None, None, id="nothing"),
    ],
)
def test_total_says_what_it_holds(parts: Cost, usd: float | None, holds: str | None) -> None:
    assert parts.total_usd == usd
    assert parts.holds == holds


@given(prices, amounts, amounts, factors)
def test_linear_in_time_and_energy_together(
    price: Price, seconds: float, energy_j: float, factor: float
) -> None:
    once = total(price, seconds=seconds, energy_j=energy_j)
    scaled = total(price, seconds=factor * seconds, energy_j=factor * energy_j)
    assert scaled == pytest.approx(factor * once, rel=1e-9)


@given(prices, amounts, amounts, amounts)
def test_machine_is_linear_in_seconds(
    price: Price, first_s: float, second_s: float, energy_j: float
) -> None:
    parts = [cost(price, seconds=s, energy_j=energy_j, share=1.0) for s in (first_s, second_s)]
    whole = cost(price, seconds=first_s + second_s, energy_j=energy_j, share=1.0)
    assert whole.machine_usd == pytest.approx(sum(p.machine_usd or 0 for p in parts), rel=1e-9)
    assert whole.electricity_usd == parts[0].electricity_usd


@given(prices, amounts, amounts, amounts)
def test_electricity_is_linear_in_joules(
    price: Price, seconds: float, first_j: float, second_j: float
) -> None:
    parts = [cost(price, seconds=seconds, energy_j=j, share=1.0) for j in (first_j, second_j)]
    whole = cost(price, seconds=seconds, energy_j=first_j + second_j, share=1.0)
    assert whole.electricity_usd == pytest.approx(
        sum(p.electricity_usd or 0 for p in parts), rel=1e-9
    )
    assert whole.machine_usd == parts[0].machine_usd


@pytest.mark.parametrize("field", ["usd_per_hour", "usd_per_kwh", "pue"])
@given(price=prices, seconds=amounts, energy_j=amounts, factor=st.floats(1.01, 100.0))
def test_dearer_costs_more(
    field: str, price: Price, seconds: float, energy_j: float, factor: float
) -> None:
    dearer = replace(price, **{field: factor * getattr(price, field)})
    before = cost(price, seconds=seconds, energy_j=energy_j, share=1.0)
    after = cost(dearer, seconds=seconds, energy_j=energy_j, share=1.0)
    raised, kept = (
        ("machine_usd", "electricity_usd")
        if field == "usd_per_hour"
        else ("electricity_usd", "machine_usd")
    )
    assert getattr(after, raised) > getattr(before, raised)
    assert getattr(after, kept) == getattr(before, kept)


@given(prices, amounts, amounts)
def test_half_the_utilization_doubles_the_machine(
    price: Price, seconds: float, energy_j: float
) -> None:
    halved = replace(price, utilization=price.utilization / 2)
    before = cost(price, seconds=seconds, energy_j=energy_j, share=1.0)
    after = cost(halved, seconds=seconds, energy_j=energy_j, share=1.0)
    assert after.machine_usd == pytest.approx(2 * (before.machine_usd or 0))
    assert after.electricity_usd == before.electricity_usd


@given(prices, amounts, amounts)
def test_included_electricity_counts_once(price: Price, seconds: float, energy_j: float) -> None:
    included = replace(price, electricity_included=True)
    after = cost(included, seconds=seconds, energy_j=energy_j, share=1.0)
    assert after.electricity_usd is None
    assert after.total_usd == cost(price, seconds=seconds, energy_j=None, share=1.0).total_usd


@given(prices, amounts, amounts, st.integers(1, 16))
def test_a_share_pays_its_part_of_the_machine_and_all_its_energy(
    price: Price, seconds: float, energy_j: float, count: int
) -> None:
    whole = cost(price, seconds=seconds, energy_j=energy_j, share=1.0)
    part = cost(price, seconds=seconds, energy_j=energy_j, share=1 / count)
    assert part.machine_usd == pytest.approx((whole.machine_usd or 0) / count)
    assert part.electricity_usd == whole.electricity_usd


@pytest.mark.parametrize(
    ("preset", "device", "fraction"),
    [
        pytest.param(Hardware(gpu="T4", gpu_count=1), "cuda", 1.0, id="the only GPU"),
        pytest.param(Hardware(gpu="H100", gpu_count=8), "cuda", 1 / 8, id="one of eight"),
        pytest.param(Hardware(gpu="H100", gpu_count=8), "cpu", 1.0, id="cpu beside eight"),
        pytest.param(Hardware(), "cpu", 1.0, id="no GPU"),
        pytest.param(Hardware(any_device=True), "cuda", 1.0, id="GPU that is not priced"),
    ],
)
def test_share(preset: Hardware, device: str, fraction: float) -> None:
    assert share(preset, device) == fraction


@pytest.mark.parametrize(
    ("price", "usd"),
    [
        pytest.param(Price(usd_per_hour=1.5), 1.5, id="rent"),
        pytest.param(Price(purchase_usd=8760.0, lifetime_years=2.0), 0.5, id="write-off"),
        pytest.param(
            Price(usd_per_hour=1.5, purchase_usd=8760.0, lifetime_years=2.0), 1.5, id="rent wins"
        ),
        pytest.param(Price(usd_per_hour=1.5, utilization=0.1), 1.5, id="before utilization"),
        pytest.param(Price(), None, id="unknown"),
    ],
)
def test_hourly_usd(price: Price, usd: float | None) -> None:
    assert hourly_usd(price) == usd


@pytest.mark.parametrize(
    ("carbon", "energy_j", "grams"),
    [
        pytest.param(Carbon(g_per_kwh=400.0), KWH_J, 480.0, id="1 kWh at PUE 1.2"),
        pytest.param(Carbon(g_per_kwh=0.0), KWH_J, 0.0, id="clean grid, not unknown"),
        pytest.param(Carbon(g_per_kwh=400.0), None, None, id="no energy"),
        pytest.param(Carbon(), KWH_J, None, id="no intensity"),
    ],
)
def test_carbon(carbon: Carbon, energy_j: float | None, grams: float | None) -> None:
    assert carbon_g(carbon, pue=1.2, energy_j=energy_j) == pytest.approx(grams)


@given(amounts, factors)
def test_carbon_is_linear_in_joules(energy_j: float, factor: float) -> None:
    carbon = Carbon(g_per_kwh=369.0)
    once = carbon_g(carbon, pue=1.1, energy_j=energy_j)
    assert once is not None
    assert carbon_g(carbon, pue=1.1, energy_j=factor * energy_j) == pytest.approx(factor * once)


L4 = Hardware(gpu="L4", gpu_count=1)
XEON = Hardware(cpu="8488C")


@pytest.mark.parametrize(
    ("preset", "device", "cpu", "gpus", "same"),
    [
        pytest.param(L4, "cuda", "any", ["NVIDIA L4"], True, id="the GPU"),
        pytest.param(L4, "cuda", "any", ["nvidia l4"], True, id="whatever case"),
        pytest.param(L4, "cuda", "any", ["NVIDIA L40S"], False, id="L4 is no L40S"),
        pytest.param(L4, "cuda", "any", ["NVIDIA L40"], False, id="L4 is no L40"),
        pytest.param(L4, "cuda", "any", ["NVIDIA L4", "NVIDIA L40S"], False, id="one other GPU"),
        pytest.param(L4, "cuda", "any", [], False, id="GPU whose name is not known"),
        pytest.param(L4, "cpu", "any", ["NVIDIA L4"], False, id="GPU priced, CPU used"),
        pytest.param(
            Hardware(gpu="A100", gpu_count=1),
            "cuda",
            "any",
            ["NVIDIA A100-SXM4-80GB"],
            True,
            id="word before a hyphen",
        ),
        pytest.param(
            Hardware(gpu="T4", gpu_count=1), "cuda", "any", ["NVIDIA T400"], False, id="T4, T400"
        ),
        pytest.param(
            XEON, "cpu", "Intel(R) Xeon(R) Platinum 8488C", [], True, id="the CPU by its word"
        ),
        pytest.param(XEON, "cpu", "AMD EPYC 7R13", [], False, id="another CPU"),
        pytest.param(XEON, "cpu", "", [], False, id="CPU whose name is not known"),
        pytest.param(XEON, "cuda", "Xeon 8488C", ["NVIDIA L4"], False, id="CPU priced, GPU used"),
        pytest.param(Hardware(), "cpu", "AMD EPYC 7R13", [], True, id="any CPU"),
        pytest.param(
            Hardware(cpu="Core(TM) i7"), "cpu", "Core(TM) i7-1185G7", [], True, id="signs in words"
        ),
        pytest.param(Hardware(any_device=True), "cuda", "any", ["X"], True, id="any device"),
    ],
)
def test_matches_whole_words(
    preset: Hardware, device: str, cpu: str, gpus: list[str], same: bool
) -> None:
    assert matches(preset, device=device, cpu=cpu, gpus=gpus) is same


QUOTED = datetime.date(2025, 1, 1)


@pytest.mark.parametrize(
    ("days", "stale"),
    [
        pytest.param(0, False, id="today"),
        pytest.param(365, False, id="a year"),
        pytest.param(366, True, id="a day more"),
        pytest.param(-30, False, id="dated ahead"),
    ],
)
def test_stale_quote(days: int, stale: bool) -> None:
    price = Price(usd_per_hour=1.0, date=QUOTED.isoformat())
    warning = stale_quote(price, QUOTED + datetime.timedelta(days=days))
    assert (warning is not None) is stale
    if warning is not None:
        assert "2025-01-01" in warning
        assert f"{days} days" in warning
        assert "hardware.price.usd_per_hour=" in warning


@pytest.mark.parametrize(
    ("override", "stale"),
    [
        ("hardware.price.usd_per_hour=0.40", False),
        ("+hardware.price.purchase_usd=900", False),
        ("hardware.price.date=2026-01-01", False),
        ("hardware.price.usd_per_kwh=0.3", True),
        ("hardware=aws_g6_xlarge", True),
    ],
)
def test_price_that_the_user_gives_is_today_s(override: str, stale: bool) -> None:
    price = Price(usd_per_hour=0.4, date=QUOTED.isoformat())
    later = QUOTED + datetime.timedelta(days=542)
    assert (stale_quote(price, later, [override]) is not None) is stale


@pytest.mark.parametrize(
    "price",
    [
        pytest.param(Price(usd_per_hour=1.0), id="no date"),
        pytest.param(Price(usd_per_kwh=0.2, date="2001-01-01"), id="no price of the machine"),
    ],
)
def test_nothing_to_go_stale(price: Price) -> None:
    assert stale_quote(price, QUOTED) is None
