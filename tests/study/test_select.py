"""Which runs count, and what they cost at prices given anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.quantities import QUANTITIES
from greenexp.runs import metrics
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study import select
from greenexp.study.select import PricedRun
from tests.support.builders import hardware
from tests.support.synthetic_runs import (
    LOCAL,
    START,
    Row,
    labels_of,
    rows,
    runs_of,
    used,
    without,
    without_energy,
)
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


def one(**changes: Any) -> Row:
    """A run of the baseline, with changes."""
    return rows(tactics={}, blocks=1, aa=False)[0] | changes


def priced(*made: Row, **options: Any) -> tuple[list[PricedRun], dict[str, int]]:
    """Returns the runs that count, and how many don't, by reason."""
    found, left_out = select.priced(runs_of(made), labels_of(made), **options)
    return found, {left.reason: left.runs for left in left_out}


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
    (found,) = used([row], PRICED, reprice=lambda own: other)
    expected = metrics.evaluate(WHOLE, other)
    assert {name: found.figures[name] for name in PRICES} == pytest.approx(
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
    found, _ = select.priced(made, labels_of([cheap, dear]))
    assert found[1].figures[COST] == pytest.approx(10 * found[0].figures[COST])


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
    ("changes", "reason"),
    [
        pytest.param({"outcome": "oom"}, "ended as oom", id="failed"),
        pytest.param({"outcome": None}, "ended as unknown", id="without an outcome"),
        pytest.param(
            {"peers": None},
            "recorded before runs said what they are compared with (no tag greenexp.peers)",
            id="old",
        ),
        pytest.param({"block": None}, "in no block of a sweep, so beside no baseline", id="single"),
        pytest.param({"validity": "cpu_steal"}, "flagged: cpu_steal", id="flagged"),
        pytest.param(
            {"validity": "cpu_steal, hardware_mismatch, replayed"},
            "flagged: cpu_steal, replayed",
            id="flagged for two reasons that count",
        ),
        pytest.param(
            {"outcome": "timeout", "validity": "cpu_steal", "block": None},
            "ended as timeout",
            id="the first of several",
        ),
    ],
)
def test_run_is_left_out_and_counted(changes: Row, reason: str) -> None:
    assert priced(one(**changes), one(block=2)) == (used([one(block=2)]), {reason: 1})


@pytest.mark.parametrize(
    "validity",
    [
        "valid",
        None,
        "hardware_mismatch",
        "precision_not_reached",
        "precision_not_reached, hardware_mismatch",
    ],
)
def test_what_stands_against_prices_or_width_alone_leaves_no_run_out(validity: str | None) -> None:
    assert len(used([one(validity=validity)])) == 1


def test_flagged_runs_count_where_asked() -> None:
    flagged = one(validity="cpu_steal")
    found, left = priced(flagged, one(block=2, outcome="oom"), keep_flagged=True)
    assert [run.id for run in found] == [flagged["run_id"]]
    assert left == {"ended as oom": 1}


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "out of order"])
def test_of_runs_measured_again_the_latest_counts(turned: bool) -> None:
    again = [
        one(run_id=str(day), started=START + pd.Timedelta(days=day)) | {"latency/p50_ms": day + 1.0}
        for day in range(3)
    ]
    found, left = priced(*(reversed(again) if turned else again))
    assert [(run.id, run.figures["latency/p50_ms"]) for run in found] == [("2", 3.0)]
    assert left == {"measured again later": 2}


@pytest.mark.parametrize(
    "spoilt", [{"outcome": "oom"}, {"validity": "other_processes"}], ids=["failed", "flagged"]
)
def test_run_that_does_not_count_replaces_none_that_does(spoilt: Row) -> None:
    later = one(run_id="later", started=START + pd.Timedelta(days=1), **spoilt)
    assert [run.id for run in priced(one(run_id="first"), later)[0]] == ["first"]


def test_second_baseline_and_other_blocks_and_machines_are_no_repeats() -> None:
    apart: list[Row] = [{}, {"replicate": 2}, {"block": 2}, {"machine": "beef"}]
    found, left = priced(*(one(run_id=str(n), **given) for n, given in enumerate(apart)))
    assert len(found) == 4
    assert left == {}


def test_two_cells_of_one_name_are_one_tactic_measured_again() -> None:
    """A chain without steps is the baseline of chains, and both may be in one sweep."""
    chain = one(run_id="chain", cell="chain", started=START + pd.Timedelta(days=1))
    found, left = priced(one(), chain)
    assert [run.id for run in found] == ["chain"]
    assert left == {"measured again later": 1}


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "ok", "oom", "error", None]),
            st.sampled_from(["valid", "cpu_steal", "hardware_mismatch", None]),
            st.sampled_from([None, 1, 2]),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_every_run_counts_or_is_counted(
    made: list[tuple[str | None, str | None, int | None]], keep_flagged: bool
) -> None:
    given_rows = [
        one(run_id=str(number), outcome=outcome, validity=validity, block=block)
        for number, (outcome, validity, block) in enumerate(made)
    ]
    found, left_out = select.priced(
        runs_of(given_rows), labels_of(given_rows), keep_flagged=keep_flagged
    )
    assert len(found) + sum(left.runs for left in left_out) == len(made)
    assert len({run.id for run in found}) == len(found)
    assert all(0 < len(left.examples) <= left.runs for left in left_out)


def test_examples_of_runs_left_out_are_few() -> None:
    made = [one(run_id=str(n), outcome="oom", model=f"m{n}", cell=f"m{n}") for n in range(9)]
    _, (left,) = select.priced(runs_of(made), labels_of(made))
    assert (left.runs, left.examples) == (9, [f"m{n} · baseline" for n in range(3)])


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


def test_no_runs() -> None:
    assert select.priced([], {}) == ([], [])


def test_start_may_be_unknown() -> None:
    assert len(used([one(started=None), one(block=2)])) == 2


@pytest.mark.parametrize(
    ("cpu", "varied"),
    [
        pytest.param("Other CPU", ["Made-up CPU", "Other CPU"], id="by their CPU"),
        pytest.param("Made-up CPU", ["Made-up CPU f00d", "Made-up CPU beef"], id="by print"),
        pytest.param(None, ["Made-up CPU", "beef"], id="without a name"),
    ],
)
def test_two_machines_are_two_settings_by_name(cpu: str | None, varied: list[str]) -> None:
    here, there = used([one(), one(machine="beef", cpu=cpu)])
    assert [here.setting.varied, there.setting.varied] == varied
    assert here.setting.name == f"digits · local · steady · {varied[0]}"
    assert here.machine != there.machine


def test_one_machine_is_not_said_in_the_name() -> None:
    both = used(
        [
            one(setting_varied="batch_size=8"),
            *without([one(cell="other", block=2)], "setting_varied"),
        ]
    )
    names = [run.setting.name for run in both]
    assert names == ["digits · local · steady · batch_size=8", "digits · local · steady"]


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
