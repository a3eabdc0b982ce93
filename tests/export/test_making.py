"""Which step of a chain an artefact is made of, and what is said of a disk that is full."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from greenexp.errors import BadInput, Unsupported
from greenexp.export import making
from greenexp.measuring import isolation
from greenexp.tactics.chain import Chain, steps_of
from tests.support.chains import STEPS


@pytest.mark.parametrize(
    ("names", "last"),
    [
        pytest.param(["structured_pruning", "openvino"], "openvino", id="the last"),
        pytest.param(["openvino", "threads"], "openvino", id="before a way of running"),
        pytest.param(["openvino", "threads", "batch_size"], "openvino", id="before two"),
        pytest.param(["batch_size", "local_pruning"], "local_pruning", id="after one"),
        pytest.param(["threads", "batch_size"], "batch_size", id="nothing is changed"),
    ],
)
def test_artefact_is_made_of_the_last_step_that_changes_the_module(
    names: Sequence[str], last: str
) -> None:
    steps = steps_of(Chain([{name: STEPS[name]} for name in names]))
    assert steps[making._last_change(steps)].name == last


def test_images_that_have_no_room_are_told_before_they_are_written(tmp_path: Path) -> None:
    making._check_room(tmp_path, 1.0)
    with pytest.raises(BadInput, match=r"the images to replay take about \d+: make room, or set"):
        making._check_room(tmp_path, 1e21)


def test_disk_with_room_is_not_called_full(tmp_path: Path) -> None:
    assert making.full_disk(str(tmp_path), str(tmp_path)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("small_disk", ["300K"], indirect=True)
def test_disk_that_gets_full_is_told_with_the_cure(small_disk: Path, tmp_path: Path) -> None:
    given = {
        "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
        "tactic": {"_target_": "greenexp.tactics.quantization.Int8WeightOnly"},
        "dataset": {"_target_": "greenexp.datasets.digits.Digits"},
        "device": "cpu",
        "workload": {},
        "interference": {},
        "meters": {},
    }
    ended = isolation.call(making.make, given, str(small_disk), str(tmp_path), timeout_s=300)
    assert ended.kind == "returned"
    with pytest.raises(Unsupported, match=r"is full: make room, or give another with export\.f"):
        making.made_in(tmp_path)
