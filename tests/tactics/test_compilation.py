"""torch.compile: graphs and their breaks, its options, the compiler that it needs."""

from __future__ import annotations

import functools
import importlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from greenexp.errors import BadInput, NoEffect
from greenexp.tactics.compilation import TorchCompile
from tests.support.modules import loaded, on_cuda, seen


class Split(nn.Module):
    """Two layers that the compiler can't join."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.first(rows)
        torch._dynamo.graph_break()
        return self.second(hidden)


def whole() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


CUTS = [pytest.param(whole, 1, 0, id="whole"), pytest.param(Split, 2, 1, id="split")]


@pytest.fixture(autouse=True)
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A compiler that has compiled nothing yet; random numbers are the same in each test."""
    import torch._dynamo
    from torch._dynamo.utils import counters

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own code, at its import
        importlib.import_module("torch._inductor.compile_fx")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    counters.clear()
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch._dynamo.reset()
    counters.clear()


@pytest.fixture
def eager_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits modules into graphs and counts them, and leaves out the C++ compiler."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("eager_backend")
@pytest.mark.parametrize(("make", "graphs", "breaks"), CUTS)
def test_graphs_and_their_breaks_are_counted(
    make: Callable[[], nn.Module], graphs: int, breaks: int
) -> None:
    rows = torch.randn(3, 4)
    tactic = TorchCompile()
    module = make().eval()
    compiled = tactic(module, seen(rows))
    torch.testing.assert_close(compiled(rows), module(rows))
    effect = tactic.effect(compiled)
    assert (effect["graphs"], effect["graph_breaks"]) == (graphs, breaks)
    assert ("first_graph_break" in effect) == (breaks > 0)


@pytest.mark.usefixtures("eager_backend")
def test_first_break_is_named_in_one_line() -> None:
    rows = torch.randn(3, 4)
    compiled = TorchCompile()(Split().eval(), seen(rows))
    compiled(rows)
    reason = str(TorchCompile().effect(compiled)["first_graph_break"])
    assert "graph_break" in reason
    assert len(reason.splitlines()) == 1


def test_options_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(torch, "compile", lambda module, **options: given.update(options))
    TorchCompile(mode="max-autotune", dynamic=False, fullgraph=True)(whole(), on_cuda())
    assert given == {"mode": "max-autotune", "dynamic": False, "fullgraph": True}


def test_what_never_ran_has_no_effect() -> None:
    tactic = TorchCompile()
    module = tactic(whole(), on_cuda())
    with pytest.raises(NoEffect, match="compiled no graph"):
        tactic.effect(module)


@pytest.mark.usefixtures("eager_backend")
def test_no_computation_has_no_effect() -> None:
    rows = torch.randn(3, 4)
    compiled = TorchCompile()(nn.Identity(), seen(rows))
    compiled(rows)
    with pytest.raises(NoEffect, match="compiled no graph"):
        TorchCompile().effect(compiled)


@pytest.mark.parametrize("installed", ["g++", "c++", "clang++", None])
def test_the_cpu_needs_one_of_three_compilers(
    monkeypatch: pytest.MonkeyPatch, installed: str | None
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == installed else None)
    sample = seen(torch.randn(3, 4))
    if installed is None:
        with pytest.raises(BadInput, match=r"needs a C\+\+ compiler"):
            TorchCompile()(whole(), sample)
    else:
        assert isinstance(TorchCompile()(whole(), sample), nn.Module)


def test_cuda_needs_no_cpp_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert isinstance(TorchCompile()(whole(), on_cuda()), nn.Module)


@pytest.mark.slow
@pytest.mark.parametrize(("make", "graphs", "breaks"), CUTS)
def test_inductor_keeps_the_logits(make: Callable[[], nn.Module], graphs: int, breaks: int) -> None:
    rows = torch.randn(3, 4)
    tactic = TorchCompile()
    module = make().eval()
    compiled = tactic(module, seen(rows))
    torch.testing.assert_close(compiled(rows), module(rows))
    effect = tactic.effect(compiled)
    assert (effect["graphs"], effect["graph_breaks"]) == (graphs, breaks)


@pytest.mark.slow
def test_inductor_takes_a_whole_classifier(vit_folder: Path) -> None:
    sample = seen()
    tactic = TorchCompile()
    compiled = tactic(loaded(vit_folder), sample)
    exact = loaded(vit_folder)(sample.batch)
    torch.testing.assert_close(compiled(sample.batch), exact, atol=1e-4, rtol=1e-3)
    assert tactic.effect(compiled)["graph_breaks"] == 0
