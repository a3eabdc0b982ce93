"""What a tactic costs in accuracy, image by image and over models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from greenexp.runs.outcomes import ImageOutcomes
from greenexp.study import accuracy
from greenexp.study.accuracy import counted, over_models, relations
from greenexp.study.estimates import Accuracy, Interval, Quantity
from greenexp.study.pairs import groups
from greenexp.study.study import Cell, Setting
from tests.support.synthetic_runs import (
    IMAGES,
    RIGHT,
    STUDY,
    Planted,
    Row,
    predictions,
    right,
    rows,
    used,
    without,
)

SETTING = Setting("digits", "local", "steady", "Made-up CPU")


def change(
    planted: Planted = STUDY["quantized"],
    *,
    judged: Mapping[str, ImageOutcomes | None] | None = None,
    made: list[Row] | None = None,
) -> Accuracy | None:
    """Returns what is said of a tactic that does what is planted."""
    tactics = {"tactic": planted}
    made = rows(tactics=tactics, blocks=2) if made is None else made
    (group,) = groups(used(made))
    if judged is None:
        read = predictions(made, tactics)
        judged = {run.id: read(run.id) for run in group.first_runs()}
    counts = counted(group, "tactic", judged)
    return None if counts is None else accuracy.tested(counts)


@settings(max_examples=40)
@given(st.integers(0, 60), st.integers(0, 60))
def test_change_is_that_of_the_images(lost: int, gained: int) -> None:
    estimate = change(Planted(lost=lost, gained=gained))
    assert estimate is not None
    assert (estimate.lost, estimate.gained, estimate.images) == (lost, gained, len(IMAGES))
    assert estimate.delta == pytest.approx((gained - lost) / len(IMAGES))
    assert estimate.top1 == pytest.approx((RIGHT + gained - lost) / len(IMAGES))
    assert estimate.interval is not None
    assert estimate.interval.low <= estimate.delta <= estimate.interval.high
    assert estimate.interval.low < estimate.interval.high
    exact = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert estimate.p_value == pytest.approx(exact)


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_first_block_speaks_whatever_blocks_are_called(names: tuple[str, str]) -> None:
    """What was measured together has a name drawn by lot; blocks have their numbers."""
    planted = Planted(lost=12, gained=3)
    made = rows(tactics={"tactic": planted}, blocks=2)
    estimate = change(planted, made=[row | {"together": names[row["block"] - 1]} for row in made])
    assert estimate is not None
    assert (estimate.lost, estimate.gained) == (12, 3)


def test_interval_known_answer() -> None:
    """Agresti and Min (2005): half an image is added to each cell of the table."""
    estimate = change(Planted(lost=12, gained=3))
    assert estimate is not None
    n, difference = 402, (3.5 - 12.5) / 402
    half = norm.ppf(0.975) * math.sqrt(((3.5 + 12.5) / n - difference**2) / n)
    assert estimate.interval is not None
    assert estimate.interval.low == pytest.approx(difference - half)
    assert estimate.interval.high == pytest.approx(difference + half)


def test_repeats_of_the_same_images_are_not_more_images() -> None:
    few, many = (
        change(made=rows(tactics={"tactic": STUDY["quantized"]}, blocks=blocks))
        for blocks in (1, 30)
    )
    assert few == many


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda judged: {}, id="predictions are gone"),
        pytest.param(dict.fromkeys, id="none can be read"),
        pytest.param(
            lambda judged: {
                key: ImageOutcomes(IMAGES[::-1], outcomes.correct)
                if "/tactic/" in key
                else outcomes
                for key, outcomes in judged.items()
            },
            id="other images",
        ),
        pytest.param(
            lambda judged: {key: ImageOutcomes((), np.array([], dtype=bool)) for key in judged},
            id="no images",
        ),
    ],
)
def test_without_the_same_images_the_change_has_no_error(spoil: Any) -> None:
    made = rows(tactics={"tactic": Planted(lost=40)}, blocks=1)
    read = predictions(made, {"tactic": Planted(lost=40)})
    estimate = change(made=made, judged=spoil({row["run_id"]: read(row["run_id"]) for row in made}))
    assert estimate == Accuracy(delta=pytest.approx(-0.1), top1=pytest.approx(0.65))  # type: ignore[arg-type] # near it


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(
            [row for row in rows(tactics={"tactic": Planted()}) if row["tactic"] == "tactic"],
            id="no baseline",
        ),
        pytest.param(
            without(rows(tactics={"tactic": Planted()}), "accuracy/top1"), id="nothing judged"
        ),
    ],
)
def test_change_may_be_unknown(made: list[Row]) -> None:
    assert change(made=made, judged={}) is None


def model(lost: int, gained: int, images: int = 400) -> Accuracy:
    delta = (gained - lost) / images
    return Accuracy(delta, 0.5, Interval(delta - 0.1, delta + 0.1), images, lost, gained, 0.5)


def test_over_models_each_counts_by_its_error_and_by_what_models_differ_by() -> None:
    estimate = over_models([model(10, 2), model(12, 3), model(9, 1), model(11, 3)])
    assert estimate is not None
    assert (estimate.models, estimate.lost, estimate.gained) == (4, 42, 9)
    assert estimate.top1 is None
    assert estimate.interval is not None
    assert estimate.interval.low < estimate.delta < estimate.interval.high < 0
    assert estimate.delta == pytest.approx(-0.02, abs=0.002)
    assert estimate.p_value is not None
    assert estimate.p_value < 0.05


def test_over_models_that_differ_the_interval_is_theirs() -> None:
    """Each change is known to a hair; what is unknown is the next model."""
    alike = over_models([model(100, 0, 50_000)] * 4)
    apart = over_models([model(lost, 0, 50_000) for lost in (0, 400, 50, 2000)])
    assert alike is not None
    assert apart is not None
    assert alike.interval is not None
    assert apart.interval is not None
    assert alike.interval.high < 0 < apart.interval.high
    assert apart.interval.high - apart.interval.low > 0.02
    assert apart.delta == pytest.approx(-2450 / 4 / 50_000, rel=0.02)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6))
def test_over_models_is_a_number_within_what_models_say(made: list[tuple[int, int]]) -> None:
    of_models = [model(lost, gained) for lost, gained in made]
    estimate = over_models(of_models)
    assert estimate is not None
    assert estimate.interval is not None
    deltas = [of_model.delta for of_model in of_models]
    assert min(deltas) - 1e-9 <= estimate.delta <= max(deltas) + 1e-9
    assert math.isfinite(estimate.interval.low)
    assert estimate.interval.low <= estimate.delta <= estimate.interval.high
    assert estimate.p_value is not None
    assert 0 <= estimate.p_value <= 1


@pytest.mark.parametrize(
    ("models", "delta"),
    [
        pytest.param([model(10, 2)], -0.02, id="one model"),
        pytest.param([model(10, 2), Accuracy(-0.1, 0.5)], -0.06, id="one without predictions"),
        pytest.param([Accuracy(-0.1, 0.5), Accuracy(0.0, 0.6)], -0.05, id="none with them"),
        pytest.param(
            [model(10, 2), Accuracy(-0.13, 0.5), model(10, 2), model(12, 0)],
            -0.05,
            id="one of four without them",
        ),
    ],
)
def test_over_models_without_what_it_needs_there_is_a_mean_and_no_more(
    models: list[Accuracy], delta: float
) -> None:
    estimate = over_models(models)
    assert estimate == Accuracy(pytest.approx(delta), models=len(models))  # type: ignore[arg-type] # near it


def test_over_no_model_nothing_is_known() -> None:
    assert over_models([]) is None


def cell(name: str, correct: Any, images: tuple[str, ...] = IMAGES) -> tuple[Cell, ImageOutcomes]:
    top1 = {"accuracy/top1": Quantity(float(np.mean(correct)))}
    return Cell(SETTING, name, "baseline", 1, top1, run_ids=[name]), ImageOutcomes(images, correct)


def related(
    *members: tuple[Cell, ImageOutcomes | None],
) -> tuple[list[list[bool]], list[list[bool]]]:
    """Returns whether each is right more often than each other, or as often."""
    judged = {of.run_ids[0]: outcomes for of, outcomes in members}
    better, equal = relations([of for of, _ in members], judged)
    return better.tolist(), equal.tolist()


def test_cell_is_shown_better_only_beyond_what_the_images_leave_open() -> None:
    best = cell("best", right(Planted()))
    near = cell("near", right(Planted(lost=1)))
    worse = cell("worse", right(Planted(lost=30, gained=5)))
    better, equal = related(best, near, worse)
    assert better == [[False, False, True], [False, False, True], [False, False, False]]
    assert equal == np.eye(3, dtype=bool).tolist()


def test_cells_equally_often_right_are_equal_whichever_images_those_are() -> None:
    member = cell("one", right(Planted()))
    other = cell("other", right(Planted())[::-1])
    assert related(member, other) == ([[False] * 2] * 2, [[True] * 2] * 2)


@pytest.mark.parametrize("gone", [True, False], ids=["no predictions", "other images"])
def test_cells_not_judged_on_the_same_images_are_left_open(gone: bool) -> None:
    best, (worst, judged) = cell("a", right(Planted())), cell("b", right(Planted(lost=200)))
    elsewhere = None if gone else ImageOutcomes(IMAGES[::-1], judged.correct)
    better, equal = related(best, (worst, elsewhere))
    assert better == [[False] * 2] * 2
    assert equal == np.eye(2, dtype=bool).tolist()


def test_mean_of_equal_top1_is_equal_whatever_the_number_of_blocks() -> None:
    single, other = (
        Cell(SETTING, name, "baseline", n, {"accuracy/top1": Quantity(float(np.mean([0.1] * n)))})
        for name, n in (("a", 1), ("b", 3))
    )
    assert relations([single, other], {})[1].all()
