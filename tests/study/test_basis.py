"""What joules are made of, by the sources that runs name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from greenexp.study.basis import energy_basis
from greenexp.study.verdicts import EnergyBasis


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param([], None, id="no cell"),
        pytest.param([None, None], None, id="no energy"),
        pytest.param(["cpu:counter+gpu:counter"], EnergyBasis.COUNTER, id="counters"),
        pytest.param(["cpu:counter", None], EnergyBasis.COUNTER, id="energy of one cell"),
        pytest.param(["gpu:sampled"], EnergyBasis.SAMPLED, id="samples"),
        pytest.param(["cpu:counter+gpu:sampled"], EnergyBasis.SAMPLED, id="samples in part"),
        pytest.param(["cpu:model"], EnergyBasis.ESTIMATED, id="an estimate"),
        pytest.param(["cpu:model", "cpu:model"], EnergyBasis.ESTIMATED, id="estimates"),
        pytest.param(["cpu:model+gpu:counter"], EnergyBasis.MIXED, id="an estimate in part"),
        pytest.param(["cpu:model", "cpu:sampled"], EnergyBasis.MIXED, id="an estimate of one cell"),
    ],
)
def test_basis_is_that_of_the_least_certain_source(
    sources: Sequence[str | None], expected: EnergyBasis | None
) -> None:
    assert energy_basis(sources) is expected


@pytest.mark.parametrize("basis", EnergyBasis)
def test_estimates_are_held_by_what_is_estimated_at_least_in_part(basis: EnergyBasis) -> None:
    assert basis.holds_estimates is (basis in (EnergyBasis.ESTIMATED, EnergyBasis.MIXED))
