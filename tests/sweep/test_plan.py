"""The plan of a sweep: order, titles, identities, what is left out."""

from __future__ import annotations

import copy
import math
from collections import Counter
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from greenexp.runs.identity import cell_hash, peers_hash
from greenexp.sweep.plan import (
    Cell,
    Exclusion,
    PlannedRun,
    blocks,
    choices_of,
    exclusion_lines,
    left_of,
    product,
    quoted,
    title,
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
def test_quoted_text_is_a_value_of_hydra(name: str) -> None:
    override = OverridesParser.create().parse_override(f"title={quoted(name)}")
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


def cell(model: str, tactic: str) -> Cell:
    return Cell(
        overrides=(f"model={model}", f"tactic={tactic}"),
        title=f"{model} · {tactic}",
        id=f"{model}/{tactic}",
        peers=model,
        is_baseline=tactic == "baseline",
    )


def flat(planned: list[list[PlannedRun]]) -> list[PlannedRun]:
    return [run for block in planned for run in block]


STUDY = [
    cell(model, tactic)
    for model in ("vit", "resnet", "swin")
    for tactic in ("baseline", "torch_compile", "local_pruning")
]
studies = st.lists(
    st.builds(cell, st.sampled_from("abc"), st.sampled_from(["baseline", "x", "y", "z"])),
    unique_by=lambda one: one.id,
    max_size=12,
)
seeds = st.integers(0, 2**32)


@given(studies, st.integers(1, 4), seeds)
def test_each_block_holds_every_cell_once_and_compared_baselines_twice(
    cells: list[Cell], repetitions: int, seed: int
) -> None:
    runs = flat(blocks(cells, repetitions, seed))
    models_of_others = {one.peers for one in cells if not one.is_baseline}
    once = {(one.id, 1) for one in cells}
    again = {(one.id, 2) for one in cells if one.is_baseline and one.peers in models_of_others}
    expected = {
        (block, name, replicate)
        for block in range(1, repetitions + 1)
        for name, replicate in once | again
    }
    found = Counter((run.block, run.cell.id, run.replicate) for run in runs)
    assert found == Counter(expected)
    assert [run.block for run in runs] == sorted(run.block for run in runs)
    assert len({run.key for run in runs}) == len(runs)


@pytest.mark.parametrize(
    ("cells", "again"),
    [
        pytest.param([cell("vit", "baseline")], [], id="nothing compared with it"),
        pytest.param([cell("vit", "torch_compile")], [], id="no baseline"),
        pytest.param(
            [cell("vit", "baseline"), cell("vit", "x"), cell("vit", "y")],
            ["vit · baseline · block 1 · A/A"],
            id="once for all its tactics",
        ),
        pytest.param(
            [cell("vit", "baseline"), cell("resnet", "torch_compile")],
            [],
            id="tactic of another model",
        ),
        pytest.param(
            [cell("vit", "baseline"), cell("vit", "x"), cell("swin", "baseline")],
            ["vit · baseline · block 1 · A/A"],
            id="of two baselines the compared one",
        ),
    ],
)
def test_second_baseline_stands_where_others_are_compared_with_it(
    cells: list[Cell], again: list[str]
) -> None:
    runs = flat(blocks(cells, 1, seed=0))
    assert [run.name for run in runs if run.replicate > 1] == again
    assert len(runs) == len(cells) + len(again)


@given(studies, seeds, st.integers(1, 3), st.integers(0, 3))
def test_more_repetitions_leave_earlier_blocks_as_they_were(
    cells: list[Cell], seed: int, repetitions: int, more: int
) -> None:
    runs = flat(blocks(cells, repetitions, seed))
    assert flat(blocks(cells, repetitions + more, seed))[: len(runs)] == runs


def keys(seed: int, block: int) -> list[tuple[str, int]]:
    """Returns the order of the study's runs in one block."""
    runs = flat(blocks(STUDY, repetitions=3, seed=seed))
    return [(run.cell.id, run.replicate) for run in runs if run.block == block]


def test_order_is_that_of_the_seed_and_the_block() -> None:
    assert keys(seed=0, block=1) == keys(seed=0, block=1)
    orders = [tuple(keys(seed, block)) for seed in (0, 1) for block in (1, 2, 3)]
    assert len(set(orders)) == len(orders)  # twelve runs: 1 of 479 001 600 orders


def test_order_is_the_same_in_every_process_and_release() -> None:
    # Pinned: a sweep that goes on where another stopped must find its blocks in their order.
    tactics = [cell("vit", tactic) for tactic in ("baseline", "a", "b", "c")]
    names = [run.name.removeprefix("vit · ") for run in flat(blocks(tactics, 2, seed=7))]
    assert names == [
        "b · block 1",
        "c · block 1",
        "baseline · block 1 · A/A",
        "a · block 1",
        "baseline · block 1",
        "baseline · block 2",
        "baseline · block 2 · A/A",
        "a · block 2",
        "c · block 2",
        "b · block 2",
    ]


def test_every_place_in_a_block_is_as_likely() -> None:
    """Over 2000 seeds the baseline of two cells comes first in about half of the blocks."""
    pair = [cell("vit", "x"), cell("vit", "y")]
    first = sum(blocks(pair, 1, seed)[0][0].cell.id == "vit/x" for seed in range(2000))
    assert 900 <= first <= 1100  # 4.5 standard deviations


def test_run_says_its_place() -> None:
    run = PlannedRun(cell("vit", "baseline"), block=2, replicate=2)
    assert run.key == ("vit/baseline", 2, 2)
    assert run.name == "vit · baseline · block 2 · A/A"


def test_a_block_holds_peers_alone() -> None:
    planned = blocks(STUDY, repetitions=2, seed=3)
    assert all(len({(run.cell.peers, run.block) for run in block}) == 1 for block in planned)
    assert len(planned) == 2 * len({one.peers for one in STUDY})


BLOCK = blocks([cell("vit", tactic) for tactic in ("baseline", "a", "b")], 1, seed=0)[0]


def names_left(*finished: tuple[str, int]) -> set[tuple[str, int]]:
    done = [(f"vit/{name}", 1, replicate) for name, replicate in finished]
    left = left_of(BLOCK, done)
    return {(run.cell.id.removeprefix("vit/"), run.replicate) for run in left}


def test_a_block_of_which_nothing_is_finished_is_left_whole() -> None:
    assert left_of(BLOCK, []) == BLOCK


def test_a_finished_block_is_not_left() -> None:
    assert names_left(("baseline", 1), ("baseline", 2), ("a", 1), ("b", 1)) == set()


def test_a_tactic_that_is_left_brings_its_own_baselines() -> None:
    left = names_left(("baseline", 1), ("baseline", 2), ("a", 1))
    assert left == {("baseline", 1), ("baseline", 2), ("b", 1)}


def test_a_second_baseline_is_measured_beside_the_first() -> None:
    left = names_left(("baseline", 1), ("a", 1), ("b", 1))
    assert left == {("baseline", 1), ("baseline", 2)}


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
    "interference": {"steal_pct": 3.0},
    "sweep": {"seed": 0, "rerun": False, "dry_run": False, "block": None, "replicate": 1},
    "repetitions": 1,
    "title": None,
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
        pytest.param(changed("sweep", "seed", 7), id="another order"),
        pytest.param(changed("sweep", "block", 3), id="another block"),
        pytest.param(changed("sweep", "replicate", 2), id="the second baseline"),
        pytest.param(changed("sweep", "rerun", True), id="measured anew"),
        pytest.param(CONFIGURATION | {"repetitions": 10}, id="more blocks"),
        pytest.param(CONFIGURATION | {"title": "mine"}, id="another title"),
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
        pytest.param(changed("interference", "steal_pct", None), id="another limit"),
        pytest.param(CONFIGURATION | {"device": "cpu"}, id="another device"),
    ],
)
def test_hash_tells_measurements_apart(other: dict[str, Any]) -> None:
    assert cell_hash(other) != cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    ("other", "peers"),
    [
        pytest.param(changed("tactic", "amount", 0.4), True, id="another amount"),
        pytest.param(CONFIGURATION | {"tactic": {}}, True, id="another tactic"),
        pytest.param(changed("sweep", "block", 2), True, id="another block"),
        pytest.param(changed("model", "name", "digits_resnet"), False, id="another model"),
        pytest.param(changed("workload", "batch_size", 2), False, id="another batch size"),
    ],
)
def test_peers_differ_in_their_tactic_alone(other: dict[str, Any], peers: bool) -> None:
    assert (peers_hash(other) == peers_hash(CONFIGURATION)) is peers


