"""The machine that measures is asked what fits, what is read, and what it is."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from greenexp.errors import BadInput
from greenexp.measuring.machine import conditions, fingerprint
from greenexp.sweep.preflight import Inspection, Preflight
from greenexp.sweep.survey import (
    fetch,
    read_configurations,
    survey,
    survey_of,
    write_configurations,
)
from tests.support.preflights import CONFIGURATION, OPENVINO, SPARSE


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "openvino" else there(name)
    )


def test_a_machine_tells_what_it_is_and_what_fits_in_order(without_openvino: None) -> None:
    answer = survey([CONFIGURATION, CONFIGURATION | {"tactic": OPENVINO}], Preflight())
    assert (answer.machine, answer.conditions) == (fingerprint(), conditions())
    fits, does_not = answer.inspections
    assert isinstance(fits, Inspection)
    assert set(fits.inputs) == {"model"}
    assert "openvino" in str(does_not)
    assert survey_of(json.loads(json.dumps(answer.as_json()))) == answer


def test_what_the_nodes_have_is_not_looked_for_where_the_command_is_given(
    without_openvino: None,
) -> None:
    elsewhere = Preflight(looks=False, here=False)
    tactics = [OPENVINO, SPARSE]
    answer = survey([CONFIGURATION | {"tactic": tactic} for tactic in tactics], elsewhere)
    assert all(isinstance(inspection, Inspection) for inspection in answer.inspections)


def test_what_ends_the_sweep_is_no_finding_of_one_cell(tmp_path: Path) -> None:
    missing = {"_target_": "greenexp.models.local.Local", "path": str(tmp_path / "none")}
    with pytest.raises(BadInput, match="none"):
        survey([CONFIGURATION | {"model": missing}], Preflight())
    fetch([CONFIGURATION | {"model": missing}])  # it may be there where it is measured


def test_what_cells_share_is_written_once_and_is_one_object_again(tmp_path: Path) -> None:
    cells: list[dict[str, Any]] = [CONFIGURATION, CONFIGURATION | {"tactic": OPENVINO}]
    path = tmp_path / "cells.json"
    write_configurations(cells, path)
    first, second = read_configurations(path)
    assert [first, second] == cells
    assert first["model"] is second["model"]
    assert path.read_text().count("digits_vit") == 1
