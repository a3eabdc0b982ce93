"""2:4 sparsity: the mask, where it runs, what it takes; the kernels are for test_gpu.py."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from greenexp.errors import NoEffect, Unsupported
from greenexp.tactics.semi_structured_sparsity import SemiStructuredSparsity, two_of_four
from tests.support.modules import SparseOnCpu, as_in_a_run, beside, error, on_cuda, seen

finite = st.floats(-1e3, 1e3, width=32)
weights = st.tuples(st.integers(1, 5), st.integers(1, 8)).flatmap(
    lambda size: arrays.arrays(np.float32, (size[0], 4 * size[1]), elements=finite)
)


@pytest.fixture(autouse=True)
def _as_in_a_run() -> Iterator[None]:
    with as_in_a_run():
        yield


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU with sparse tensor cores, as far as a CPU can play it."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.sparse, "to_sparse_semi_structured", SparseOnCpu.of)


@given(weights)
def test_mask_keeps_the_two_largest_of_each_four_in_a_row(values: np.ndarray) -> None:
    weight = torch.from_numpy(values)
    mask = two_of_four(weight)
    assert (mask.shape, mask.dtype) == (weight.shape, weight.dtype)
    fours, magnitudes = mask.reshape(-1, 4), weight.abs().reshape(-1, 4)
    assert set(fours.unique().tolist()) <= {0.0, 1.0}
    assert (fours.sum(dim=1) == 2).all()
    kept = magnitudes.masked_fill(fours == 0, torch.inf).amin(dim=1)
    gone = magnitudes.masked_fill(fours == 1, -torch.inf).amax(dim=1)
    assert (kept >= gone).all()


@given(weights, st.sampled_from([torch.float16, torch.bfloat16, torch.float32]))
def test_mask_of_what_is_sparse_already_changes_nothing(
    values: np.ndarray, dtype: torch.dtype
) -> None:
    weight = torch.from_numpy(values).to(dtype)
    sparse = weight * two_of_four(weight)
    assert torch.equal(sparse * two_of_four(sparse), sparse)


def test_mask_goes_along_rows_not_columns() -> None:
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 4)
    assert torch.equal(two_of_four(weight), torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 4))


def test_cpu_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="use device=cuda"):
        SemiStructuredSparsity()(nn.Linear(64, 64), seen())


@pytest.mark.parametrize("capability", [(7, 0), (7, 5)], ids=["volta", "turing"])
def test_gpu_without_sparse_cores_is_unsupported(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    with pytest.raises(Unsupported, match=r"compute capability 8\.0"):
        SemiStructuredSparsity()(nn.Linear(64, 64), on_cuda())


@pytest.mark.usefixtures("ampere")
@pytest.mark.parametrize(
    ("size", "fits"),
    [
        pytest.param((64, 64), True, id="least"),
        pytest.param((192, 128), True, id="multiples"),
        pytest.param((32, 64), False, id="too_few_columns"),
        pytest.param((64, 96), False, id="rows_no_multiple"),
        pytest.param((64, 10), False, id="ten_classes"),
    ],
)
def test_layers_of_fitting_size_become_sparse(size: tuple[int, int], fits: bool) -> None:
    tactic = SemiStructuredSparsity()
    module = tactic(beside(size, (64, 64)), on_cuda(torch.randn(3, 256)))  # the second always fits
    assert tactic.effect(module) == {
        "modules_sparse": 1 + fits,
        "linear_modules": 2,
        "pattern": "2:4",
    }
    assert module(torch.randn(3, 256)).shape == (3, size[1] + 64)


@pytest.mark.usefixtures("ampere")
def test_what_fits_no_layer_has_no_effect() -> None:
    tactic = SemiStructuredSparsity()
    module = tactic(beside((32, 64), (64, 10)), on_cuda(torch.randn(3, 256)))
    with pytest.raises(NoEffect, match="multiples of 64"):
        tactic.effect(module)


@pytest.mark.usefixtures("ampere")
def test_weights_are_halved_in_number_and_in_precision() -> None:
    module = nn.Sequential(nn.Linear(128, 64)).eval().requires_grad_(False)
    weight = module[0].weight.half()
    rows = torch.randn(3, 128)
    exact = rows @ (weight * two_of_four(weight)).float().t() + module[0].bias
    cast = SemiStructuredSparsity()(module, on_cuda(rows))
    logits = cast(rows)
    assert logits.dtype is torch.float32
    assert error(logits, exact) < 0.005
    kept = cast.module[0].weight.to_dense()
    assert kept.dtype is torch.float16
    assert int((kept != 0).sum()) == weight.numel() // 2
    assert not cast.module[0].weight.requires_grad


def test_dense_model_has_no_effect() -> None:
    with pytest.raises(NoEffect, match="no Linear layer was made sparse"):
        SemiStructuredSparsity().effect(nn.Sequential(nn.Linear(64, 64)))
