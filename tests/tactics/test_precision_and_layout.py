"""Half precision, channels last, and the tactics that change only how the module is driven."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.datasets.digits import Digits
from greenexp.errors import NoEffect, Unsupported
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.precision import Dtype, HalfPrecision, Method
from greenexp.tactics.running import BatchSize, Threads
from tests.support.modules import (
    accuracy,
    as_in_a_run,
    batches,
    embedded,
    error,
    loaded,
    pixels,
    seen,
)

# bfloat16 has 8 bits of mantissa, float16 has 11; rounding adds up over the layers.
WITHIN = {"bfloat16": 0.05, "float16": 0.01}


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


@pytest.mark.parametrize("method", ["cast", "autocast"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_half_precision_keeps_logits_close_but_not_equal(
    request: pytest.FixtureRequest, family: str, dtype: Dtype, method: Method
) -> None:
    folder = request.getfixturevalue(family)
    sample = seen(pixels(16))
    exact = loaded(folder)(sample.batch)
    logits = HalfPrecision(dtype, method)(loaded(folder), sample)(sample.batch)
    assert logits.dtype is torch.float32
    assert 0 < error(logits, exact) < WITHIN[dtype]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_vit", "digits_mobilenet_v2"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_keeps_the_accuracy(name: str, dtype: Dtype) -> None:
    classifier = embedded(name)
    split = batches(classifier, Digits().load(), 32)
    before = accuracy(classifier.module, split)
    module = HalfPrecision(dtype)(classifier.module, seen(split[0]))
    assert accuracy(module, split) == pytest.approx(before, abs=0.01)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_cast_converts_weights_and_statistics_for_good(resnet_folder: Path, dtype: Dtype) -> None:
    tactic = HalfPrecision(dtype)
    module = tactic(loaded(resnet_folder), seen())
    tensors = list(module.parameters())
    meant = getattr(torch, dtype)
    assert {tensor.dtype for tensor in tensors} == {meant}
    assert {tensor.dtype for tensor in module.buffers() if tensor.is_floating_point()} == {meant}
    assert tactic.effect(module) == {
        "dtype": dtype,
        "method": "cast",
        "tensors_cast": len(tensors),
        "tensors": len(tensors),
    }


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_autocast_leaves_weights_and_computes_in_half(dtype: Dtype) -> None:
    inner = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)).eval()
    computed: list[torch.dtype] = []
    inner[1].register_forward_hook(lambda layer, given, out: computed.append(out.dtype))
    tactic = HalfPrecision(dtype, "autocast")
    module = tactic(inner, seen())
    assert module(pixels()).dtype is torch.float32
    assert computed == [getattr(torch, dtype)]
    assert {tensor.dtype for tensor in module.parameters()} == {torch.float32}
    assert tactic.effect(module) == {"dtype": dtype, "method": "autocast"}
    assert not torch.is_autocast_enabled("cpu")


class Mixing(nn.Module):
    """Code that makes float32 of its own and multiplies it with what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.ones(2, 3, dtype=torch.float32) @ self.head.weight.t()


def test_model_whose_code_mixes_types_can_t_be_cast() -> None:
    with pytest.raises(Unsupported, match=r"can't compute in torch\.bfloat16 throughout") as caught:
        HalfPrecision()(Mixing().eval(), seen())
    assert len(str(caught.value).splitlines()) == 1


def test_model_whose_code_mixes_types_can_be_autocast() -> None:
    module = HalfPrecision(method="autocast")(Mixing().eval(), seen())
    assert module(pixels()).dtype is torch.float32


@pytest.mark.parametrize("method", ["cast", "autocast"])
def test_half_precision_not_applied_has_no_effect(vit_folder: Path, method: Method) -> None:
    with pytest.raises(NoEffect, match="no weight was cast"):
        HalfPrecision(method=method).effect(loaded(vit_folder))


def test_half_precision_of_another_type_has_no_effect(vit_folder: Path) -> None:
    module = HalfPrecision("float16")(loaded(vit_folder), seen())
    with pytest.raises(NoEffect):
        HalfPrecision("bfloat16").effect(module)


def test_casting_a_model_without_weights_has_no_effect() -> None:
    tactic = HalfPrecision()
    with pytest.raises(NoEffect, match="none in floating point"):
        tactic.effect(tactic(nn.Flatten().eval(), seen()))


# Layout


def convolutions(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("layers", "moved", "of"),
    [
        pytest.param([nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)], 2, 2, id="two"),
        pytest.param([nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)], 1, 2, id="one_pixel_is_in_both"),
        pytest.param(
            [nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8)], 1, 2, id="one_channel_is_in_both"
        ),
        pytest.param([nn.Conv2d(3, 8, 1)], 0, 1, id="none_can_be_told"),
    ],
)
def test_channels_last_counts_the_convolutions_it_moved(
    layers: list[nn.Module], moved: int, of: int
) -> None:
    tactic = ChannelsLast()
    module = tactic(convolutions(*layers), seen())
    assert tactic.effect(module) == {"convolutions_moved": moved, "convolutions": of}


def test_channels_last_hands_the_images_over_in_that_layout() -> None:
    inner = convolutions(nn.Conv2d(3, 8, 3))
    layouts: list[bool] = []
    inner[0].register_forward_pre_hook(
        lambda layer, given: layouts.append(
            given[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    ChannelsLast()(inner, seen())(pixels())
    assert layouts == [True]


@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_channels_last_keeps_the_logits(request: pytest.FixtureRequest, family: str) -> None:
    folder = request.getfixturevalue(family)
    sample = seen()
    exact = loaded(folder)(sample.batch)
    assert error(ChannelsLast()(loaded(folder), sample)(sample.batch), exact) < 1e-5


def test_channels_last_without_convolutions_has_no_effect() -> None:
    tactic = ChannelsLast()
    module = tactic(convolutions(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), seen())
    with pytest.raises(NoEffect, match="no Conv2d"):
        tactic.effect(module)


# Running; that a run is driven so is in test_experiment.py


def test_batch_size_leaves_the_module_and_says_its_images(vit_folder: Path) -> None:
    module = loaded(vit_folder)
    assert BatchSize(32)(module, seen()) is module
    assert BatchSize(32).effect(module) == {"batch_size": 32}


def test_threads_says_what_torch_computes_with(vit_folder: Path) -> None:
    module = loaded(vit_folder)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert Threads(3)(module, seen()) is module
        assert Threads(3).effect(module) == {"threads": 2}  # as it is, not as was asked
    finally:
        torch.set_num_threads(before)
