"""One run: its phases in order, every image once, and what its record holds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from greenexp.runs.result import from_json, to_json
from tests.support.runs import (
    COLORS,
    IMAGES,
    QUICK,
    FakeImages,
    FakeMeter,
    FakeModel,
    MeanColor,
    experiment,
)

PHASES = ["idle", "load", "optimize", "accuracy", "warmup"]


@dataclass(frozen=True)
class Logged:
    """The module as it is; its call, its forward passes and its effect are logged."""

    traits: ClassVar[Traits] = Traits()

    log: list[str]

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        self.log.append("tactic")
        module.register_forward_hook(lambda *_: self.log.append("forward"))
        return module

    def effect(self, module: nn.Module) -> Mapping[str, str]:
        self.log.append("effect")
        return {"proof": "seen"}


def collapsed(log: Sequence[str]) -> list[str]:
    """The log with repetitions left out."""
    return [entry for index, entry in enumerate(log) if index == 0 or entry != log[index - 1]]


def test_phases_come_in_order_and_each_is_metered() -> None:
    log: list[str] = []
    result = run(experiment(model=FakeModel(log), tactic=Logged(log), meters=[FakeMeter(log=log)]))
    window = ["meter open", "forward", "meter close"]
    assert collapsed(log) == [
        "meter on",
        *("meter open", "meter close"),  # how hot the machine is
        *("meter open", "meter close"),  # idle
        *("meter open", "load on cpu", "meter close"),
        *("meter open", "tactic", "forward", "meter close"),  # optimize
        "effect",
        "forward",  # its operations are counted
        "effect",  # as it is before it is measured
        *window,  # accuracy
        *window,  # warm-up
        "forward",  # what it answers before it is measured
        *(QUICK.min_windows * window),
        "forward",  # and after
        "effect",  # is it still what it was?
        "meter off",
    ]
    assert [phase.name for phase in result.phases] == PHASES
    readings = [part.readings for part in (*result.phases, *result.windows)]
    assert [[reading.value for reading in part] for part in readings] == [
        [float(index)] for index in range(2, len(PHASES) + QUICK.min_windows + 2)
    ]


def test_stretches_of_time_follow_one_another() -> None:
    result = run(experiment(workload=replace(QUICK, idle_seconds=0.01)))
    stretches = [*result.phases, *result.windows]
    ends = [part.start_s + part.duration_s for part in stretches]
    assert all(part.duration_s > 0 for part in stretches)
    assert all(later.start_s >= end for later, end in zip(stretches[1:], ends, strict=False))
    assert stretches[0].start_s >= 0
    assert result.phases[0].duration_s >= 0.01


def test_images_are_decoded_before_the_windows() -> None:
    log: list[str] = []
    run(experiment(dataset=FakeImages(log), tactic=Logged(log), meters=[FakeMeter(log=log)]))
    steady = log[log.index("effect") :]
    opened = [index for index, entry in enumerate(steady) if entry == "meter open"]
    after_accuracy = steady[opened[1] :]
    assert not any(entry.startswith("image") for entry in after_accuracy)
    # the pool of 6, then the whole split, its last batch filled up by repeats of image 6
    decoded = [int(entry.removeprefix("image ")) for entry in log if entry.startswith("image")]
    assert decoded == [*range(6), *range(7), 6, 6]


@pytest.mark.parametrize(
    "batch_size",
    [
        pytest.param(1, id="one"),
        pytest.param(3, id="does_not_divide_the_split"),
        pytest.param(7, id="the_split"),
        pytest.param(16, id="more_than_the_split"),
    ],
)
def test_every_image_is_predicted_once_at_one_shape(batch_size: int) -> None:
    module = MeanColor()
    workload = replace(QUICK, batch_size=batch_size)
    result = run(experiment(model=FakeModel(module=module), workload=workload))
    assert result.outcome == "ok"
    predictions = result.predictions
    assert predictions is not None
    assert predictions.identifiers == [f"{index}-{name}" for index, name in enumerate(IMAGES)]
    assert predictions.targets == [list(COLORS).index(name) for name in IMAGES]
    assert [ranked[0] for ranked in predictions.ranked] == predictions.targets
    assert all(sorted(ranked) == [0, 1, 2] for ranked in predictions.ranked)
    assert set(module.shapes) == {(batch_size, 3, 2, 2)}


def test_at_most_five_outputs_are_kept_best_first() -> None:
    class Counting(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return torch.arange(9.0).repeat(len(pixels), 1)

    names = [*COLORS, *"abcdef"]
    result = run(experiment(model=FakeModel(module=Counting(), names=names)))
    assert result.predictions is not None
    assert list(result.predictions.ranked) == [[8, 7, 6, 5, 4]] * len(IMAGES)


def test_offset_shifts_the_targets_to_the_outputs() -> None:
    result = run(experiment(model=FakeModel(offset=1)))
    predictions = result.predictions
    assert predictions is not None
    assert predictions.targets == [1 + list(COLORS).index(name) for name in IMAGES]
    assert [ranked[0] for ranked in predictions.ranked] == predictions.targets


def test_windows_hold_their_latencies_and_images() -> None:
    result = run(experiment(workload=replace(QUICK, min_windows=3, max_windows=3)))
    assert len(result.windows) == 3
    for window in result.windows:
        assert len(window.latencies_s) >= 4
        assert all(latency_s > 0 for latency_s in window.latencies_s)
        assert window.images == QUICK.batch_size * len(window.latencies_s)
        assert sum(window.latencies_s) <= window.duration_s


@pytest.mark.parametrize(
    ("pool_images", "batches"),
    [
        pytest.param(1, 1, id="less_than_a_batch"),
        pytest.param(3, 1, id="one_batch"),
        pytest.param(6, 2, id="two_batches"),
        pytest.param(999, 2, id="more_than_the_split"),
    ],
)
def test_pool_holds_whole_batches_of_real_images(pool_images: int, batches: int) -> None:
    log: list[str] = []
    dataset = FakeImages(log)
    run(experiment(dataset=dataset, workload=replace(QUICK, pool_images=pool_images)))
    decoded = [entry for entry in log if entry.startswith("image")]
    whole_split = 9  # 7 images and 2 repeats
    assert len(decoded) - whole_split == batches * QUICK.batch_size


def test_images_of_a_repository_say_which_commit_they_are_of() -> None:
    result = run(experiment(dataset=FakeImages(commit="0123abc")))
    assert result.provenance == {"checkpoint": "fake", "dataset_commit": "0123abc"}


def test_record_holds_what_was_run_and_survives_json() -> None:
    log: list[str] = []
    meters = [FakeMeter("one"), FakeMeter("two")]
    result = run(experiment(tactic=Logged(log), meters=meters))
    assert result.effect == {"proof": "seen"}
    assert result.provenance == {"checkpoint": "fake"}
    assert (result.device, list(result.components)) == ("cpu", ["cpu", "dram", "process"])
    assert [series.meter for series in result.series] == ["one", "two"]
    for part in (*result.phases, *result.windows):
        assert [reading.meter for reading in part.readings] == ["one", "two"]
    assert result.environment["packages"]["torch"] == torch.__version__
    assert (result.reason, result.traceback, list(result.doubts)) == (None, None, [])
    last = result.windows[-1]
    assert result.duration_s is not None
    assert result.duration_s >= last.start_s + last.duration_s
    again = from_json(to_json(result))
    assert json.loads(to_json(again)) == json.loads(to_json(result))


def test_threads_are_those_of_the_workload() -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            result = run(experiment(workload=replace(QUICK, threads=threads)))
            assert result.environment["torch_threads"] == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("changes", "doubts"),
    [
        pytest.param({}, [], id="settled"),
        pytest.param({"warmup_max_seconds": 0.0}, ["warmup_not_settled"], id="no_time_to_settle"),
    ],
)
def test_warm_up_that_did_not_settle_is_a_doubt(
    changes: dict[str, float], doubts: list[str]
) -> None:
    result = run(experiment(workload=replace(QUICK, **changes)))
    assert list(result.doubts) == doubts
    assert len(result.windows) == QUICK.min_windows
