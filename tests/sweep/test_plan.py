"""The plan of a sweep: order, blocks, what is left out."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.sweep.plan import (
    Cell,
    Exclusion,
    PlannedRun,
    baselines_of,
    blocks,
    exclusion_lines,
    left_of,
    product,
    without_idle_baselines,
)


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


def test_an_option_stands_beside_the_choices_that_have_it_and_others_come_once() -> None:
    choices = [["t=base", "t=pruned"], ["t.amount=0.3", "t.amount=0.5"], ["w=q"]]
    assert product(choices, {("t=base", "t.amount")}) == [
        ("t=base", "w=q"),
        ("t=pruned", "t.amount=0.3", "w=q"),
        ("t=pruned", "t.amount=0.5", "w=q"),
    ]


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
    unique_by=lambda member: member.id,
    max_size=12,
)
seeds = st.integers(0, 2**32)


@given(studies, st.integers(1, 4), seeds)
def test_each_block_holds_every_cell_once_and_compared_baselines_twice(
    cells: list[Cell], repetitions: int, seed: int
) -> None:
    runs = flat(blocks(cells, repetitions, seed, baselines=2))
    models_of_others = {member.peers for member in cells if not member.is_baseline}
    once = {(member.id, 1) for member in cells}
    again = {
        (member.id, 2)
        for member in cells
        if member.is_baseline and member.peers in models_of_others
    }
    expected = {
        (block, name, replicate)
        for block in range(1, repetitions + 1)
        for name, replicate in once | again
    }
    counts = Counter((run.block, run.cell.id, run.replicate) for run in runs)
    assert counts == Counter(expected)
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
    runs = flat(blocks(cells, 1, seed=0, baselines=2))
    assert [run.name for run in runs if run.replicate > 1] == again
    assert len(runs) == len(cells) + len(again)


@given(studies, seeds, st.integers(1, 3), st.integers(0, 3))
def test_more_repetitions_leave_earlier_blocks_as_they_were(
    cells: list[Cell], seed: int, repetitions: int, more: int
) -> None:
    runs = flat(blocks(cells, repetitions, seed, baselines=2))
    assert flat(blocks(cells, repetitions + more, seed, baselines=2))[: len(runs)] == runs


@pytest.mark.parametrize(
    ("models", "repetitions", "baselines"),
    [(1, 1, 6), (2, 1, 4), (3, 1, 3), (4, 1, 3), (5, 1, 2), (1, 2, 4), (1, 5, 2), (42, 10, 2)],
)
def test_few_blocks_have_more_baselines(models: int, repetitions: int, baselines: int) -> None:
    """All baselines together tell the spread between processes with five degrees of freedom."""
    cells = [cell(f"m{n}", tactic) for n in range(models) for tactic in ("baseline", "x")]
    planned = blocks(cells, repetitions, seed=1)
    counts = {sum(run.cell.is_baseline for run in block) for block in planned}
    assert counts == {baselines}
    assert len(planned) * (baselines - 1) >= 5


def test_models_without_tactics_or_baseline_need_no_more_of_the_others() -> None:
    cells = [cell("a", "baseline"), cell("a", "x"), cell("b", "baseline"), cell("c", "x")]
    sizes = {block[0].cell.peers: len(block) for block in blocks(cells, 1, seed=1)}
    assert sizes == {"a": 7, "b": 1, "c": 1}


@given(studies, st.integers(1, 3), st.integers(1, 6), seeds)
def test_baselines_of_a_block_come_in_the_order_of_their_replicates(
    cells: list[Cell], repetitions: int, baselines: int, seed: int
) -> None:
    for block in blocks(cells, repetitions, seed, baselines + 1):
        replicates = [run.replicate for run in block if run.cell.is_baseline]
        assert replicates == list(range(1, len(replicates) + 1))


@given(studies, st.integers(1, 3), st.integers(1, 4), seeds)
def test_each_tactic_has_as_many_processes_as_asked(
    cells: list[Cell], repetitions: int, processes: int, seed: int
) -> None:
    for block in blocks(cells, repetitions, seed, processes=processes):
        replicates_of: dict[tuple[str, bool], list[int]] = {}
        for run in block:
            replicates_of.setdefault((run.cell.id, run.cell.is_baseline), []).append(run.replicate)
        compares = {is_baseline for _, is_baseline in replicates_of} == {True, False}
        for (_, is_baseline), replicates in replicates_of.items():
            assert replicates == list(range(1, len(replicates) + 1))
            if not is_baseline:
                assert len(replicates) == (processes if compares else 1)
            elif compares:
                assert len(replicates) >= max(2, processes)


@pytest.mark.parametrize(
    ("tactics", "processes", "baselines"),
    [([1], 1, 6), ([1], 2, 5), ([1], 3, 4), ([4], 2, 2), ([4], 3, 3), ([3] * 5, 2, 2), ([2], 4, 4)],
)
def test_repeated_tactics_tell_the_spread_as_baselines_do(
    tactics: list[int], processes: int, baselines: int
) -> None:
    assert baselines_of(tactics, processes) == baselines
    assert len(tactics) * (baselines - 1) + sum(tactics) * (processes - 1) >= 5


def test_a_process_of_a_tactic_that_is_missing_brings_further_baselines() -> None:
    block = blocks([cell("vit", "baseline"), cell("vit", "x")], 1, seed=0, processes=3)[0]
    done = [run.key for run in block if run.key != ("vit/x", 1, 3)]
    assert len(block) == 7
    assert without_idle_baselines(block, done) == block
    assert {run.key for run in left_of(block, done)} == {
        ("vit/x", 1, 3),
        *(("vit/baseline", 1, replicate) for replicate in (1, 2, 3, 4)),
    }


def test_a_finished_block_needs_no_further_baselines() -> None:
    block = blocks([cell("vit", "baseline"), cell("vit", "x")], 1, seed=0)[0]
    done = [("vit/baseline", 1, 1), ("vit/baseline", 1, 2), ("vit/x", 1, 1)]
    assert len(block) == 7
    assert {run.key for run in without_idle_baselines(block, done)} == set(done)
    assert without_idle_baselines(block, done[:2]) == block
    every = [run.key for run in block]
    assert without_idle_baselines(block, every) == block


def keys(seed: int, block: int) -> list[tuple[str, int]]:
    """Returns the order of the study's runs in one block."""
    runs = flat(blocks(STUDY, repetitions=3, seed=seed, baselines=2))
    return [(run.cell.id, run.replicate) for run in runs if run.block == block]


