"""The time that a sweep has left."""

from __future__ import annotations

from greenexp.sweep.pace import Pace


def test_before_the_first_block_the_forecast_tells_and_counts_down() -> None:
    pace = Pace(14, forecast_s=380.0)
    assert [pace.left(now_s) for now_s in (0.0, 80.0)] == [
        "about 6 min 20 s left",
        "about 5 min left",
    ]
    assert pace.left(400.0) == "longer than forecast"


def test_without_a_forecast_the_runs_are_counted() -> None:
    assert Pace(1).left(30.0) == "1 run to go"
    assert Pace(14).left(30.0) == "14 runs to go"


def test_all_runs_of_a_block_end_at_once() -> None:
    """Its first line must not say that a block of seven was one run."""
    pace = Pace(14)
    pace.end_block(7, 58.0)
    assert pace.left(58.0) == "about 58 s left"


def test_the_time_left_shrinks_while_a_block_is_measured() -> None:
    pace = Pace(30)
    pace.end_block(10, 100.0)
    assert [pace.left_s(now_s) for now_s in (100.0, 150.0, 290.0)] == [200.0, 150.0, 10.0]
    pace.end_block(20, 320.0)
    assert pace.left(320.0) == "done"
