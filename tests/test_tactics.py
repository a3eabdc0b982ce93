"""What each tactic does to a module, and how it proves that it did."""

from __future__ import annotations

import functools
import importlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from greenexp.config import build
from greenexp.errors import BadInput, NoEffect, Unsupported
from greenexp.models.local import Local
from greenexp.protocols import Tactic
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.pruning import GlobalPruning, LocalPruning, prunable
from greenexp.tactics.quantization import DynamicQuantization

Refusal = Callable[[Callable[[], object]], str]

EVERY = {
    "baseline": Baseline(),
    "eager": DynamicQuantization("eager"),
    "torchao": DynamicQuantization("torchao"),
    "local_pruning": LocalPruning(0.5),
    "global_pruning": GlobalPruning(0.5),
}
PRUNINGS = [
    pytest.param(LocalPruning, id="local"),
    pytest.param(GlobalPruning, id="global"),
]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    """As in a run; random numbers are the same in each test."""
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def vit(folder: Path) -> nn.Module:
    return Local(str(folder)).load("cpu").module


def pixels(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32)


def on_cuda() -> Any:
    """All that a tactic looks at in a sample before it starts."""
    return SimpleNamespace(device=torch.device("cuda"))


def sparsity(layer: nn.Module) -> float:
    return float((layer.weight == 0).float().mean())


# All of them


@pytest.mark.parametrize("tactic", EVERY.values(), ids=EVERY)
def test_module_keeps_shape_type_and_device_of_its_logits(vit_folder: Path, tactic: Tactic) -> None:
    sample = pixels()
    optimized = tactic(vit(vit_folder), sample)
    logits = optimized(sample)
    assert (logits.shape, logits.dtype, logits.device) == ((4, 3), torch.float32, sample.device)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("tactic", EVERY.values(), ids=EVERY)
def test_tactic_can_t_be_changed_after_it_is_made(tactic: Tactic) -> None:
    with pytest.raises(AttributeError):
        tactic.amount = 0.9


def test_baseline_changes_nothing_and_proves_nothing(vit_folder: Path) -> None:
    module = vit(vit_folder)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert Baseline()(module, pixels()) is module
    assert Baseline().effect(module) == {}
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


# Dynamic quantization


@pytest.mark.parametrize(
    ("backend", "ran"),
    [("eager", "eager"), ("torchao", "torchao"), ("auto", "eager")],
)
@pytest.mark.parametrize(
    ("family", "linear"), [("vit_folder", 7), ("resnet_folder", 1)], ids=["vit", "resnet"]
)
def test_quantization_converts_every_linear_and_says_by_what(
    request: pytest.FixtureRequest, family: str, linear: int, backend: str, ran: str
) -> None:
    tactic = DynamicQuantization(backend)
    module = tactic(vit(request.getfixturevalue(family)), pixels())
    assert tactic.effect(module) == {
        "backend": ran,
        "modules_converted": linear,
        "linear_modules": linear,
    }


@pytest.mark.parametrize("backend", ["eager", "torchao"])
def test_quantization_keeps_logits_close_but_not_equal(vit_folder: Path, backend: str) -> None:
    sample = pixels(16)
    exact = vit(vit_folder)(sample)
    logits = DynamicQuantization(backend)(vit(vit_folder), sample)(sample)
    scale = float(exact.abs().max())
    error = float((logits - exact).abs().max())
    assert 0 < error < 0.05 * scale


def test_quantization_on_cuda_takes_torchao(vit_folder: Path) -> None:
    tactic = DynamicQuantization("auto")
    assert tactic.effect(tactic(vit(vit_folder), on_cuda()))["backend"] == "torchao"


def test_quantization_by_cpu_kernels_is_unsupported_on_cuda(vit_folder: Path) -> None:
    with pytest.raises(Unsupported, match="eager"):
        DynamicQuantization("eager")(vit(vit_folder), on_cuda())


@pytest.mark.parametrize("backend", ["eager", "torchao"])
def test_quantization_of_convolutions_alone_has_no_effect(backend: str) -> None:
    tactic = DynamicQuantization(backend)
    module = tactic(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), pixels())
    with pytest.raises(NoEffect, match="no Linear layer"):
        tactic.effect(module)


def test_quantization_not_applied_has_no_effect(vit_folder: Path) -> None:
    with pytest.raises(NoEffect):
        DynamicQuantization().effect(vit(vit_folder))


# Pruning


def two_layers() -> nn.Sequential:
    """100 small weights between -0.1 and 0.1, and 300 between 1 and 2 in absolute value."""
    module = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Conv2d(10, 30, 1)).eval()
    with torch.no_grad():
        module[0].weight.uniform_(-0.1, 0.1)
        module[2].weight.uniform_(1, 2)
        module[2].weight[::2] *= -1
    return module


