"""One run: its phases in order, every image once, meters closed whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import pytest
import torch
from torch import nn

from greenexp.errors import BadInput, NoEffect, Unfit, Unsupported
from greenexp.measuring.experiment import run
from greenexp.protocols import Sample, Traits
from greenexp.runs.result import from_json, to_json
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.chain import Chain
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
        *(QUICK.min_windows * window),
        "effect",  # is it still what it was?
        "meter off",
    ]
    assert [phase.name for phase in result.phases] == PHASES
    readings = [part.readings for part in (*result.phases, *result.windows)]
    assert [[reading.value for reading in one] for one in readings] == [
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


@pytest.mark.parametrize(
    ("model", "dataset", "error", "said"),
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
    model: FakeModel, dataset: FakeImages, error: type[BadInput], said: str
) -> None:
    log: list[str] = []
    with pytest.raises(error, match=said) as caught:
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
