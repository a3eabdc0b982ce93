"""What the report says of its runs beside the figures, and what it asks for next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.report.words import notes
from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.settings.report import Report
from greenexp.stats.power import units_needed
from greenexp.study.effects import compare
from greenexp.study.select import priced
from greenexp.study.study import LeftOut
from greenexp.study.verdicts import LeftOutReason
from tests.support.sentences import check_commands, check_plain
from tests.support.synthetic_runs import (
    LOCAL,
    QUANTIZED,
    STUDY,
    Planted,
    Row,
    labels_of,
    no_predictions,
    rows,
    runs_of,
    without_energy,
)

ALL = "python -m greenexp -m model=all tactic=all"
RENTED = Hardware(
    description="a rented GPU",
    gpu="L4",
    gpu_count=1,
    price=Price(usd_per_hour=0.8, electricity_included=True, date="2026-07-20"),
    carbon=Carbon(g_per_kwh=369.0),
)


def said(
    made: list[Row], preset: Hardware = LOCAL, *, repriced: str | None = None, **options: Any
) -> tuple[list[str], list[str]]:
    """Returns the notes and the next steps, each checked to be plain and to name what is there."""
    used, left_out = priced(runs_of(made, preset), labels_of(made), **options)
    cells = compare(used, no_predictions, Report()).cells
    noted = notes.notes(used, cells, repriced)
    steps = notes.next_steps(used, cells, left_out)
    for lines in (noted, steps, notes.prices(used)):
        check_plain(lines)
        check_commands(lines)
        assert len(lines) == len(set(lines))
    return noted, steps


def only(lines: list[str], words: str) -> str:
    (found,) = [line for line in lines if words in line]
    return found


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
            "unnamed, 1200 USD over 1 year, serving 25.0 % of the paid hours, PUE 1",
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


def repetitions(steps: list[str]) -> int:
    """Returns how many blocks a step asks for."""
    (found,) = re.findall(r"repetitions=(\d+)", " ".join(steps))
    return int(found)


@pytest.mark.parametrize("tactics", [1, 2, 5])
@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_blocks_are_asked_for_until_they_can_tell(blocks: int, tactics: int) -> None:
    some = dict(list(STUDY.items())[:tactics])
    _, steps = said(rows(["vit", "swin"], some, blocks=blocks))
    needed = units_needed(tactics)
    assert repetitions(steps) == needed
    step = only(steps, "repetitions")
    if blocks == 1:
        assert step.startswith("One block tells nothing of the spread between runs")
    else:
        assert step.startswith(f"{blocks} blocks can't tell a gain from chance")
    assert said(rows(["vit", "swin"], some, blocks=needed))[1] == []


def test_block_lost_to_a_flag_is_made_up_for_by_one_more() -> None:
    """A flagged run has finished, so the same repetitions would measure nothing."""
    made = [
        row | {"validity": "cpu_steal"}
        if (row["tactic"], row["block"]) == ("quantized", 2)
        else row
        for row in rows(blocks=6)
    ]
    _, steps = said(made)
    assert repetitions(steps) == 7
    assert "5 blocks of vit · quantized can't tell" in only(steps, "repetitions")
    assert only(steps, "flagged").startswith("1 run was flagged and left out: ")


def test_flagged_runs_are_counted_over_their_reasons() -> None:
    doubts = ["cpu_steal", "other_processes", "cpu_steal, replayed"]
    made = rows(blocks=8)
    for number, row in enumerate(made[-3:]):
        row["validity"] = doubts[number]
    _, steps = said(made)
    assert only(steps, "flagged").startswith("3 runs were flagged and left out: ")


def test_short_cells_among_long_ones_are_told_from_them() -> None:
    made = [
        row for row in rows(["vit", "swin"], STUDY) if row["model"] == "vit" or row["block"] < 4
    ]
    _, steps = said(made)
    step = only(steps, "repetitions")
    assert re.match(r"3 blocks of swin · \w+, and those of 5 other cells, can't tell", step)
    assert repetitions(steps) == 13


def test_one_block_of_some_is_told_from_one_block_of_all() -> None:
    made = [row for row in rows() if row["tactic"] == "baseline" or row["block"] == 1]
    assert only(said(made)[1], "repetitions").startswith(
        "1 block of vit · quantized can't tell a gain from chance"
    )


def kept(keep: Callable[[Row], bool]) -> list[Row]:
    return [row for row in rows(["vit", "swin"]) if keep(row)]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(
            kept(lambda row: row["tactic"] != "baseline"),
            "No valid baseline of swin and vit, so nothing can be compared",
            id="no baseline",
        ),
        pytest.param(
            kept(lambda row: row["tactic"] != "baseline" or row["model"] == "vit"),
            "No valid baseline of swin, so nothing can be compared",
            id="no baseline of one",
        ),
        pytest.param(
            kept(lambda row: row["tactic"] == "baseline"),
            "Only baselines can be used",
            id="only baselines",
        ),
        pytest.param(
            kept(lambda row: row["replicate"] == 1),
            "There is no A/A pair of baselines",
            id="no A/A",
        ),
    ],
)
def test_what_is_missing_is_said(made: list[Row], words: str) -> None:
    _, steps = said(made)
    assert only(steps, words)
    assert not [step for step in said(rows(["vit", "swin"]))[1] if words in step]


@pytest.mark.parametrize(
    ("columns", "begins", "ends"),
    [
        pytest.param(
            {"validity": "cpu_steal"},
            "None of the runs counts (24 runs flagged: cpu_steal): ",
            "report.keep_flagged=true.",
            id="only flagged runs",
        ),
        pytest.param(
            {"outcome": "oom"},
            "None of the runs counts (24 runs ended as oom): ",
            f"run {ALL}.",
            id="only failed runs",
        ),
        pytest.param(
            {"block": None},
            "None of the runs can be compared (24 runs in no block of a sweep, ",
            f"{ALL} makes pairs.",
            id="only single runs",
        ),
        pytest.param(
            {"peers": None},
            "None of the runs counts (24 runs recorded before ",
            f"run {ALL}.",
            id="only old runs",
        ),
    ],
)
def test_where_no_run_counts_it_is_said_why_and_what_to_run(
    columns: Row, begins: str, ends: str
) -> None:
    noted, steps = said([row | columns for row in rows()])
    assert noted == []
    (step,) = steps
    assert step.startswith(begins)
    assert step.endswith(ends)


def test_where_there_is_no_run_it_is_said_what_to_run() -> None:
    assert said([]) == ([], [f"There is no run to report on: {ALL} repetitions=8."])


def test_one_run_left_out_is_one_run() -> None:
    left_out = LeftOut(LeftOutReason.FAILED, "oom", 1, ["vit · baseline"])
    (step,) = notes.next_steps([], [], [left_out])
    assert "(1 run ended as oom)" in step


@settings(max_examples=30)
@given(
    st.lists(
        st.sampled_from(["kept", "flagged", "failed", "no energy", "gone"]),
        min_size=28,
        max_size=28,
    ),
    st.integers(1, 2),
)
def test_whatever_is_lost_the_words_are_plain(fates: list[str], blocks: int) -> None:
    tactics = STUDY | {"more": Planted()} if len(set(fates)) > 3 else QUANTIZED
    made = []
    for row, fate in zip(rows(["vit", "swin"], tactics, blocks), fates, strict=False):
        if fate == "no energy":
            made += without_energy([row])
        elif fate != "gone":
            made.append(
                row
                | ({"validity": "cpu_steal"} if fate == "flagged" else {})
                | ({"outcome": "error"} if fate == "failed" else {})
            )
    _, steps = said(made)
    assert steps  # two blocks can't tell anything
