"""A run that can't go on: it ends with the error itself, and its meters are closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import pytest
import torch
from torch import nn

from greenexp.errors import BadInput, NoEffect, Unfit, Unsupported
from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from tests.support.runs import FakeImages, FakeMeter, FakeModel, experiment


@dataclass(frozen=True)
class Raising:
    """Raises where it is told to."""

    traits: ClassVar[Traits] = Traits()

    error: BaseException
    when: str  # call, forward or effect

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        if self.when == "call":
            raise self.error
        if self.when == "forward":
            module.register_forward_hook(self._raise)
        return module

    def effect(self, module: nn.Module) -> Mapping[str, str]:
        if self.when == "effect":
            raise self.error
        return {}

    def _raise(self, *_: object) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("model", "dataset", "error", "pattern"),
    [
        pytest.param(
            FakeModel(names=["cat", "dog"]), FakeImages(), Unfit, "no counterpart", id="other_names"
        ),
        pytest.param(
            FakeModel(labels="colors"),
            FakeImages(labels="digits"),
            Unfit,
            "colors.*digits",
            id="other_spaces",
        ),
        pytest.param(
            FakeModel(names=["red", "RED", "green", "blue"]),
            FakeImages(),
            BadInput,
            "ambiguous",
            id="names_twice",
        ),
    ],
)
def test_labels_that_do_not_match_end_the_run(
    model: FakeModel, dataset: FakeImages, error: type[BadInput], pattern: str
) -> None:
    log: list[str] = []
    with pytest.raises(error, match=pattern) as caught:
        run(experiment(model=model, dataset=dataset, meters=[FakeMeter(log=log)]))
    assert caught.type is error
    assert log[-1] == "meter off"


@pytest.mark.parametrize("when", ["call", "forward", "effect"])
@pytest.mark.parametrize(
    "error",
    [Unsupported("no kernel"), NoEffect("nothing"), RuntimeError("boom"), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_meters_are_closed_where_the_tactic_raises(error: BaseException, when: str) -> None:
    log: list[str] = []
    meters = [FakeMeter("one", log), FakeMeter("two", log)]
    with pytest.raises(type(error)) as caught:
        run(experiment(tactic=Raising(error, when), meters=meters))
    assert caught.value is error
    assert log[-2:] == ["two off", "one off"]
    for name in ("one", "two"):
        assert log.count(f"{name} open") == log.count(f"{name} close") == 4


def test_meters_that_are_on_are_closed_where_another_can_t_be_opened() -> None:
    class Broken(FakeMeter):
        def __enter__(self) -> Self:
            raise RuntimeError("no sensor")

    log: list[str] = []
    with pytest.raises(RuntimeError, match="no sensor"):
        run(experiment(meters=[FakeMeter("one", log), Broken("two", log)]))
    assert log == ["one on", "one off"]


def test_cuda_that_is_absent_is_refused_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, refusal: Callable[[Callable[[], object]], str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    log: list[str] = []
    absent = experiment(model=FakeModel(log), meters=[FakeMeter(log=log)], device="cuda")
    text = refusal(lambda: run(absent))
    assert "device=cuda" in text
    assert "device=cpu" in text
    assert log == []
