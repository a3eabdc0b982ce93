"""What the page must not say: an estimate is no measurement, and what is absent is no number."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from greenexp.report.tables import page
from greenexp.report.tables.page import PageFigure
from greenexp.study.estimates import Interval
from tests.support.pages import ATTACK, IMAGE_ATTACK, Reader, read
from tests.support.studies import empty_study, study
from tests.support.studies_changed import with_cells


@pytest.mark.parametrize(
    ("source", "says"),
    [("cpu:model", "is an estimate"), ("cpu:model+gpu:counter", "in part an estimate")],
)
def test_an_estimate_is_called_one_in_every_table_with_energy(source: str, says: str) -> None:
    tables = read(with_cells(study(), energy_source=source)).tables
    with_energy = [table for table in tables if "nergy" in table.caption]
    assert len(with_energy) >= 10
    for table in with_energy:
        assert says in table.caption
        assert all("estimated" in name.lower() for name in table.rows[0] if "nergy" in name)


def test_a_measurement_is_not_called_an_estimate() -> None:
    tables = read(with_cells(study(), energy_source="cpu:counter")).tables
    words = [word for table in tables for word in (table.caption, *table.rows[0])]
    assert not [word for word in words if "estimate" in word]


def test_absent_figures_are_a_dash() -> None:
    made = with_cells(
        study(2, 1),
        quantities={},
        effects={},
        accuracy=None,
        paybacks={},
        monthly=None,
        bill=None,
        sensitivities=(),
        on_front=None,
        energy_source=None,
        cost_holds=None,
    )
    overall = [replace(line, effects={}, accuracy=None) for line in made.overall]
    seen = read(replace(made, overall=overall, noise={}))
    cell = made.cells[1]
    for begin, filled in (
        ("mean over blocks", 2),
        ("when it has", 1),
        ("saved in", 1),
        ("top-1", 1),
    ):
        table = seen.table(f"{cell.model}: {begin}")
        assert set(list(table.row(cell.tactic).values())[filled:]) == {"–"}
    assert set(seen.table("Each tactic's").rows[1][1:-1]) == {"–"}
    assert not re.search(r"\b(nan|None|inf|Undefined)\b", seen.text)
    assert "Energy was not measured." in seen.text


def test_one_block_claims_nothing() -> None:
    made = study(1, 2, blocks=1)
    seen = read(made)
    row = seen.table(f"{made.cells[0].model}: when it has").row("dynamic_quantization")
    assert "by one block" in row["In J (estimated energy)"]
    row = seen.table(f"{made.cells[0].model}: of one block").row("dynamic_quantization")
    assert "too few runs" in row["× estimated energy"]


def test_infinite_ends_are_words() -> None:
    made = study(1, 1)
    cell = made.cells[1]
    payback = replace(cell.paybacks["j"], interval=Interval(5_000.0, float("inf")))
    seen = read(replace(made, cells=[made.cells[0], replace(cell, paybacks={"j": payback})]))
    row = seen.table(f"{cell.model}: when it has").row(cell.tactic)
    assert "5,000 or more" in row["In J (estimated energy)"]


@pytest.mark.parametrize("attack", [ATTACK, IMAGE_ATTACK])
def test_hostile_names_are_text(attack: str) -> None:
    made = study(1, 1)
    setting = replace(made.cells[0].setting, machine=attack, varied=attack)
    cells = [
        replace(cell, model=attack, setting=setting, tactic=attack if index else "baseline")
        for index, cell in enumerate(made.cells)
    ]
    overall = [replace(line, setting=setting, tactic=attack) for line in made.overall]
    left_out = [replace(made.left_out[0], detail=attack, examples=[attack])]
    hostile = replace(
        made,
        title=attack,
        cells=cells,
        overall=overall,
        left_out=left_out,
        notes=[attack],
        advice=[replace(made.advice[0], setting=setting, model=attack, tactic=attack)],
        next_steps=[attack],
        prices=[attack],
        made=attack,
    )
    text = page.html(hostile, [PageFigure("pareto", attack, attack, "<div></div>")])
    assert attack not in text
    seen = Reader(text)
    assert "".join(attack.split()) in "".join(seen.text.split())
    assert [tag for tag, _ in seen.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in seen.tags]
    assert not [name for _, attributes in seen.tags for name in attributes if name[:2] == "on"]


def test_a_study_without_runs_makes_a_page_that_says_so() -> None:
    made = empty_study()
    seen = read(made)
    assert "There is no finished, valid run to report on." in seen.text
    assert made.next_steps[0] in seen.text
    assert made.left_out[0].reason in seen.text
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    ids = {f"#{attributes.get('id')}" for _, attributes in seen.tags}
    assert set(links) <= ids
