"""The Pareto front where figures have intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenexp.study.estimates import Interval
from greenexp.study.pareto import Objective, front

Figure = tuple[float, Interval | None]  # value and interval, less being better


@st.composite
def figures(draw: st.DrawFn) -> Figure:
    """Draws few values, so that some are equal."""
    at = float(draw(st.integers(0, 6)))
    if not draw(st.integers(0, 9)):
        return at, None
    below, above = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return at, Interval(at - below / 2, at + above / 2)


@st.composite
def point_sets(draw: st.DrawFn) -> list[tuple[Figure, ...]]:
    """Draws points of as many objectives."""
    count = draw(st.integers(1, 3))
    return draw(st.lists(st.tuples(*[figures()] * count), min_size=1, max_size=8))


def on_front(points: Sequence[Sequence[Figure]]) -> list[bool]:
    objectives = [
        Objective([value for value, _ in column], [interval for _, interval in column])
        for column in zip(*points, strict=True)
    ]
    return front([(objective.better(), objective.equal()) for objective in objectives])


def dominates(point: Sequence[Figure], other: Sequence[Figure]) -> bool:
    """Says so figure by figure."""
    ahead = False
    for (value, interval), (others, against) in zip(point, other, strict=True):
        better = interval is not None and against is not None and interval.high < against.low
        if not better and value != others:
            return False
        ahead |= better
    return ahead


@given(point_sets())
def test_front_agrees_with_point_by_point(points: list[tuple[Figure, ...]]) -> None:
    assert on_front(points) == [
        not any(dominates(other, point) for other in points) for point in points
    ]


@given(point_sets())
def test_front_is_never_empty(points: list[tuple[Figure, ...]]) -> None:
    assert any(on_front(points))


@given(point_sets(), st.randoms())
def test_front_does_not_depend_on_order(points: list[tuple[Figure, ...]], lot: object) -> None:
    order = list(range(len(points)))
    lot.shuffle(order)  # type: ignore[attr-defined]
    before, after = on_front(points), on_front([points[index] for index in order])
    assert after == [before[index] for index in order]


@given(point_sets())
def test_better_in_all_dominates(points: list[tuple[Figure, ...]]) -> None:
    """A point wholly below every other is alone on the front."""
    assume(all(interval is not None for point in points for _, interval in point))
    best = tuple((-9.0, Interval(-9.5, -8.5)) for _ in points[0])
    assert on_front([*points, best]) == [False] * len(points) + [True]


@given(point_sets())
def test_worse_in_all_changes_nothing(points: list[tuple[Figure, ...]]) -> None:
    assume(all(interval is not None for point in points for _, interval in point))
    worst = tuple((99.0, Interval(98.0, 100.0)) for _ in points[0])
    assert on_front([*points, worst]) == [*on_front(points), False]


@given(point_sets(), st.floats(0.5, 2.0))
def test_front_has_no_unit(points: list[tuple[Figure, ...]], factor: float) -> None:
    scaled = [
        tuple(
            (value * factor, interval and Interval(interval.low * factor, interval.high * factor))
            for value, interval in point
        )
        for point in points
    ]
    assert on_front(scaled) == on_front(points)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_overlapping_intervals_dominate_nothing(values: list[tuple[float, float]]) -> None:
    points = [[(value, Interval(value - 1, value + 1)) for value in point] for point in values]
    assert on_front(points) == [True] * len(values)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_without_intervals_nothing_is_dominated(values: list[tuple[float, float]]) -> None:
    assert on_front([[(value, None) for value in point] for point in values]) == [True] * len(
        values
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8))
def test_exact_values_give_the_usual_front(values: list[tuple[int, int]]) -> None:
    points = [[(float(value), Interval(value, value)) for value in point] for point in values]
    expected = [
        not any(a <= own and b <= other and (a, b) != (own, other) for a, b in values)
        for own, other in values
    ]
    assert on_front(points) == expected


def at(low: float, high: float) -> Figure:
    return (low + high) / 2, Interval(low, high)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([[at(1, 2), at(1, 2)]], [True], id="alone"),
        pytest.param([[at(1, 2), at(1, 2)], [at(3, 4), at(3, 4)]], [True, False], id="better"),
        pytest.param([[at(1, 2), at(3, 4)], [at(3, 4), at(1, 2)]], [True, True], id="trade-off"),
        pytest.param([[at(1, 2), at(1, 3)], [at(3, 4), at(2, 5)]], [True, True], id="one open"),
        pytest.param([[at(1, 2), at(1, 3)], [at(3, 4), at(1, 3)]], [True, False], id="one equal"),
        pytest.param([[at(1, 3), at(1, 3)], [at(1, 3), at(1, 3)]], [True, True], id="twins"),
        pytest.param([[at(1, 2)], [at(2, 3)]], [True, True], id="touching"),
        pytest.param([[at(1, 2)], [(9.0, None)]], [True, True], id="no interval"),
        pytest.param([[at(1, 2)], [at(3, math.inf)]], [True, False], id="no upper end"),
    ],
)
def test_front_known_answers(points: list[list[Figure]], expected: list[bool]) -> None:
    assert on_front(points) == expected
