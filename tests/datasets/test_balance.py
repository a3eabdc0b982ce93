"""Samples in which each class has as many images as any other, as far as they go."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.datasets.balance import Quota, balanced

TARGETS = st.lists(st.integers(0, 5), max_size=60)
LIMITS = st.integers(0, 70)
SEEDS = st.integers(0, 1000)


@given(TARGETS, LIMITS, SEEDS)
def test_sample_has_as_many_images_as_asked_for_in_their_order(
    targets: list[int], limit: int, seed: int
) -> None:
    sample = balanced(targets, limit, seed)
    assert len(sample) == min(limit, len(targets))
    assert sample == sorted(set(sample))
    assert set(sample) <= set(range(len(targets)))


@given(TARGETS, LIMITS, SEEDS)
def test_class_has_fewer_images_than_another_only_where_it_has_no_more(
    targets: list[int], limit: int, seed: int
) -> None:
    there = Counter(targets)
    taken = Counter(targets[index] for index in balanced(targets, limit, seed))
    for target, count in there.items():
        if taken[target] < count:
            assert taken[target] >= max(taken.values(), default=0) - 1


@given(TARGETS, LIMITS, SEEDS)
def test_smaller_sample_is_part_of_a_larger_one(targets: list[int], limit: int, seed: int) -> None:
    assert set(balanced(targets, limit, seed)) <= set(balanced(targets, limit + 1, seed))


@given(TARGETS, SEEDS)
def test_no_limit_takes_all(targets: list[int], seed: int) -> None:
    assert balanced(targets, None, seed) == list(range(len(targets)))


def test_sample_is_the_same_everywhere() -> None:
    assert balanced([0, 1, 2] * 10, 8, seed=0) == [0, 3, 4, 5, 6, 8, 13, 14]


def test_seed_draws_the_images() -> None:
    assert len({tuple(balanced([0] * 50, 5, seed)) for seed in range(20)}) > 10


def test_seed_draws_the_classes_that_get_one_more() -> None:
    targets = [0, 0, 1, 1, 2, 2]
    more = {
        Counter(targets[index] for index in balanced(targets, 4, seed)).most_common(1)[0][0]
        for seed in range(30)
    }
    assert more == {0, 1, 2}


@pytest.mark.parametrize(
    ("counts", "limit", "taken"),
    [
        pytest.param([10, 10, 10], 9, [3, 3, 3], id="even"),
        pytest.param([10, 2, 10], 10, [4, 2, 4], id="a small class gives all"),
        pytest.param([10, 0, 10], 10, [5, 0, 5], id="an empty class"),
        pytest.param([1, 1, 10], 9, [1, 1, 7], id="one class makes up for the others"),
    ],
)
def test_shares(counts: list[int], limit: int, taken: list[int]) -> None:
    targets = [target for target, count in enumerate(counts) for _ in range(count)]
    shares = Counter(targets[index] for index in balanced(targets, limit, seed=3))
    assert [shares[target] for target in range(len(counts))] == taken


def first(targets: list[int], classes: int, limit: int) -> list[int]:
    quota = Quota(classes, limit)
    return [index for index, target in enumerate(targets) if quota.takes(target)]


@given(TARGETS, LIMITS)
def test_quota_takes_the_first_of_each_class(targets: list[int], limit: int) -> None:
    taken = first(targets, 6, limit)
    of_class: dict[int, list[int]] = {}
    for index, target in enumerate(targets):
        of_class.setdefault(target, []).append(index)
    for target, indices in of_class.items():
        mine = [index for index in taken if targets[index] == target]
        assert mine == indices[: len(mine)]


@given(TARGETS, LIMITS)
def test_quota_shares_out_evenly(targets: list[int], limit: int) -> None:
    share, rest = divmod(limit, 6)
    taken = Counter(targets[index] for index in first(targets, 6, limit))
    assert sum(taken.values()) <= limit
    assert sum(max(0, count - share) for count in taken.values()) <= rest
    for target, count in Counter(targets).items():
        assert min(share, count) <= taken[target] <= share + 1


@given(st.integers(1, 6), LIMITS)
def test_quota_is_full_at_the_limit(classes: int, limit: int) -> None:
    targets = list(range(classes)) * (limit // classes + 1)
    assert first(targets, classes, limit) == list(range(limit))


def test_quota_of_full_classes_waits_for_the_others() -> None:
    quota = Quota(2, 4)
    assert [quota.takes(target) for target in (0, 0, 0, 1)] == [True, True, False, True]
    assert quota.left == 1


def test_quota_gives_what_is_left_over_to_who_comes_first() -> None:
    assert first([0, 0, 1, 2, 1, 2], 3, 4) == [0, 1, 2, 3]