@pytest.mark.parametrize(
    ("exclusions", "lines"),
    [
        pytest.param([], [], id="nothing left out"),
        pytest.param([Exclusion("a · b", "no fit")], ["left out 1 run: no fit (a · b)"], id="one"),
        pytest.param(
            [Exclusion(name, "no fit") for name in "abc"],
            ["left out 3 runs: no fit (a, b, c)"],
            id="three, all named",
        ),
        pytest.param(
            [Exclusion(name, "no fit") for name in "abcd"],
            ["left out 4 runs: no fit (a, b, c, …)"],
            id="four, three named",
        ),
        pytest.param(
            [Exclusion("a", "x"), Exclusion("b", "y"), Exclusion("c", "x")],
            ["left out 2 runs: x (a, c)", "left out 1 run: y (b)"],
            id="a line for each reason",
        ),
    ],
)
def test_exclusion_lines(exclusions: list[Exclusion], lines: list[str]) -> None:
    assert exclusion_lines(exclusions, "runs") == lines


def test_exclusion_lines_say_what_is_left_out() -> None:
    some = [Exclusion(name, "no fit") for name in "ab"]
    assert exclusion_lines(some, "options") == ["left out 2 options: no fit (a, b)"]
    assert exclusion_lines(some[:1], "options") == ["left out 1 option: no fit (a)"]


