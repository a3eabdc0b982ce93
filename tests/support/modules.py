"""What tests of tactics apply them to: small modules, and samples of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.sparse import SparseSemiStructuredTensor

from greenexp.datasets.digits import Digits
from greenexp.models.embedded_model import Embedded
from greenexp.models.local import Local
from greenexp.protocols import Classifier, Sample, Samples

Refusal = Callable[[Callable[[], object]], str]


@contextmanager
def as_in_a_run() -> Iterator[None]:
    """Without gradients, with the same random numbers in each test, and on one thread.

    Over modules this small, several threads only wait for each other.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)


def loaded(folder: Path) -> nn.Module:
    return Local(str(folder)).load("cpu").module


def embedded(name: str) -> Classifier:
    return Embedded(name).load("cpu")


def pixels(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 32, 32)


def seen(batch: Tensor | None = None, calibration: Sequence[Tensor] = ()) -> Sample:
    return Sample(pixels() if batch is None else batch, calibration)


class OnCuda(Tensor):
    """A tensor of the CPU that says it is a GPU's."""

    device = torch.device("cuda")
    __torch_function__ = torch._C._disabled_torch_function_impl


def on_cuda(batch: Tensor | None = None) -> Sample:
    return Sample((pixels() if batch is None else batch).as_subclass(OnCuda))


def batches(classifier: Classifier, samples: Samples, size: int) -> list[Tensor]:
    """Whole batches of a split, preprocessed; what is left over is left out."""
    images = [samples.image(index) for index in range(len(samples.targets))]
    return [batch for batch in classifier.preprocess(images).split(size) if len(batch) == size]


class Small(nn.Module):
    """A convolution and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=4)
        self.linear = nn.Linear(16, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.conv(images).relu().mean(dim=(2, 3)))


def small() -> nn.Module:
    torch.manual_seed(1)
    return Small().eval().requires_grad_(False)


class Beside(nn.Module):
    """Linear layers side by side, each fed from the first values of a row."""

    def __init__(self, sizes: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.each = nn.ModuleList(nn.Linear(*size) for size in sizes)

    def forward(self, rows: Tensor) -> Tensor:
        return torch.cat([layer(rows[:, : layer.in_features]) for layer in self.each], dim=1)


def beside(*sizes: tuple[int, int]) -> nn.Module:
    return Beside(sizes).eval().requires_grad_(False)


def accuracy(module: nn.Module, split: Sequence[Tensor]) -> float:
    """Of the digits in batches of the evaluation split, the fraction told right."""
    with torch.inference_mode():
        told = torch.cat([module(batch).argmax(dim=1) for batch in split])
    return float((told == torch.tensor(Digits().load().targets[: len(told)])).float().mean())


def error(logits: Tensor, exact: Tensor) -> float:
    """The largest error of a logit, in units of the largest logit."""
    return float((logits - exact).abs().max() / exact.abs().max())


def zeros(layer: nn.Module) -> float:
    return float((layer.weight == 0).float().mean())


class SparseOnCpu(SparseSemiStructuredTensor):
    """A 2:4 sparse weight as a GPU's, but packed as it is and multiplied as any other."""

    @classmethod
    def of(cls, dense: Tensor) -> SparseOnCpu:
        return cls(dense.shape, dense, None, dense.t(), None, None)

    def _mm(self, other: Tensor, *, bias: Tensor | None = None, **how: bool) -> Tensor:
        product = other @ self.packed.t() if how.get("should_transpose_dense") else None
        if product is None:
            return self.packed @ other
        return product if bias is None else product + bias
