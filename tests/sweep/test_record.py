"""What stands against a run beside the baselines that it was measured with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.runs.result import Predictions, Result
from greenexp.sweep.record import beside_baselines
from tests.support.builders import cpu_run, window


def judging(*best: int) -> Result:
    predictions = Predictions(
        identifiers=[str(n) for n in range(len(best))],
        targets=list(range(len(best))),
        ranked=[[one] for one in best],
    )
    return replace(cpu_run(window()), predictions=predictions)


GOOD, DULL = judging(0, 1, 2), judging(1, 1, 1)


@pytest.mark.parametrize(
    ("results", "doubted"),
    [
        pytest.param({0: GOOD, 1: DULL, 2: GOOD}, [1], id="the baselines can tell"),
        pytest.param({0: DULL, 1: DULL, 2: DULL}, [], id="nor can the baseline"),
        pytest.param({0: GOOD, 1: GOOD, 2: GOOD}, [], id="all can tell"),
        pytest.param({1: DULL}, [], id="no baseline"),
        pytest.param({0: Result("oom"), 1: DULL, 2: GOOD}, [1], id="one baseline failed"),
    ],
)
def test_one_answer_to_every_image_is_a_doubt_where_the_baseline_has_several(
    results: dict[int, Result], doubted: list[int]
) -> None:
    judged = beside_baselines(results, {0, 2})
    with_doubt = [n for n, result in judged.items() if "constant_predictions" in result.doubts]
    assert with_doubt == doubted
