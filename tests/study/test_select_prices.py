"""What runs cost, at their own prices and at prices given anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from greenexp.quantities import QUANTITIES
from greenexp.runs import metrics
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study import select
from tests.support.baseline_run import one
from tests.support.builders import hardware
from tests.support.synthetic_runs import LOCAL, Row, labels_of, rows, runs_of, used, without_energy
from tests.support.whole_run import PRICED, WHOLE

COST = "cost/usd_per_million_images"
CARBON = "carbon/g_per_million_images"
PRICES = (COST, CARBON, "optimization/cost_usd")
MEASURED = [quantity.name for quantity in QUANTITIES if quantity.name not in PRICES]
RENTED = Hardware(
    description="a rented GPU",
    gpu="L4",
    gpu_count=1,
    price=Price(usd_per_hour=0.8, electricity_included=True, usd_per_kwh=0.31),
    carbon=Carbon(g_per_kwh=369.0),
)


def test_own_prices_give_the_dollars_and_grams_of_the_metrics() -> None:
    own = metrics.evaluate(WHOLE, PRICED)
    measured = {name: own.get(name) for name in MEASURED}
    row = one(**measured, device=WHOLE.device, gpus="NVIDIA T4")
    (run,) = used([row], PRICED)
    assert {name: run.figures[name] for name in PRICES} == pytest.approx(
        {name: own[name] for name in PRICES}, rel=1e-12
    )
    assert run.prices.holds(run.image) == metrics.cost_holds(WHOLE, PRICED)  # type: ignore[arg-type] # it has a speed


@pytest.mark.parametrize(
    "price",
    [
        pytest.param({"usd_per_kwh": 0.31}, id="electricity"),
        pytest.param({"usd_per_hour": 1.5}, id="rent, electricity unknown"),
        pytest.param({"usd_per_hour": 1.5, "electricity_included": True}, id="rent with it"),
        pytest.param(
            {"purchase_usd": 1200.0, "lifetime_years": 4.0, "utilization": 0.25, "pue": 1.4},
            id="bought",
        ),
    ],
)
def test_new_prices_give_the_dollars_that_measuring_with_them_would(
    price: Mapping[str, Any],
) -> None:
    other = hardware(price=price, g_per_kwh=56.0, gpu="T4", gpu_count=2)
    row = one(
        **{name: metrics.evaluate(WHOLE, PRICED).get(name) for name in MEASURED}, device="cuda"
    )
    (run,) = used([row], PRICED, reprice=lambda own: other)
    expected = metrics.evaluate(WHOLE, other)
    assert {name: run.figures[name] for name in PRICES} == pytest.approx(
        {name: expected[name] for name in PRICES}, rel=1e-12
    )


def test_new_prices_leave_what_was_measured() -> None:
    made = rows(blocks=2)
    old = used(made)
    new = used(made, reprice=lambda own: RENTED, label="aws_g6_xlarge")
    for before, after in zip(old, new, strict=True):
        kept = {name: value for name, value in before.figures.items() if name not in PRICES}
        assert kept == {name: value for name, value in after.figures.items() if name not in PRICES}
        assert (before.image, before.applying) == (after.image, after.applying)
        assert after.figures[COST] == pytest.approx(1e6 * 0.8 / 3600 * after.image.seconds)  # type: ignore[union-attr]
        assert after.figures[CARBON] != before.figures[CARBON]
        assert after.setting.machine == before.setting.machine == "Made-up CPU"
        assert after.setting.hardware == "aws_g6_xlarge (measured as local)"
        assert (before.mismatch, after.mismatch) == (False, True)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        pytest.param(None, "local", id="own prices"),
        pytest.param("local", "local", id="the same preset, other prices"),
        pytest.param("laptop_cpu", "laptop_cpu (measured as local)", id="another preset"),
    ],
)
def test_setting_says_whose_prices_stand_on_what_was_measured(label: str | None, name: str) -> None:
    (run,) = used([one()], label=label)
    assert run.setting.hardware == name


def test_each_run_has_the_prices_of_its_own_cell() -> None:
    cheap, dear = one(cell="cheap", model="vit"), one(cell="dear", model="swin", peers="swin")
    dearer = replace(LOCAL, price=replace(LOCAL.price, usd_per_kwh=2.0))
    made = [*runs_of([cheap]), *runs_of([dear], dearer)]
    runs, _ = select.priced(made, labels_of([cheap, dear]))
    assert runs[1].figures[COST] == pytest.approx(10 * runs[0].figures[COST])


@pytest.mark.parametrize(
    ("gpu_count", "device", "share"), [(4, "cuda", 0.25), (4, "cpu", 1.0), (0, "cuda", 1.0)]
)
def test_run_pays_for_the_devices_it_holds(gpu_count: int, device: str, share: float) -> None:
    rent = Hardware(
        gpu="L4" if gpu_count else None, gpu_count=gpu_count, price=Price(usd_per_hour=3.6)
    )
    (run,) = used([one(device=device, gpus="NVIDIA L4", **{"throughput/images_per_s": 1.0})], rent)
    assert run.figures[COST] == pytest.approx(1e6 * 0.001 * share)


def test_two_gpus_are_named_and_matched() -> None:
    row = one(device="cuda", gpus="NVIDIA L4, NVIDIA L40S")
    (run,) = used([row], RENTED)
    assert run.setting.machine == "NVIDIA L4, NVIDIA L40S"
    assert run.mismatch  # an L40S is no L4
    assert not used([row | {"gpus": "NVIDIA L4"}], RENTED)[0].mismatch


@pytest.mark.parametrize(
    ("preset", "dollars"),
    [
        pytest.param(LOCAL, False, id="electricity alone is priced"),
        pytest.param(RENTED, True, id="the machine is priced"),
    ],
)
def test_without_energy_there_are_no_joules_nor_grams(preset: Hardware, dollars: bool) -> None:
    (run,) = used(without_energy([one()]), preset)
    assert run.energy_source is None
    assert {"energy/per_image_j", CARBON, "optimization/energy_j"}.isdisjoint(run.figures)
    assert {name in run.figures for name in (COST, "optimization/cost_usd")} == {dollars}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"throughput/images_per_s": None}, id="absent"),
        pytest.param({"throughput/images_per_s": 0.0}, id="zero"),
    ],
)
def test_without_a_speed_an_image_has_no_price(changes: Row) -> None:
    (run,) = used([one(**changes)])
    assert run.image is None
    assert {COST, CARBON}.isdisjoint(run.figures)


def test_preset_of_the_packaged_example_prices_runs_of_any_machine() -> None:
    """`hardware=aws_g6_xlarge hardware.price.usd_per_kwh=0.31`: its rent pays the electricity."""
    preset = yaml.safe_load((config_dir() / "hardware" / "aws_g6_xlarge.yaml").read_text("utf-8"))
    preset["price"]["usd_per_kwh"] = 0.31
    whole = typed({"hardware": preset}, "hardware", Hardware)
    row = one(**{"throughput/images_per_s": 100.0, "energy/per_image_j": 36.0})
    (run,) = used([row], reprice=lambda own: whole, label="aws_g6_xlarge")
    assert run.figures[COST] == pytest.approx(1e6 / 100 / 3600 * preset["price"]["usd_per_hour"])
    grams = 1e6 * 36 / 3.6e6 * preset["price"]["pue"] * preset["carbon"]["g_per_kwh"]
    assert run.figures[CARBON] == pytest.approx(grams)
    assert run.mismatch