def test_order_is_that_of_the_seed_and_the_block() -> None:
    assert keys(seed=0, block=1) == keys(seed=0, block=1)
    orders = [tuple(keys(seed, block)) for seed in (0, 1) for block in (1, 2, 3)]
    assert len(set(orders)) == len(orders)  # twelve runs: 1 of 479 001 600 orders


def test_order_is_the_same_in_every_process_and_release() -> None:
    # Pinned: a sweep that goes on where another stopped must find its blocks in their order.
    tactics = [cell("vit", tactic) for tactic in ("baseline", "a", "b", "c")]
    names = [run.name.removeprefix("vit · ") for run in flat(blocks(tactics, 2, 7, 2))]
    assert names == [
        "b · block 1",
        "c · block 1",
        "baseline · block 1",
        "a · block 1",
        "baseline · block 1 · A/A",
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
    assert len(planned) == 2 * len({member.peers for member in STUDY})


BLOCK = blocks([cell("vit", tactic) for tactic in ("baseline", "a", "b")], 1, 0, 2)[0]


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


def test_labels_that_do_not_match_are_one_line_whatever_they_are() -> None:
    models = [Exclusion(f"m{n}", "labels are cifar10", "cifar10") for n in range(2)]
    models += [Exclusion(f"v{n}", "labels are imagenet_1k", "imagenet_1k") for n in range(50)]
    assert exclusion_lines(models[:2], "options") == [
        "left out 2 options: labels are cifar10 (m0, m1)"
    ]
    assert exclusion_lines([*models, Exclusion("x", "no fit")], "options") == [
        "left out 52 options: their labels are not the data set's: 50 of imagenet_1k, "
        "2 of cifar10 (m0, m1, v0, …)",
        "left out 1 option: no fit (x)",
    ]
