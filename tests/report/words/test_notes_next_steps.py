"""What the report asks for next."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.report.words import notes
from greenexp.stats.power import units_needed
from greenexp.study.study import LeftOut
from greenexp.study.verdicts import LeftOutReason
from tests.support.noted import only, said
from tests.support.synthetic_runs import QUANTIZED, STUDY, Planted, Row, rows, without_energy

ALL = "python -m greenexp -m model=all tactic=all"


def repetitions(steps: list[str]) -> int:
    """Returns how many blocks a step asks for."""
    (number,) = re.findall(r"repetitions=(\d+)", " ".join(steps))
    return int(number)


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


def test_block_lost_to_a_flag_is_made_up_for_by_the_same_sweep() -> None:
    """A flagged run counts as unfinished, so the same repetitions measure it again."""
    made = [
        row | {"validity": "cpu_steal"}
        if (row["tactic"], row["block"]) == ("quantized", 2)
        else row
        for row in rows(blocks=6)
    ]
    _, steps = said(made)
    assert repetitions(steps) == 6
    assert "5 blocks of vit · quantized can't tell" in only(steps, "repetitions")
    step = only(steps, "flagged")
    assert step.startswith("1 run was flagged and left out: the same command on a quiet machine")


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
    assert repetitions(steps) == 8


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
