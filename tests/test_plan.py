"""The plan of a sweep: order, titles, identities, what is left out."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from greenexp.sweep.plan import (
    Exclusion,
    cell_hash,
    exclusion_lines,
    product,
    title,
    title_override,
    varying_keys,
)

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
def test_title_override_says_the_title(name: str) -> None:
    override = OverridesParser.create().parse_override(title_override(name))
    assert override.value() == name


def test_product_varies_the_first_slowest() -> None:
    assert product([["m=1", "m=2"], ["t=a", "t=b"], ["w=q"]]) == [
        ("m=1", "t=a", "w=q"),
        ("m=1", "t=b", "w=q"),
        ("m=2", "t=a", "w=q"),
        ("m=2", "t=b", "w=q"),
    ]


@pytest.mark.parametrize(
    ("choices", "cells"),
    [
        pytest.param([], [()], id="nothing swept is one run"),
        pytest.param([["a=1"]], [("a=1",)], id="one"),
        pytest.param([["a=1"], []], [], id="nothing to choose from"),
    ],
)
def test_product_edges(choices: list[list[str]], cells: list[tuple[str, ...]]) -> None:
    assert product(choices) == cells


@given(st.lists(st.lists(st.text(max_size=3), unique=True, max_size=4), max_size=4))
def test_product_holds_each_combination_once(choices: list[list[str]]) -> None:
    cells = product(choices)
    assert len(set(cells)) == len(cells) == math.prod(map(len, choices))


CONFIGURATION: dict[str, Any] = {
    "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
    "tactic": {"_target_": "greenexp.tactics.pruning.LocalPruning", "amount": 0.3},
    "workload": {"batch_size": 1, "threads": None},
    "meters": {"zeus": {"interval_s": 0.1}, "nvml": {"interval_s": 0.2}},
    "tracking": {"uri": "sqlite:///mlruns/mlflow.db", "experiment": "greenexp"},
    "isolation": {"timeout_s": 3600.0},
    "device": "auto",
}


def changed(section: str, key: str, value: object) -> dict[str, Any]:
    configuration = copy.deepcopy(CONFIGURATION)
    configuration[section][key] = value
    return configuration


def turned(value: Any) -> Any:
    """Returns the same mapping with its keys in the opposite order, at every depth."""
    if not isinstance(value, dict):
        return value
    return {key: turned(value[key]) for key in reversed(list(value))}


def test_hash_is_the_same_in_every_process_and_release() -> None:
    # Pinned: MLflow holds runs under these tags, and `resume` looks for them.
    assert cell_hash({"model": "a", "tactic": {"amount": 0.3}}) == "2c32be2a9241f3f9"


def test_hash_does_not_depend_on_order() -> None:
    assert cell_hash(turned(CONFIGURATION)) == cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(changed("tracking", "uri", "http://elsewhere"), id="another tracker"),
        pytest.param(changed("tracking", "experiment", "other"), id="another experiment"),
        pytest.param(changed("isolation", "timeout_s", 1.0), id="another time limit"),
    ],
)
def test_hash_ignores_what_does_not_change_the_measurement(same: dict[str, Any]) -> None:
    assert cell_hash(same) == cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(changed("tactic", "amount", 0.4), id="another amount"),
        pytest.param(changed("model", "name", "digits_resnet"), id="another model"),
        pytest.param(changed("workload", "batch_size", 2), id="another batch size"),
        pytest.param(changed("workload", "threads", 1), id="threads given"),
        pytest.param(CONFIGURATION | {"device": "cpu"}, id="another device"),
    ],
)
def test_hash_tells_measurements_apart(other: dict[str, Any]) -> None:
    assert cell_hash(other) != cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    ("exclusions", "lines"),
    [
        pytest.param([], [], id="nothing left out"),
        pytest.param(
            [Exclusion("a · b", "no fit")], ["left out 1 of 9 runs: no fit (a · b)"], id="one"
        ),
        pytest.param(
            [Exclusion(name, "no fit") for name in "abc"],
            ["left out 3 of 9 runs: no fit (a, b, c)"],
            id="three, all named",
        ),
        pytest.param(
            [Exclusion(name, "no fit") for name in "abcd"],
            ["left out 4 of 9 runs: no fit (a, b, c, …)"],
            id="four, three named",
        ),
        pytest.param(
            [Exclusion("a", "x"), Exclusion("b", "y"), Exclusion("c", "x")],
            ["left out 2 of 9 runs: x (a, c)", "left out 1 of 9 runs: y (b)"],
            id="a line for each reason",
        ),
    ],
)
def test_exclusion_lines(exclusions: list[Exclusion], lines: list[str]) -> None:
    assert exclusion_lines(exclusions, 9) == lines
