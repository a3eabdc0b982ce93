"""The plan of a sweep: what its runs are called."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from greenexp.sweep.plan import Cell
from greenexp.sweep.titles import choices_of, quoted, title, told_apart, varying_keys

CHOICES = {"model": "digits_vit", "tactic": "local_pruning", "workload": "quick"}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param([], "digits_vit · local_pruning", id="nothing set"),
        pytest.param(
            ["tactic.amount=0.5"],
            "digits_vit · local_pruning amount=0.5",
            id="option of the tactic",
        ),
        pytest.param(
            ["+tactic.amount=0.5"], "digits_vit · local_pruning amount=0.5", id="added with +"
        ),
        pytest.param(
            ["++tactic.amount=0.5"], "digits_vit · local_pruning amount=0.5", id="forced with ++"
        ),
        pytest.param(
            ["model=digits_vit", "tactic=local_pruning"],
            "digits_vit · local_pruning",
            id="choices are not repeated",
        ),
        pytest.param(
            ["hardware.price.usd_per_hour=1", "tracking.uri=x", "isolation.timeout_s=9"],
            "digits_vit · local_pruning",
            id="what is not measured is not shown",
        ),
    ],
)
def test_title(overrides: list[str], expected: str) -> None:
    assert title(CHOICES, None, overrides) == expected


def test_title_of_a_model_with_a_name_of_its_own() -> None:
    choices = CHOICES | {"model": "hub"}
    assert title(choices, "vit-base", ["model.checkpoint=a/vit-base"]) == "vit-base · local_pruning"


@pytest.mark.parametrize(
    ("cells", "titles"),
    [
        pytest.param(
            [["workload=quick"], ["workload=steady"]],
            [
                "digits_vit · local_pruning workload=quick",
                "digits_vit · local_pruning workload=steady",
            ],
            id="workloads",
        ),
        pytest.param(
            [["workload.batch_size=1", "device=cpu"], ["workload.batch_size=8", "device=cpu"]],
            ["digits_vit · local_pruning batch_size=1", "digits_vit · local_pruning batch_size=8"],
            id="what is constant is not shown",
        ),
    ],
)
def test_title_shows_what_a_sweep_varies(cells: list[list[str]], titles: list[str]) -> None:
    varying = varying_keys(cells)
    assert [title(CHOICES, None, overrides, varying) for overrides in cells] == titles


@pytest.mark.parametrize("name", ["vit · local_pruning amount=0.5", "it's {odd}, [and] \\ back"])
def test_quoted_text_is_a_value_of_hydra(name: str) -> None:
    override = OverridesParser.create().parse_override(f"title={quoted(name)}")
    assert override.value() == name


CHOSEN = {"model": "digits_vit", "tactic": "chain", "workload": "quick"}


@pytest.mark.parametrize(
    ("steps", "tactic"),
    [
        pytest.param([], "baseline", id="no step: the baseline"),
        pytest.param(["half_precision"], "half_precision", id="one"),
        pytest.param(["a", "b", "c"], "a > b > c", id="in order"),
        pytest.param(["c", "b", "a"], "c > b > a", id="in the other order"),
        pytest.param([{"a": {"amount": 0.5}}, "b"], "a amount=0.5 > b", id="with an option"),
        pytest.param([{"a": {"x": 1, "y": "z"}}], "a x=1 y=z", id="with two"),
        pytest.param([{"a": None}, {"b": {}}], "a > b", id="mapping without options"),
        pytest.param(None, "chain", id="no chain: as it was chosen"),
    ],
)
def test_chain_is_called_by_its_steps(steps: list[Any] | None, tactic: str) -> None:
    choices = choices_of({**CHOSEN, "hydra/launcher": "basic"}, CHOSEN, steps)
    assert choices == CHOSEN | {"tactic": tactic}
    overrides = ["tactic=chain", f"tactic.steps={steps}", "tactic.more=1"]
    assert title(choices, None, overrides, {"tactic.steps"}) == f"digits_vit · {tactic} more=1"


def named(title: str, *cells: tuple[str, ...]) -> list[str]:
    made = [Cell(overrides, title, str(n), "p", False) for n, overrides in enumerate(cells)]
    return [cell.title for cell in told_apart(made)]


@pytest.mark.parametrize(
    ("cells", "titles"),
    [
        pytest.param([("tactic=a",)], ["mine"], id="one"),
        pytest.param(
            [("model=x", "tactic=baseline"), ("model=x", "tactic=local_pruning")],
            ["mine · tactic=baseline", "mine · tactic=local_pruning"],
            id="what differs",
        ),
        pytest.param(
            [("tactic=a",), ("tactic=a", "tactic.amount=0.5")],
            ["mine", "mine · tactic.amount=0.5"],
            id="absent is a value",
        ),
        pytest.param([("tactic=a",), ("tactic=a",)], ["mine · 1", "mine · 2"], id="nothing said"),
    ],
)
def test_a_title_that_is_given_is_made_unique(
    cells: list[tuple[str, ...]], titles: list[str]
) -> None:
    assert named("mine", *cells) == titles
