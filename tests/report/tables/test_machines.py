"""Machines side by side: on the page, on a terminal, as a flat table and in LaTeX."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from greenexp.quantities import COST, ENERGY
from greenexp.report.tables import latex
from greenexp.report.tables.frames import frames
from greenexp.report.tables.page import OPEN_MODELS
from greenexp.report.tables.terminal import DETAILED_MODELS, tables
from greenexp.report.words.machines import APART
from greenexp.report.workers import tabulate
from greenexp.study.study import Study
from tests.support.pages import numbers, read
from tests.support.studies import study
from tests.support.studies_machines import study_of_machines


def on_terminal(made: Study, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        for table in tables(made, width):
            console.print(table)
    return captured.get()


@pytest.fixture
def made() -> Study:
    return study_of_machines()


def test_page_has_a_table_a_model_with_a_row_a_machine(made: Study) -> None:
    seen = read(made)
    assert ("h2", "Which machine") in seen.headings
    for machines in made.machines:
        table = seen.table(f"{machines.model} on {machines.dataset}: each machine")
        assert APART in table.caption
        names = [deployment.setting.machine for deployment in machines.deployments]
        assert [row[0][: len(name)] for row, name in zip(table.rows[1:], names, strict=True)] == (
            names
        )
        for row, deployment in zip(table.rows[1:], machines.deployments, strict=True):
            named = dict(zip(table.rows[0], row, strict=True))
            assert deployment.cell is not None
            assert deployment.setting.hardware in row[0]
            assert named["Tactic"].startswith(deployment.cell.tactic)
            usd, joules = (deployment.cell.quantities[name] for name in (COST, ENERGY))
            assert numbers(named["USD / million"])[0] == pytest.approx(usd.value, rel=5e-3)
            assert joules.interval is not None
            ends = [joules.value, joules.interval.low, joules.interval.high]
            energy = named["Energy (estimated in part) J/image"]
            assert numbers(energy)[:3] == pytest.approx(ends, rel=5e-3)
            assert deployment.cell.energy_source is not None
            assert deployment.cell.energy_source in energy


def test_tables_of_many_models_are_folded() -> None:
    text = read(study_of_machines(OPEN_MODELS + 1, 1))
    assert not any(attrs.get("open") is not None for tag, attrs in text.tags if tag == "details")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_terminal_has_the_same(made: Study, width: int) -> None:
    shown = on_terminal(made, width)
    for machines in made.machines:
        assert f"{machines.model} on {machines.dataset}: which machine" in shown
    assert "Rented CPU 8488C" in shown
    assert "dynamic_quantization" in re.split(r"[\s(]+", shown)
    for figure in ("estimate", "machine", "cpu:counter"):
        assert figure in shown.split()
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert " ".join(APART.split()) in " ".join(shown.split())
    assert "which machine" not in on_terminal(study_of_machines(DETAILED_MODELS + 1), width)


def test_flat_table_has_a_row_a_model_and_machine(made: Study) -> None:
    frame = frames(made)["machines"]
    assert len(frame) == sum(len(machines.deployments) for machines in made.machines) == 4
    for (_, of_model), machines in zip(
        frame.groupby("model", sort=False), made.machines, strict=True
    ):
        usd = of_model["cost_usd_per_million_images"]
        assert list(usd) == sorted(usd)
        assert list(of_model["machine"]) == [
            deployment.setting.machine for deployment in machines.deployments
        ]
    assert set(frame["energy_is_estimate"]) == {True, False}
    assert frame["cost_usd_per_million_images_low"].isna().sum() == 2


def test_latex_has_a_table_a_model(made: Study) -> None:
    text = latex.latex(made)
    assert text.count("tab:greenexp-machines-") == 2
    assert "Rented CPU 8488C, aws\\_c7i\\_2xlarge" in text
    assert "greenexp-machines" not in latex.latex(made, ("overall", "cells"))


def test_study_of_one_machine_has_none_of_it(tmp_path: Path) -> None:
    tabulate(study_of_machines(), tmp_path)
    assert {path.name for path in tmp_path.glob("machines.*")} == {
        "machines.csv",
        "machines.parquet",
    }
    assert len(pd.read_csv(tmp_path / "machines.csv")) == 4
    made = study(2, 2)
    tabulate(made, tmp_path)  # and what an earlier report left goes
    assert list(tmp_path.glob("machines.*")) == []
    seen = read(made)
    assert "Which machine" not in seen.text
    assert "which machine" not in on_terminal(made, 160)
    assert "machines" not in frames(made)
    assert "greenexp-machines" not in latex.latex(made)
