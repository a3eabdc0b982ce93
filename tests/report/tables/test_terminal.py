"""The study's tables on a terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from greenexp.quantities import ENERGY
from greenexp.report.tables.terminal import DETAILED_MODELS, NOTHING, details, overview, tables
from greenexp.report.words import format as wording
from greenexp.study.study import Failure, Study
from tests.support.studies import empty_study, study
from tests.support.studies_changed import flagged

NARROWEST, NARROW, WIDE = 60, 80, 160
WIDTHS = pytest.mark.parametrize("width", [NARROWEST, NARROW, WIDE])
BOTH = pytest.mark.parametrize("table", [overview, details])


def shown(table: Table, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def with_source(source: str | None) -> Study:
    made = study()
    return replace(made, cells=[replace(cell, energy_source=source) for cell in made.cells])


@WIDTHS
@BOTH
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut(table, width: int) -> None:
    text = shown(table(study(3, 8), width), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for tactic in ("dynamic_quantization ", "torch_compile ", "baseline "):
        assert tactic in text
    for verdict in ("lower", "higher"):
        assert verdict in text


@WIDTHS
def test_overview_holds_the_ratios_of_the_study_in_its_order(width: int) -> None:
    made = study(3, 4)
    text = shown(overview(made, width), width)
    for line in made.overall:
        (ratios,) = [
            re.findall(r"×([\d.]+)", row)
            for row in text.splitlines()
            if row.startswith(f"{line.tactic} ")
        ]
        expected = [effect.ratio for effect in line.effects.values()]
        assert [float(ratio) for ratio in ratios] == pytest.approx(expected, abs=5e-4)
    places = [text.index(line.tactic) for line in made.overall]
    assert places == sorted(places)


@WIDTHS
def test_energy_keeps_its_interval(width: int) -> None:
    made = study(3, 1)
    interval = made.overall[0].effects[ENERGY].interval
    assert interval is not None
    assert f"{interval.low:.3f} to {interval.high:.3f}" in shown(overview(made, width), width)


@WIDTHS
def test_noise_stands_below_the_tactics(width: int) -> None:
    text = shown(overview(study(), width), width)
    assert text.index("baseline again") > max(text.index(o.tactic) for o in study().overall)


@WIDTHS
def test_details_hold_each_model_its_baseline_first(width: int) -> None:
    made = study(2, 3)
    lines = shown(details(made, width), width).splitlines()
    names = [cell.model for cell in made.cells if cell.is_baseline]
    starts = [lines.index(next(line for line in lines if line.strip() == name)) for name in names]
    assert starts == sorted(starts)
    for start in starts:
        assert lines[start + 1].startswith("baseline ")
    top1 = made.cells[1].quantities["accuracy/top1"].value
    assert f"{top1:.4f}" in "\n".join(lines)


@WIDTHS
@BOTH
def test_an_estimate_is_called_one(table, width: int) -> None:
    assert "estimated" in shown(table(with_source("cpu:model"), width), width)
    assert "estimated" not in shown(table(with_source("cpu:counter"), width), width)


@WIDTHS
def test_absent_figures_are_a_dash(width: int) -> None:
    made = study(2, 1)
    bare = [replace(c, quantities={}, effects={}, paybacks={}, accuracy=None) for c in made.cells]
    overall = [replace(line, effects={}, accuracy=None) for line in made.overall]
    text = shown(details(replace(made, cells=bare), width), width)
    text += shown(overview(replace(made, overall=overall, noise={}), width), width)
    rows = [line.split() for line in text.splitlines() if line.startswith("dynamic_quantization")]
    assert [row[0] for row in rows] == ["dynamic_quantization"] * 3
    assert all(row.count("–") >= 4 for row in rows)
    assert {cell for row in rows for cell in row[1:]} <= {"–", "2"}
    assert not re.search(r"nan|None|inf\b", text)


@WIDTHS
def test_a_name_in_brackets_is_no_markup(width: int) -> None:
    made = study(1, 1)
    named = replace(made, cells=[replace(cell, model="[red]m[/red]") for cell in made.cells])
    assert "[red]m[/red]" in shown(details(named, width), width)


@BOTH
def test_a_study_without_runs_says_so(table) -> None:
    assert "No finished, valid run" in shown(table(empty_study(), NARROW), NARROW)


def test_every_setting_has_its_own_table() -> None:
    made = study(2, 1, settings=2)
    text = shown(overview(made, WIDE), WIDE)
    assert [text.count(setting.name) for setting in made.settings] == [1, 1]


def test_details_of_many_models_are_left_to_the_page() -> None:
    assert len(tables(study(DETAILED_MODELS, 1), NARROW)) == 2
    assert len(tables(study(DETAILED_MODELS + 1, 1), NARROW)) == 1
    assert len(tables(empty_study(), NARROW)) == 1


def test_single_runs_and_doubted_ones_have_their_figures_and_what_stands_against_them() -> None:
    made = study(1, 1)
    doubted = replace(made.cells[0], effects={}, doubts=["cpu_steal", "other_processes"])
    text = shown(details(replace(made, cells=[], overall=[], aside=[doubted]), 160), 160)
    assert "cpu_steal, other_processes" in text
    assert wording.quantity(doubted.quantities[ENERGY]) in text
    assert "lower" not in text


@pytest.mark.parametrize("width", [NARROWEST, 66, 72, NARROW, 100, 120])
def test_doubts_stand_below_their_tactic_and_no_word_is_cut(width: int) -> None:
    made = study(1, 2)
    doubts = ["cpu_steal", "busy_at_start:other_processes", "involuntary_switches"]
    doubted = replace(made.cells[1], doubts=doubts)
    text = shown(details(replace(made, cells=[made.cells[0], doubted]), width), width)
    words = re.split(r"[\s,:]+", text)
    for doubt in ("cpu_steal", "busy_at_start", "other_processes", "involuntary_switches"):
        assert doubt in words
    assert max(map(len, text.splitlines())) <= width


def test_what_has_no_room_is_named() -> None:
    made = study(2, 3)
    text = " ".join(shown(details(made, NARROWEST), NARROWEST).split())
    assert "No room here for: images to repay joules; a wider terminal and the page" in text
    assert "No room" not in shown(details(made, NARROW), NARROW)


@WIDTHS
@BOTH
def test_flagged_runs_that_count_stay_flagged_beside_their_verdict(table, width: int) -> None:
    made = study(2, 2)
    text = shown(table(flagged(made), width), width)
    lines = made.overall if table is overview else made.cells
    assert text.count("cpu_steal") == len(lines)
    assert "lower" in text


@WIDTHS
def test_of_one_model_the_noise_stands_below_its_tactics(width: int) -> None:
    made = study(1, 2)
    assert len(tables(made, width)) == 1
    text = shown(tables(made, width)[0], width)
    (noise,) = made.noise.values()
    assert text.index("baseline again (A/A)") > text.index("dynamic_quantization")
    assert wording.ratio(noise[ENERGY]) in text


def test_runs_that_did_not_end_well_are_lines_of_the_table() -> None:
    failures = [
        Failure("vit", "int4", "unsupported", "no kernel", 1),
        Failure("vit", "openvino", "oom", "out of memory", 3),
    ]
    text = shown(details(replace(empty_study(), failures=failures), 160), 160)
    assert "vit · int4: unsupported: no kernel" in text
    assert "vit · openvino (3 runs): oom: out of memory" in text


def test_a_single_run_is_one_table_of_details() -> None:
    made = study(1, 1)
    alone = replace(made, cells=[], overall=[], noise={}, aside=[made.cells[0]])
    assert len(tables(alone)) == 1
    assert NOTHING not in shown(tables(alone)[0], 160)