@pytest.mark.parametrize("amount", [0.1, 0.3, 0.9])
def test_local_pruning_zeroes_the_same_fraction_of_each_layer(amount: float) -> None:
    tactic = LocalPruning(amount)
    module = tactic(two_layers(), pixels())
    assert [sparsity(layer) for layer in prunable(module)] == pytest.approx([amount, amount])
    assert tactic.effect(module) == {
        "layers_pruned": 2,
        "sparsity_of_pruned_layers": pytest.approx(amount),
        "compute_saved": False,
    }


@pytest.mark.parametrize(
    ("amount", "of_each"),
    [
        pytest.param(0.1, [0.4, 0.0], id="some_of_the_small"),
        pytest.param(0.25, [1.0, 0.0], id="all_of_the_small"),
        pytest.param(0.5, [1.0, 1 / 3], id="then_the_large"),
    ],
)
def test_global_pruning_zeroes_the_smallest_of_all_layers(
    amount: float, of_each: list[float]
) -> None:
    tactic = GlobalPruning(amount)
    module = tactic(two_layers(), pixels())
    assert [sparsity(layer) for layer in prunable(module)] == pytest.approx(of_each)
    assert tactic.effect(module) == {
        "layers_pruned": 2,
        "sparsity_of_pruned_layers": pytest.approx(amount),
        "compute_saved": False,
    }


@pytest.mark.parametrize("tactic", PRUNINGS)
@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_pruning_of_a_classifier_reaches_the_sparsity_asked_for(
    request: pytest.FixtureRequest, family: str, tactic: type
) -> None:
    module = vit(request.getfixturevalue(family))
    layers = len(prunable(module))
    pruned = tactic(0.3)(module, pixels())
    effect = tactic(0.3).effect(pruned)
    assert effect["layers_pruned"] == layers > 1
    assert effect["sparsity_of_pruned_layers"] == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_zeroes_the_least_and_leaves_the_rest(tactic: type) -> None:
    module = nn.Sequential(nn.Linear(8, 4)).eval()
    weight, bias = module[0].weight.clone(), module[0].bias.clone()
    tactic(0.5)(module, pixels())
    kept = module[0].weight != 0
    assert torch.equal(module[0].weight[kept], weight[kept])
    assert weight[~kept].abs().max() <= weight[kept].abs().min()
    assert torch.equal(module[0].bias, bias)


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_is_for_good_and_leaves_no_mask(vit_folder: Path, tactic: type) -> None:
    module = vit(vit_folder)
    names = set(module.state_dict())
    tactic(0.5)(module, pixels())
    assert set(module.state_dict()) == names
    assert not any(layer._forward_pre_hooks for layer in module.modules())


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_without_layers_has_no_effect(tactic: type) -> None:
    module = tactic(0.5)(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()).eval(), pixels())
    with pytest.raises(NoEffect, match="no Linear or Conv2d"):
        tactic(0.5).effect(module)


@pytest.mark.parametrize("tactic", PRUNINGS)
@pytest.mark.parametrize("amount", [0.5, 0.02, 0.005])
def test_pruning_not_applied_has_no_effect(tactic: type, amount: float) -> None:
    with pytest.raises(NoEffect):
        tactic(amount).effect(two_layers())


@pytest.mark.parametrize("tactic", PRUNINGS)
def test_pruning_of_less_than_one_weight_has_no_effect(tactic: type) -> None:
    pruning = tactic(0.001)
    with pytest.raises(NoEffect):
        pruning.effect(pruning(two_layers(), pixels()))


@pytest.mark.parametrize("tactic", PRUNINGS)
@pytest.mark.parametrize("amount", [0.0, 1.0, -0.3, 30.0, float("nan"), float("inf")])
def test_pruning_amount_is_checked(refusal: Refusal, tactic: type, amount: float) -> None:
    text = refusal(lambda: tactic(amount))
    assert f"tactic.amount={amount}" in text
    assert "> 0 and < 1" in text


# Options by name


