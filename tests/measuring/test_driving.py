"""What a tactic asks of a run by its traits: training images, a batch size, threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import nn

from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from greenexp.tactics.running import BatchSize, Threads
from greenexp.tactics.static_quantization import StaticQuantization
from tests.support.runs import (
    COLORS,
    QUICK,
    FakeImages,
    FakeMeter,
    FakeModel,
    MeanColor,
    experiment,
)

# Calibration


@dataclass(frozen=True)
class Calibrated:
    """Asks for training images and keeps what it is shown."""

    traits: Traits
    shown: list[torch.Tensor] = field(default_factory=list)

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        self.shown.extend(sample.calibration)
        return module

    def effect(self, module: nn.Module) -> Mapping[str, int]:
        return {"batches": len(self.shown)}


def colors_of(batches: Sequence[torch.Tensor]) -> list[str]:
    return [list(COLORS)[int(image.mean(dim=(1, 2)).argmax())] for image in torch.cat([*batches])]


@pytest.mark.parametrize(
    ("wanted", "there", "batches", "colors"),
    [
        pytest.param(0, 4, 0, "", id="none"),
        pytest.param(3, 4, 1, "red blue red", id="a_batch"),
        pytest.param(4, 4, 2, "red blue red blue blue blue", id="filled_up"),
        pytest.param(9, 4, 2, "red blue red blue blue blue", id="fewer_than_asked_for"),
        pytest.param(1, 4, 1, "red red red", id="one"),
    ],
)
def test_tactic_is_shown_the_training_images_it_asks_for(
    wanted: int, there: int, batches: int, colors: str
) -> None:
    dataset = FakeImages(training=["red", "blue", "red", "blue"][:there])
    tactic = Calibrated(Traits(calibration_images=wanted))
    run(experiment(tactic=tactic, dataset=dataset))
    assert dataset.asked == ([wanted] if wanted else [])
    assert [batch.shape for batch in tactic.shown] == batches * [(QUICK.batch_size, 3, 2, 2)]
    assert (colors_of(tactic.shown) if batches else []) == colors.split()
    assert all(batch.dtype is torch.float32 for batch in tactic.shown)


def test_no_image_of_the_evaluation_is_among_those_calibrated_on() -> None:
    """The evaluation is green and blue; whatever is shown to the tactic is red."""
    dataset = FakeImages(colors=["green", "blue"] * 3, training=["red"] * 4)
    tactic = Calibrated(Traits(calibration_images=4))
    result = run(experiment(tactic=tactic, dataset=dataset))
    assert set(colors_of(tactic.shown)) == {"red"}
    assert result.predictions is not None
    assert len(result.predictions.targets) == 6


def test_calibration_is_prepared_before_the_tactic_is_timed() -> None:
    log: list[str] = []
    dataset = FakeImages(log, training=["red"] * 3)
    tactic = Calibrated(Traits(calibration_images=3))
    run(experiment(tactic=tactic, dataset=dataset, meters=[FakeMeter(log=log)]))
    optimize = [index for index, entry in enumerate(log) if entry == "meter open"][3]
    assert log[optimize : optimize + 2] == ["meter open", "meter close"]
    decoded = [entry for entry in log[:optimize] if entry.startswith("image")]
    assert len(decoded) == 6 + 3  # the pool, then the training images


@pytest.mark.slow
def test_static_quantization_is_calibrated_on_training_images_only() -> None:
    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 16, 1), nn.Linear(16, 3)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(images).relu().mean(dim=(2, 3)))

    dataset = FakeImages(training=["red", "green", "blue", "red"])
    tactic = StaticQuantization(calibration_images=4)
    model = FakeModel(module=Layers().requires_grad_(False))
    result = run(experiment(model=model, tactic=tactic, dataset=dataset))
    assert dataset.asked == [4]
    assert result.effect == {
        "calibration_images": 4,
        "conv2d_quantized": 1,
        "conv2d": 1,
        "linear_quantized": 1,
        "linear": 1,
        "activation_bits": 8 if torch.cpu._is_vnni_supported() else 7,
    }
    assert result.before is not None
    assert result.after is not None
    assert result.after.macs == result.before.macs
    assert result.after.parameters == result.before.parameters
    assert list(result.doubts) == []


# What drives the module


@pytest.mark.parametrize("images", [1, 2, 5])
def test_batch_size_tactic_takes_the_place_of_the_workloads(images: int) -> None:
    module = MeanColor()
    model = FakeModel(module=module)
    result = run(experiment(model=model, tactic=BatchSize(images)))
    assert {shape[0] for shape in module.shapes} == {images}
    assert {window.images / len(window.latencies_s) for window in result.windows} == {float(images)}
    assert result.effect == {"batch_size": images}
    assert QUICK.batch_size == 3


def test_threads_tactic_takes_the_place_of_the_workloads() -> None:
    before = torch.get_num_threads()
    counted: list[int] = []

    @dataclass(frozen=True)
    class Counting(Threads):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            module.register_forward_hook(lambda *_: counted.append(torch.get_num_threads()))
            return module

    try:
        result = run(experiment(tactic=Counting(2), workload=replace(QUICK, threads=1)))
        assert set(counted) == {2}
        assert result.effect == {"threads": 2}
        assert result.environment["torch_threads"] == 2
        # Its process is its own and ends with it, so nothing is set back.
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_tactic_that_does_not_drive_leaves_the_workload_as_it_is() -> None:
    before = torch.get_num_threads()
    module = MeanColor()
    run(experiment(model=FakeModel(module=module)))
    assert {shape[0] for shape in module.shapes} == {QUICK.batch_size}
    assert torch.get_num_threads() == before
