"""Power of all components together."""

from __future__ import annotations

import pytest

from greenexp.study.power import total_power


@pytest.mark.parametrize(
    ("series", "total"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"cpu": []}, [], id="no sample"),
        pytest.param({"cpu": [(0.0, 3.0), (1.0, 4.0)]}, [(0.0, 3.0), (1.0, 4.0)], id="one"),
        pytest.param(
            {"cpu": [(0.0, 0.0), (2.0, 4.0)], "gpu_0": [(0.0, 10.0), (1.0, 20.0), (1.5, 30.0)]},
            [(0.0, 10.0), (1.0, 22.0), (1.5, 33.0)],
            id="at the times of the denser",
        ),
        pytest.param(
            {"cpu": [(1.0, 1.0), (3.0, 3.0)], "gpu_0": [(t, 10.0) for t in (0.0, 1.0, 2.0, 4.0)]},
            [(1.0, 11.0), (2.0, 12.0)],
            id="while both were sampled",
        ),
        pytest.param(
            {"cpu": [(0.0, 1.0), (1.0, 1.0)], "gpu_0": [(2.0, 10.0)]}, [], id="never together"
        ),
    ],
)
def test_total_power(
    series: dict[str, list[tuple[float, float]]], total: list[tuple[float, float]]
) -> None:
    assert total_power(series) == total