@pytest.mark.parametrize(
    ("target", "options"),
    [
        pytest.param("quantization.DynamicQuantization", {"backend": "int4"}, id="backend"),
        pytest.param("compilation.TorchCompile", {"mode": "fast"}, id="mode"),
        pytest.param("compilation.TorchCompile", {"dynamic": "maybe"}, id="dynamic"),
        pytest.param("compilation.TorchCompile", {"fullgraph": "maybe"}, id="fullgraph"),
        pytest.param("pruning.LocalPruning", {"amount": "much"}, id="amount"),
    ],
)
def test_options_are_checked_against_their_type(
    refusal: Refusal, target: str, options: dict[str, str]
) -> None:
    choice = {"_target_": f"greenexp.tactics.{target}", **options}
    (name,) = options
    assert f"tactic.{name}" in refusal(lambda: build(choice, "tactic"))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: DynamicQuantization(backend="int4"), id="backend"),
        pytest.param(lambda: TorchCompile(mode="fast"), id="mode"),
    ],
)
def test_options_are_checked_when_the_tactic_is_made(make: Callable[[], Tactic]) -> None:
    with pytest.raises(BadInput):
        make()


# torch.compile


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


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A compiler that has compiled nothing yet."""
    import torch._dynamo
    from torch._dynamo.utils import counters

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own code, at its import
        importlib.import_module("torch._inductor.compile_fx")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()
    counters.clear()


@pytest.fixture
def eager_backend(compiler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits modules into graphs and counts them, and leaves out the C++ compiler."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.parametrize(
    ("make", "graphs", "breaks"),
    [pytest.param(whole, 1, 0, id="whole"), pytest.param(Split, 2, 1, id="split")],
)
def test_compile_counts_graphs_and_their_breaks(
    eager_backend: None, make: Callable[[], nn.Module], graphs: int, breaks: int
) -> None:
    rows = torch.randn(3, 4)
    tactic = TorchCompile()
    module = make().eval()
    compiled = tactic(module, rows)
    torch.testing.assert_close(compiled(rows), module(rows))
    effect = tactic.effect(compiled)
    assert (effect["graphs"], effect["graph_breaks"]) == (graphs, breaks)
    assert ("first_graph_break" in effect) == (breaks > 0)


def test_compile_names_the_first_break_in_one_line(eager_backend: None) -> None:
    rows = torch.randn(3, 4)
    compiled = TorchCompile()(Split().eval(), rows)
    compiled(rows)
    reason = str(TorchCompile().effect(compiled)["first_graph_break"])
    assert "graph_break" in reason
    assert len(reason.splitlines()) == 1


def test_compile_hands_its_options_over(compiler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(torch, "compile", lambda module, **options: given.update(options))
    TorchCompile(mode="max-autotune", dynamic=False, fullgraph=True)(whole(), on_cuda())
    assert given == {"mode": "max-autotune", "dynamic": False, "fullgraph": True}


def test_compile_that_never_ran_has_no_effect(compiler: None) -> None:
    tactic = TorchCompile()
    module = tactic(whole(), on_cuda())
    with pytest.raises(NoEffect, match="compiled no graph"):
        tactic.effect(module)


def test_compile_of_no_computation_has_no_effect(eager_backend: None) -> None:
    rows = torch.randn(3, 4)
    compiled = TorchCompile()(nn.Identity(), rows)
    compiled(rows)
    with pytest.raises(NoEffect, match="compiled no graph"):
        TorchCompile().effect(compiled)


@pytest.mark.parametrize("installed", ["g++", "c++", "clang++", None])
def test_compile_on_the_cpu_needs_one_of_three_compilers(
    compiler: None, monkeypatch: pytest.MonkeyPatch, installed: str | None
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == installed else None)
    rows = torch.randn(3, 4)
    if installed is None:
        with pytest.raises(Unsupported, match=r"needs a C\+\+ compiler"):
            TorchCompile()(whole(), rows)
    else:
        assert isinstance(TorchCompile()(whole(), rows), nn.Module)


def test_compile_on_cuda_needs_no_cpp_compiler(
    compiler: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert isinstance(TorchCompile()(whole(), on_cuda()), nn.Module)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "graphs", "breaks"),
    [pytest.param(whole, 1, 0, id="whole"), pytest.param(Split, 2, 1, id="split")],
)
def test_compile_by_inductor_keeps_the_logits(
    compiler: None, make: Callable[[], nn.Module], graphs: int, breaks: int
) -> None:
    rows = torch.randn(3, 4)
    tactic = TorchCompile()
    module = make().eval()
    compiled = tactic(module, rows)
    torch.testing.assert_close(compiled(rows), module(rows))
    effect = tactic.effect(compiled)
    assert (effect["graphs"], effect["graph_breaks"]) == (graphs, breaks)


@pytest.mark.slow
def test_compile_by_inductor_takes_a_whole_classifier(compiler: None, vit_folder: Path) -> None:
    sample = pixels()
    tactic = TorchCompile()
    compiled = tactic(vit(vit_folder), sample)
    torch.testing.assert_close(compiled(sample), vit(vit_folder)(sample), atol=1e-4, rtol=1e-3)
    assert tactic.effect(compiled)["graph_breaks"] == 0