# Chains

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


def chained(*steps: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration whose tactic is a chain."""
    chain = {"_target_": "greenexp.tactics.chain.Chain", "steps": list(steps)}
    return CONFIGURATION | {"tactic": chain}


HALF = {"half_precision": {"_target_": "greenexp.tactics.precision.HalfPrecision"}}
LAYOUT = {"channels_last": {"_target_": "greenexp.tactics.layout.ChannelsLast"}}
CHAINS = {
    "none": chained(),
    "one": chained(HALF),
    "both": chained(HALF, LAYOUT),
    "turned": chained(LAYOUT, HALF),
    "its option": chained({"half_precision": HALF["half_precision"] | {"dtype": "float16"}}),
}


def test_chains_are_told_apart_by_steps_order_and_options() -> None:
    assert len({cell_hash(chain) for chain in CHAINS.values()}) == len(CHAINS)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_chains_are_compared_with_a_baseline_of_either_kind(chain: dict[str, Any]) -> None:
    assert peers_hash(chain) == peers_hash(CHAINS["none"]) == peers_hash(CONFIGURATION)


@pytest.mark.parametrize("section", ["model", "dataset"])
def test_card_describes_and_changes_nothing(section: str) -> None:
    bare = CONFIGURATION | {section: {"id": "org/name"}}
    cards = [{"family": "ViT"}, {"family": "ViT", "parameters_m": 5.7}, None]
    described = [CONFIGURATION | {section: {"id": "org/name", "card": card}} for card in cards]
    assert {cell_hash(one) for one in described} == {cell_hash(bare)}
    assert {peers_hash(one) for one in described} == {peers_hash(bare)}
    assert cell_hash(CONFIGURATION | {section: {"id": "org/other"}}) != cell_hash(bare)
