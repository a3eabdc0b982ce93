"""What is said of machines side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.quantities import CARBON, COST, ENERGY, LATENCY
from greenexp.report.words import machines as words
from greenexp.study.study import Cell, Deployment, Machines
from tests.support.sentences import check_plain
from tests.support.studies_machines import study_of_machines


@pytest.fixture
def machines() -> Machines:
    return study_of_machines().machines[0]


def with_cells(machines: Machines, **changes: object) -> Machines:
    deployments = [
        replace(
            deployment,
            cell=None if deployment.cell is None else replace(deployment.cell, **changes),
        )
        for deployment in machines.deployments
    ]
    return replace(machines, deployments=deployments)


def cell(deployment: Deployment) -> Cell:
    assert deployment.cell is not None
    return deployment.cell


def test_caption_says_that_nothing_is_claimed_between_machines(machines: Machines) -> None:
    caption = words.caption(machines)
    check_plain([caption])
    assert "no difference and no ratio between machines is claimed" in caption
    assert "Dollars hold different parts (electricity; machine)" in caption
    assert "Energy is from different sources (cpu:counter; cpu:model)" in caption
    assert "An estimate is made of utilization and rated power" in caption
    assert "block." not in caption
    assert "workloads" not in caption


def test_caption_of_machines_alike_says_no_more_than_is_so(machines: Machines) -> None:
    alike = with_cells(machines, energy_source="cpu:counter", cost_holds="machine")
    caption = words.caption(alike)
    check_plain([caption])
    for word in ("different", "estimate", "stands last", "one block", "workloads"):
        assert word not in caption


def test_caption_says_what_is_missing(machines: Machines) -> None:
    caption = words.caption(with_cells(machines, blocks=1, quantities={}))
    check_plain([caption])
    assert "A figure without an interval is of one block." in caption
    assert "What has no dollars stands last." in caption


def test_figures_are_marked_by_what_they_are_made_of(machines: Machines) -> None:
    cheap, dear = machines.deployments
    assert (cell(cheap).energy_source, cell(dear).energy_source) == ("cpu:model", "cpu:counter")
    names = (LATENCY, ENERGY, COST, CARBON)
    assert [words.remark(cheap, name) for name in names] == [
        "",
        "estimate, cpu:model",
        "electricity, of an estimate",
        "of an estimate",
    ]
    assert [words.remark(dear, name) for name in names] == ["", "cpu:counter", "machine", ""]


def test_machine_without_a_baseline_says_so(machines: Machines) -> None:
    bare = replace(machines.deployments[0], cell=None, is_advised=False)
    assert (words.tactic(bare), words.why(bare)) == ("–", "no baseline was measured")
    assert {words.figure(bare, name) for name in words.SHOWN} == {"–"}
    assert {words.span(bare, name) + words.remark(bare, name) for name in words.SHOWN} == {""}
    check_plain([words.caption(replace(machines, deployments=[bare]))])
