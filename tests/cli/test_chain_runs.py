"""Chains in a run: each step timed, metered and proven on its own; and real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from greenexp.errors import NoEffect
from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from greenexp.runs.metrics import evaluate
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.chain import Chain, steps_of
from greenexp.tactics.complexity import complexity
from greenexp.tactics.running import BatchSize
from tests.support.builders import hardware
from tests.support.chains import chain
from tests.support.modules import as_in_a_run, embedded, error, loaded, pixels, seen
from tests.support.runs import QUICK, FakeMeter, experiment


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


@dataclass(frozen=True)
class Adding:
    """Puts a layer on top and proves it."""

    traits: ClassVar[Traits] = Traits()

    factor: float

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        scale = nn.Linear(3, 3, bias=False)
        scale.weight.copy_(self.factor * torch.eye(3))
        return nn.Sequential(module, scale).eval()

    def effect(self, module: nn.Module) -> Mapping[str, float]:
        return {"factor": float(module[-1].weight[0, 0]), "layers": len(module)}


@dataclass(frozen=True)
class Idle(Adding):
    """Changes nothing, and says so."""

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        return module

    def effect(self, module: nn.Module) -> Mapping[str, float]:
        raise NoEffect("nothing was changed")


TWO = Chain([{"double": Adding(2.0)}, {"triple": Adding(3.0)}])


def test_steps_are_applied_in_order_and_proven_each_in_its_turn() -> None:
    result = run(experiment(tactic=TWO))
    assert result.effect == {
        "double/factor": 2.0,
        "double/layers": 2,
        "triple/factor": 3.0,
        "triple/layers": 2,
    }
    assert result.before is not None
    assert result.after is not None
    assert (result.before.parameters, result.after.parameters) == (1, 1 + 2 * 9)


def test_each_step_is_a_phase_of_its_own() -> None:
    result = run(experiment(tactic=TWO, meters=[FakeMeter()]))
    spent = [(phase.name, phase.step) for phase in result.phases]
    assert spent == [
        ("idle", ""),
        ("load", ""),
        ("optimize", "double"),
        ("optimize", "triple"),
        ("accuracy", ""),
        ("warmup", ""),
    ]
    readings = [phase.readings[0].value for phase in result.phases]
    assert readings == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]  # the meter counts its windows


def test_first_forward_pass_of_a_step_is_within_its_phase() -> None:
    log: list[str] = []

    @dataclass(frozen=True)
    class Logging(Baseline):
        name: str = ""

        def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
            log.append(self.name)
            module.register_forward_hook(lambda *_: log.append("forward"))
            return module

    steps = Chain([{"a": Logging("a")}, {"b": Logging("b")}])
    run(experiment(tactic=steps, meters=[FakeMeter(log=log)]))
    start = log.index("a") - 1
    assert log[start : start + 8] == [
        *("meter open", "a", "forward", "meter close"),
        *("meter open", "b", "forward", "forward"),  # two hooks by now
    ]


def test_metrics_of_the_steps_add_up() -> None:
    """A meter that reads 1 J in its first window, 2 J in its second, …"""
    result = run(experiment(tactic=TWO, meters=[FakeMeter()]))
    metrics = evaluate(result, hardware(price={"usd_per_hour": 3600.0, "usd_per_kwh": 3.6}))
    assert metrics["optimization/double/energy_j"] == 4.0
    assert metrics["optimization/triple/energy_j"] == 5.0
    for quantity in ("time_s", "energy_j", "cost_usd"):
        parts = [metrics[f"optimization/{step}/{quantity}"] for step in ("double", "triple")]
        assert all(part > 0 for part in parts)
        assert metrics[f"optimization/{quantity}"] == pytest.approx(sum(parts))


def test_step_without_effect_ends_the_run() -> None:
    steps = Chain([{"idle": Idle(1.0)}, {"double": Adding(2.0)}])
    with pytest.raises(NoEffect, match="nothing was changed"):
        run(experiment(tactic=steps))


def test_chain_without_steps_runs_as_the_baseline_does() -> None:
    empty, baseline = (run(experiment(tactic=tactic)) for tactic in (Chain([]), Baseline()))
    assert empty.effect == {"steps": 0}
    assert [(phase.name, phase.step) for phase in empty.phases] == [
        (phase.name, phase.step) for phase in baseline.phases
    ]
    assert empty.predictions == baseline.predictions
    assert empty.after == empty.before == baseline.after


def test_batch_size_of_a_step_drives_the_whole_run() -> None:
    steps = Chain([{"double": Adding(2.0)}, {"batch_size": BatchSize(2)}])
    result = run(experiment(tactic=steps, workload=QUICK))
    assert {window.images / len(window.latencies_s) for window in result.windows} == {2.0}
    assert result.effect["batch_size/batch_size"] == 2


# Real ones


@pytest.mark.parametrize(
    ("names", "within"),
    [
        pytest.param("half_precision int8_dynamic", 0.05, id="half_then_int8"),
        pytest.param("channels_last half_precision", 0.05, id="layout_then_half"),
        pytest.param("channels_last dynamic_quantization", 0.05, id="layout_then_int8"),
        pytest.param("channels_last local_pruning", None, id="layout_then_pruning"),
        pytest.param("channels_last structured_pruning", None, id="layout_then_structured"),
        pytest.param("half_precision structured_pruning", None, id="half_then_structured"),
        pytest.param("structured_pruning int8_dynamic", None, id="structured_then_int8"),
        pytest.param("global_pruning structured_pruning", None, id="both_prunings"),
        pytest.param("local_pruning int4_weight_only", None, id="pruning_then_int4"),
    ],
)
def test_steps_work_on_what_those_before_left(names: str, within: float | None) -> None:
    module, effects, sample = embedded("digits_vit").module, {}, seen()
    exact = module(sample.batch)
    for step in steps_of(chain(*names.split())):
        module = step.tactic(module, sample)
        effects[step.name] = step.tactic.effect(module)
    logits = module(sample.batch)
    assert (logits.shape, logits.dtype) == ((4, 10), torch.float32)
    assert all(effects.values())
    assert not module.training
    if within is not None:
        assert 0 < error(logits, exact) < within


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        "structured_pruning int8_dynamic torch_compile",
        "half_precision channels_last torch_compile",
        "structured_pruning channels_last static_quantization",
        "structured_pruning channels_last onnx_runtime",
        "structured_pruning openvino threads",
    ],
    ids=lambda names: names.replace(" ", "_then_"),
)
def test_compilers_and_engines_take_what_others_made(vit_folder: Path, names: str) -> None:
    module, sample = loaded(vit_folder), seen(calibration=[pixels()])
    before = complexity(module, sample.batch)
    for step in steps_of(chain(*names.split())):
        exact = module(sample.batch)
        module = step.tactic(module, sample)
        with torch.inference_mode():
            logits = module(sample.batch)
        assert step.tactic.effect(module)
        if step.name != "structured_pruning":
            assert error(logits, exact) < 0.05
    after = complexity(module, sample.batch)
    if names.startswith("structured"):
        assert after.parameters < before.parameters
    if after.macs is not None and before.macs is not None:
        assert after.macs <= before.macs
