"""How a run treats its tactic: what it is shown, how its module is called, what its effect is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from greenexp.errors import NoEffect
from greenexp.measuring.experiment import run
from greenexp.protocols import Sample
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.chain import Chain
from tests.support.runs import IMAGES, MeanColor, experiment


def test_tactic_is_shown_a_batch_of_the_workload() -> None:
    seen: list[tuple[int, ...]] = []

    @dataclass(frozen=True)
    class Looking(Baseline):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            batch = sample.batch
            seen.append((*batch.shape, batch.dtype, batch.device.type, *sample.calibration))
            return module

    run(experiment(tactic=Looking()))
    assert seen == [(3, 3, 2, 2, torch.float32, "cpu")]


def test_complexity_is_taken_before_and_after_the_tactic() -> None:
    @dataclass(frozen=True)
    class Doubling(Baseline):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            return nn.Sequential(module, nn.Linear(3, 3))

    result = run(experiment(tactic=Doubling()))
    assert result.before is not None
    assert result.after is not None
    assert (result.before.parameters, result.after.parameters) == (1, 1 + 12)
    assert result.before.weights_mib < result.after.weights_mib


def test_no_gradients_are_kept_and_what_is_timed_runs_in_inference_mode() -> None:
    gradients: list[bool] = []
    inference: list[bool] = []

    @dataclass(frozen=True)
    class Asking(Baseline):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()  # what is made there can't be exported
            module.register_forward_hook(self._ask)
            return module

        def _ask(self, *_: object) -> None:
            gradients.append(torch.is_grad_enabled())
            inference.append(torch.is_inference_mode_enabled())

    run(experiment(tactic=Asking()))
    assert set(gradients) == {False}
    assert inference.count(False) == 1  # operations are counted outside of it, once
    assert inference.index(False) == 1  # after the pass that is part of the tactic's cost
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_every_pass_is_given_tensors_of_one_kind() -> None:
    """A compiled module is compiled anew for tensors that were made in inference mode."""
    kinds: list[bool] = []

    @dataclass(frozen=True)
    class Asking(Baseline):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            module.register_forward_pre_hook(lambda _, given: kinds.append(given[0].is_inference()))
            return module

    run(experiment(tactic=Asking()))
    assert len(kinds) > len(IMAGES)
    assert set(kinds) == {False}


def test_effect_that_changed_while_measured_is_a_doubt() -> None:
    seen: list[int] = []

    @dataclass(frozen=True)
    class Drifting(Baseline):
        def effect(self, module: nn.Module) -> Mapping[str, int]:
            seen.append(1)
            return {"graphs": len(seen)}  # compiled anew, say

    result = run(experiment(tactic=Drifting()))
    assert list(result.doubts) == ["effect_changed"]
    assert result.effect == {"graphs": 1}


@pytest.mark.parametrize("drifts", ["first", "last"])
def test_effect_of_any_step_that_changed_while_measured_is_a_doubt(drifts: str) -> None:
    seen: list[int] = []

    @dataclass(frozen=True)
    class Drifting(Baseline):
        def effect(self, module: nn.Module) -> Mapping[str, int]:
            seen.append(1)
            return {"graphs": 1 if len(seen) < 3 else 2}  # applied, before the windows, after them

    steps = {"first": Baseline(), "last": Baseline()} | {drifts: Drifting()}
    chain = Chain([{name: tactic} for name, tactic in steps.items()])
    result = run(experiment(tactic=chain))
    assert list(result.doubts) == ["effect_changed"]
    assert result.effect == {f"{drifts}/graphs": 1}


def test_effect_that_a_later_step_covers_is_no_doubt() -> None:
    @dataclass(frozen=True)
    class Covered(Baseline):
        def effect(self, module: nn.Module) -> Mapping[str, int]:
            if not isinstance(module, MeanColor):
                raise NoEffect("covered")
            return {"seen": 1}

    @dataclass(frozen=True)
    class Covering(Baseline):
        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            return nn.Sequential(module)

    chain = Chain([{"under": Covered()}, {"over": Covering()}])
    result = run(experiment(tactic=chain))
    assert list(result.doubts) == []
    assert result.effect == {"under/seen": 1}
