"""Which machine for a model: figures that each machine has by itself, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from greenexp.quantities import COST, ENERGY
from greenexp.settings.report import Report
from greenexp.study import decide
from greenexp.study.effects import compare
from greenexp.study.machines import machines
from greenexp.study.study import Machines
from tests.support.synthetic_runs import (
    QUANTIZED,
    STUDY,
    Planted,
    Row,
    no_predictions,
    predictions,
    rows,
    used,
    without_energy,
)

OTHER = {"machine": "beef", "cpu": "Other CPU"}
SLOWED = {"quantized": Planted(energy=1.5, latency=1.5)}


def side_by_side(*parts: list[Row], tactics: Any = STUDY, judged: bool = True) -> list[Machines]:
    made = [row for part in parts for row in part]
    runs = used(made)
    read = predictions(made, tactics) if judged else no_predictions
    comparison = compare(runs, read, Report())
    return machines(
        runs, comparison.cells, decide.advice(comparison.cells, comparison.overall, Report())
    )


def shown(made: Machines) -> list[tuple[str, str, bool]]:
    return [
        (
            deployment.setting.machine,
            "" if deployment.cell is None else deployment.cell.tactic,
            deployment.is_advised,
        )
        for deployment in made.deployments
    ]


def test_each_machine_has_what_is_advised_there_cheapest_first() -> None:
    here = rows(["vit", "swin"], tactics=QUANTIZED)
    there = rows(["vit", "swin"], tactics=SLOWED, seed=1, **OTHER)
    tables = side_by_side(here, there, tactics=QUANTIZED)
    assert [(table.dataset, table.model) for table in tables] == [
        ("digits", "vit"),
        ("digits", "swin"),
    ]
    for table in tables:
        assert shown(table) == [
            ("Made-up CPU", "quantized", True),
            ("Other CPU", "baseline", False),
        ]
        usd = [each.cell.quantities[COST] for each in table.deployments if each.cell]
        assert usd[0].value < usd[1].value
        assert all(quantity.interval is not None for quantity in usd)


def test_figures_are_those_of_the_machine_s_own_cell() -> None:
    comparison = compare(used(rows(tactics=QUANTIZED)), no_predictions, Report())
    own = {cell.tactic: cell.quantities for cell in comparison.cells}
    both = side_by_side(rows(tactics=QUANTIZED), rows(tactics=SLOWED, seed=1, **OTHER))
    (table,) = both
    (here,) = [each for each in table.deployments if each.setting.machine == "Made-up CPU"]
    assert here.cell is not None
    assert here.cell.quantities == own[here.cell.tactic]


@pytest.mark.parametrize(
    "made",
    [
        pytest.param([rows()], id="one machine"),
        pytest.param(
            [rows(), rows(seed=1, setting_varied="batch_size=8")], id="two settings of it"
        ),
        pytest.param([rows(["vit"]), rows(["swin"], **OTHER)], id="no model on both"),
        pytest.param(
            [rows(), rows(dataset="cifar10", **OTHER)], id="the same model on another data set"
        ),
        pytest.param([], id="nothing"),
    ],
)
def test_what_one_machine_measured_has_no_table(made: list[list[Row]]) -> None:
    assert side_by_side(*made) == []


def test_one_machine_at_two_presets_has_a_table() -> None:
    (table,) = side_by_side(rows(), rows(hardware="aws_c7i_2xlarge"))
    assert {each.setting.hardware for each in table.deployments} == {"local", "aws_c7i_2xlarge"}


def test_what_has_no_dollars_stands_last() -> None:
    runs = used([*rows(), *rows(seed=1, **OTHER)])
    cells = [
        replace(cell, quantities={}) if cell.setting.machine == "Made-up CPU" else cell
        for cell in compare(runs, no_predictions, Report()).cells
    ]
    (table,) = machines(runs, cells, [])
    assert shown(table) == [("Other CPU", "baseline", False), ("Made-up CPU", "baseline", False)]


def test_machine_without_a_baseline_is_shown_without_figures() -> None:
    there = [row for row in rows(seed=1, **OTHER) if row["tactic"] != "baseline"]
    (table,) = side_by_side(rows(tactics=QUANTIZED), there)
    last = table.deployments[-1]
    assert (last.setting.machine, last.cell, last.is_advised) == ("Other CPU", None, False)


def test_machine_without_energy_is_shown_with_what_it_has() -> None:
    (table,) = side_by_side(rows(), without_energy(rows(seed=1, **OTHER)), judged=False)
    (there,) = [each for each in table.deployments if each.setting.machine == "Other CPU"]
    assert there.cell is not None
    assert ENERGY not in there.cell.quantities
    assert there.cell.energy_source is None
