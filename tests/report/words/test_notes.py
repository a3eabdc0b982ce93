"""What the report says of its runs beside the figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.report.words import notes
from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.study.select import priced
from tests.support.noted import only, said
from tests.support.sentences import check_plain
from tests.support.synthetic_runs import LOCAL, Row, labels_of, rows, runs_of, without_energy

RENTED = Hardware(
    description="a rented GPU",
    gpu="L4",
    gpu_count=1,
    price=Price(usd_per_hour=0.8, electricity_included=True, date="2026-07-20"),
    carbon=Carbon(g_per_kwh=369.0),
)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param({}, "Energy: cpu:counter.", id="counter"),
        pytest.param(
            {"energy_source": "cpu:model"},
            "Energy: cpu:model. What is marked `model` is an estimate",
            id="estimate",
        ),
        pytest.param(
            {"energy_source": "cpu:model+gpu:counter"},
            "Energy: cpu:model+gpu:counter. What is marked `model` is an estimate",
            id="estimate in part",
        ),
    ],
)
def test_where_energy_is_from_is_said(columns: Row, words: str) -> None:
    noted, _ = said(rows(**columns))
    assert noted[0].startswith(words)


def test_energy_that_was_not_measured_is_said_to_be_absent_and_how_to_get_it() -> None:
    noted, steps = said(without_energy(rows()))
    assert "none of these runs measured any" in noted[0]
    assert "Dollars are absent" in only(noted, "Dollars")
    assert "meters.cpu_estimate" in only(steps, "No energy source")


def test_pairs_of_different_sources_are_counted() -> None:
    made = [
        row | {"energy_source": "cpu:model"}
        if (row["tactic"], row["block"]) == ("quantized", 3)
        else row
        for row in rows()
    ]
    noted, _ = said(made)
    assert "1 pair of 16" in only(noted, "not compared")
    assert not [line for line in said(rows())[0] if "not compared" in line]


@pytest.mark.parametrize(
    ("price", "words"),
    [
        pytest.param(LOCAL.price, "Dollars hold electricity only", id="electricity"),
        pytest.param(
            Price(usd_per_hour=1.0, usd_per_kwh=0.2),
            "Dollars hold: machine+electricity.",
            id="both",
        ),
        pytest.param(Price(usd_per_hour=1.0), "Dollars hold: machine.", id="machine"),
        pytest.param(Price(), "Dollars are absent: nothing that was measured has a price", id="no"),
    ],
)
def test_what_dollars_hold_is_said(price: Price, words: str) -> None:
    noted, _ = said(rows(), Hardware(any_device=True, price=price))
    assert words in only(noted, "Dollars")


def test_new_prices_are_said_to_be_new_and_seconds_and_joules_to_be_old() -> None:
    noted, _ = said(rows(), repriced="aws_g6_xlarge", reprice=lambda own: RENTED)
    assert only(noted, "Prices:") == (
        "Prices: aws_g6_xlarge, given to this report; seconds and joules stay those measured on "
        "Made-up CPU."
    )
    assert "another device than the one that ran" in only(noted, "another device")
    assert not [line for line in said(rows())[0] if "Prices" in line or "another device" in line]


def test_several_machines_are_all_named() -> None:
    made = [*rows(), *rows(machine="beef", cpu="Other CPU")]
    noted, _ = said(made, repriced="g6", reprice=lambda own: RENTED)
    assert "measured on Made-up CPU; Other CPU." in only(noted, "Prices:")


def test_machine_without_a_name_leaves_no_gap() -> None:
    noted, _ = said(rows(cpu=None, machine=None), repriced="g6", reprice=lambda own: RENTED)
    assert only(noted, "Prices:").endswith("those measured on the machine that ran.")


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        pytest.param(LOCAL, "any machine, 0.2 USD/kWh, PUE 1.5, 400 g CO2e/kWh", id="electricity"),
        pytest.param(
            RENTED,
            "a rented GPU, 0.8 USD/h with electricity, PUE 1, 369 g CO2e/kWh, quoted 2026-07-20",
            id="rent",
        ),
        pytest.param(
            Hardware(
                price=Price(usd_per_hour=0.8, electricity_included=True, usd_per_kwh=0.31, pue=1.14)
            ),
            "unnamed, 0.8 USD/h with electricity, 0.31 USD/kWh (not counted, the rent pays it), "
            "PUE 1.14",
            id="electricity inside the rent",
        ),
        pytest.param(
            Hardware(price=Price(purchase_usd=1200.0, lifetime_years=1.0, utilization=0.25)),
            "unnamed, 1200 USD over 1 year, serving 25 % of the paid hours, PUE 1",
            id="bought",
        ),
        pytest.param(Hardware(), "unnamed, PUE 1", id="nothing known"),
    ],
)
def test_prices_are_told_a_line_a_setting(preset: Hardware, words: str) -> None:
    made = [*rows(["vit", "swin"]), *rows(workload="quick")]
    used, _ = priced(runs_of(made, preset), labels_of(made))
    lines = notes.prices(used)
    assert lines == [f"digits · local · {workload}: {words}." for workload in ("steady", "quick")]
    check_plain(lines)


def test_flagged_runs_that_count_are_noted() -> None:
    made = [row | {"validity": "cpu_steal, hardware_mismatch"} for row in rows(blocks=1)]
    runs, _ = priced(runs_of(made), labels_of(made), keep_flagged=True)
    (line,) = notes.of_flagged(runs)
    check_plain([line])
    assert line == (
        "3 of 3 runs are flagged (cpu_steal) and count all the same, for report.keep_flagged=true."
    )
    assert notes.of_flagged([replace(run, doubts=[]) for run in runs]) == []


def test_dollars_of_hours_say_who_saves_them() -> None:
    noted, _ = said(rows(), RENTED)
    assert only(noted, "Dollars").endswith("rented by the month costs the same either way.")
    electricity, _ = said(rows())
    assert "rented" not in only(electricity, "Dollars")
