"""Outputs that are no numbers are an error, whatever they would rank as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from greenexp.errors import NotFinite
from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from tests.support.runs import IMAGES, QUICK, FakeModel, MeanColor, experiment


class Spoilt(nn.Module):
    """A model some of whose logits become a value, for images of one color."""

    def __init__(self, inner: nn.Module, value: float, output: int, color: int | None) -> None:
        super().__init__()
        self.inner, self.value, self.output, self.color = inner, value, output, color

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(pixels).clone()
        touched = torch.ones(len(logits), dtype=torch.bool)
        if self.color is not None:
            touched = pixels.mean(dim=(2, 3)).argmax(dim=1) == self.color
        logits[touched, self.output] = self.value
        return logits


@dataclass(frozen=True)
class Spoiling:
    """Spoils the model that it is given."""

    traits: ClassVar[Traits] = Traits()
    value: float

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        return Spoilt(module, self.value, 0, None)

    def effect(self, module: nn.Module) -> Mapping[str, Any]:
        return {"spoilt": True}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize("output", [0, 1, 2])
@pytest.mark.parametrize(("color", "images"), [(None, 7), (0, 2), (1, 3), (2, 2)])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_each_image_with_such_logits_is_counted_once(
    value: float, output: int, color: int | None, images: int, batch_size: int
) -> None:
    model = FakeModel(module=Spoilt(MeanColor(), value, output, color))
    given = experiment(model=model, workload=replace(QUICK, batch_size=batch_size))
    with pytest.raises(NotFinite, match=f"^{images} of {len(IMAGES)} images have logits"):
        run(given)


def test_a_tactic_that_spoils_a_good_model_is_found() -> None:
    with pytest.raises(NotFinite, match="7 of 7 images"):
        run(experiment(tactic=Spoiling(float("nan"))))


def test_large_logits_are_numbers() -> None:
    assert run(experiment(model=FakeModel(module=Spoilt(MeanColor(), 1e38, 0, 0)))).outcome == "ok"
