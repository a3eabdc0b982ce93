"""A run from its configuration to a file: whatever happens, the outcome is typed and written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from greenexp.datasets.folder import Folder
from greenexp.errors import BadInput, Disturbed, NoEffect, NotFinite, Unfit, Unsupported
from greenexp.measuring import child as module
from greenexp.measuring.child import measure
from greenexp.measuring.experiment import Experiment
from greenexp.models.local import Local
from greenexp.protocols import Sample
from greenexp.runs.result import Result, from_json
from greenexp.tactics.baseline import Baseline
from tests.support.runs import QUICK

pytestmark = pytest.mark.usefixtures("settings_put_back")


@dataclass(frozen=True)
class Acting(Baseline):
    """Does something else in place of an optimization."""

    act: Callable[[], object]

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        self.act()
        return module


Measuring = Callable[[Callable[[], object]], Result]


@pytest.fixture
def measured(
    vit_folder: Path, colors_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Measuring:
    """Measures the tiny ViT with a tactic that acts, and reads the result from its file."""

    def call(act: Callable[[], object]) -> Result:
        whole = Experiment(
            model=Local(str(vit_folder)),
            tactic=Acting(act),
            dataset=Folder(str(colors_folder)),
            workload=QUICK,
            meters=[],
            device="cpu",
        )
        monkeypatch.setattr(module, "experiment", lambda configuration: whole)
        path = tmp_path / "result.json"
        measure({}, str(path))
        assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]
        return from_json(path.read_text(encoding="utf-8"))

    return call


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


def test_run_that_ends_well_is_ok(measured: Measuring) -> None:
    result = measured(lambda: None)
    assert (result.outcome, result.reason, result.traceback) == ("ok", None, None)
    assert result.predictions is not None
    assert len(result.predictions.ranked) == 7


@pytest.mark.parametrize(
    ("act", "outcome", "reason"),
    [
        pytest.param(raising(BadInput("give less")), "error", "give less", id="bad_input"),
        pytest.param(raising(Unfit("no counterpart")), "error", "no counterpart", id="unfit"),
        pytest.param(
            raising(NoEffect("nothing done")),
            "unsupported",
            "no effect: nothing done",
            id="no_effect",
        ),
        pytest.param(
            raising(Disturbed("disturbed by cpu_steal")),
            "error",
            "disturbed by cpu_steal",
            id="disturbed",
        ),
        pytest.param(
            raising(NotFinite("2 of 7 images have logits that aren't finite")),
            "error",
            "2 of 7 images have logits that aren't finite after Acting; look at the checkpoint "
            "and its precision, or leave the tactic out",
            id="not_finite",
        ),
        pytest.param(raising(Unsupported("no g++")), "unsupported", "no g++", id="unsupported"),
        pytest.param(
            raising(MemoryError()), "oom", "out of memory: MemoryError", id="memory_error"
        ),
        pytest.param(
            raising(torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")),
            "oom",
            "out of memory: OutOfMemoryError: CUDA out of memory.",
            id="cuda_out_of_memory",
        ),
    ],
)
def test_error_meant_for_the_user_is_an_outcome_with_its_reason(
    measured: Measuring, act: Callable[[], object], outcome: str, reason: str
) -> None:
    result = measured(act)
    assert (result.outcome, result.reason, result.traceback) == (outcome, reason, None)
    assert (list(result.windows), result.predictions) == ([], None)


def test_memory_that_torch_can_t_have_on_the_cpu_is_out_of_memory(measured: Measuring) -> None:
    result = measured(lambda: torch.empty(1 << 60))  # more than any machine has
    assert result.outcome == "oom"
    assert result.reason is not None
    assert "can't allocate memory" in result.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            RuntimeError("shapes differ\nat layer 3"), "RuntimeError: shapes differ", id="its_line"
        ),
        pytest.param(ValueError(), "ValueError", id="no_words"),
        pytest.param(KeyError("weight"), "KeyError: 'weight'", id="a_key"),
        pytest.param(
            RuntimeError("\n\n  late start"), "RuntimeError: late start", id="blank_first"
        ),
        pytest.param(AssertionError("é ü 漢"), "AssertionError: é ü 漢", id="other_alphabets"),
    ],
)
def test_bug_keeps_its_traceback(measured: Measuring, error: Exception, reason: str) -> None:
    result = measured(raising(error))
    assert (result.outcome, result.reason) == ("error", reason)
    assert result.traceback is not None
    assert "in act\n" in result.traceback
    assert f"raise error\n{type(error).__name__}" in result.traceback


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_being_stopped_is_no_outcome(
    measured: Measuring, tmp_path: Path, stop: type[BaseException]
) -> None:
    with pytest.raises(stop):
        measured(raising(stop()))
    assert list(tmp_path.iterdir()) == []


def test_compiler_caches_are_empty_and_gone_afterwards(measured: Measuring) -> None:
    seen: dict[str, list[str]] = {}

    def look() -> None:
        inductor = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        triton = Path(os.environ["TRITON_CACHE_DIR"])
        seen[str(inductor)] = [entry.name for entry in inductor.iterdir()]
        assert triton.is_relative_to(inductor)
        assert not triton.exists()

    assert measured(look).outcome == "ok"
    assert measured(look).outcome == "ok"
    assert list(seen.values()) == [[], []]  # two folders, both empty
    assert not any(Path(folder).exists() for folder in seen)


def test_compiler_that_must_not_split_the_model_and_can_t_help_it_is_unsupported(
    measured: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenexp.tactics.compilation import TorchCompile

    class Split(nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            torch._dynamo.graph_break()
            return rows + 1

    rows = torch.ones(2, 2)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    result = measured(lambda: TorchCompile(fullgraph=True)(Split(), Sample(rows))(rows))
    assert result.outcome == "unsupported"
    assert result.reason is not None
    assert "graph_break" in result.reason


def test_number_that_is_none_is_not_written(
    measured: Measuring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "run", lambda whole: Result("ok", effect={"sparsity": float("nan")})
    )
    result = measured(lambda: None)
    assert result.outcome == "error"
    assert json.loads((tmp_path / "result.json").read_text())["effect"] == {}
