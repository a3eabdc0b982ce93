"""A run from its configuration to a file: whatever happens, the outcome is typed and written."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from greenexp.datasets.folder import Folder
from greenexp.errors import BadInput, Disturbed, NoEffect, Unfit, Unsupported
from greenexp.measuring import child as module
from greenexp.measuring.child import measure, probe_device
from greenexp.measuring.experiment import Experiment
from greenexp.models.local import Local
from greenexp.protocols import Sample
from greenexp.runs.result import Result, from_json
from greenexp.settings.workload import Interference
from greenexp.tactics.baseline import Baseline
from tests.support.runs import QUICK


@pytest.fixture(autouse=True)
def _undo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`measure` has its process for itself; here its settings are put back."""
    import datasets
    from transformers.utils import logging

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "as before")
    monkeypatch.setenv("TRITON_CACHE_DIR", "as before")
    verbosity = logging.get_verbosity()
    with warnings.catch_warnings():
        yield
    logging.set_verbosity(verbosity)
    logging.enable_progress_bar()
    datasets.enable_progress_bars()


@dataclass(frozen=True)
class Acting(Baseline):
    """Does something else in place of an optimization."""

    act: Callable[[], object]

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        self.act()
        return module


Measured = Callable[[Callable[[], object]], Result]


@pytest.fixture
def measured(
    vit_folder: Path, colors_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Measured:
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


def test_run_that_ends_well_is_ok(measured: Measured) -> None:
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
    measured: Measured, act: Callable[[], object], outcome: str, reason: str
) -> None:
    result = measured(act)
    assert (result.outcome, result.reason, result.traceback) == (outcome, reason, None)
    assert (list(result.windows), result.predictions) == ([], None)


def test_memory_that_torch_can_t_have_on_the_cpu_is_out_of_memory(measured: Measured) -> None:
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
def test_bug_keeps_its_traceback(measured: Measured, error: Exception, reason: str) -> None:
    result = measured(raising(error))
    assert (result.outcome, result.reason) == ("error", reason)
    assert result.traceback is not None
    assert "in act\n" in result.traceback
    assert f"raise error\n{type(error).__name__}" in result.traceback


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_being_stopped_is_no_outcome(
    measured: Measured, tmp_path: Path, stop: type[BaseException]
) -> None:
    with pytest.raises(stop):
        measured(raising(stop()))
    assert list(tmp_path.iterdir()) == []


def test_compiler_caches_are_empty_and_gone_afterwards(measured: Measured) -> None:
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


# From the configuration


def configuration(vit_folder: Path, colors_folder: Path, **changes: Any) -> dict[str, Any]:
    whole = {
        "model": {"_target_": "greenexp.models.local.Local", "path": str(vit_folder)},
        "tactic": {"_target_": "greenexp.tactics.baseline.Baseline"},
        "dataset": {"_target_": "greenexp.datasets.folder.Folder", "path": str(colors_folder)},
        "workload": asdict(QUICK),
        "meters": {"machine": {"_target_": "greenexp.meters.machine.Machine", "interval_s": 0.1}},
        "device": "cpu",
    }
    return {**whole, **changes}


def result_of(described: Mapping[str, Any], folder: Path) -> Result:
    measure(described, str(folder / "deep" / "result.json"))
    return from_json((folder / "deep" / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("tactic", "effect"),
    [
        pytest.param("baseline.Baseline", {}, id="baseline"),
        pytest.param(
            "quantization.DynamicQuantization",
            {"backend": "eager", "modules_converted": 7, "linear_modules": 7},
            id="quantization",
        ),
        pytest.param(
            "quantization.DynamicQuantization backend=torchao",
            {"backend": "torchao", "modules_converted": 7, "linear_modules": 7},
            id="quantization_by_torchao",
        ),
        pytest.param("pruning.LocalPruning", {"compute_saved": False}, id="local_pruning"),
        pytest.param("pruning.GlobalPruning", {"compute_saved": False}, id="global_pruning"),
    ],
)
def test_configured_run_is_measured_and_proves_its_tactic(
    vit_folder: Path,
    colors_folder: Path,
    tmp_path: Path,
    tactic: str,
    effect: dict[str, Any],
) -> None:
    target, *options = tactic.split()
    choice = {"_target_": f"greenexp.tactics.{target}", **dict(o.split("=") for o in options)}
    result = result_of(configuration(vit_folder, colors_folder, tactic=choice), tmp_path)
    assert (result.outcome, result.reason, result.traceback) == ("ok", None, None)
    assert {key: result.effect[key] for key in effect} == effect
    assert [phase.name for phase in result.phases] == [
        "idle",
        "load",
        "optimize",
        "accuracy",
        "warmup",
    ]
    assert len(result.windows) == QUICK.min_windows
    assert result.provenance["checkpoint"] == str(vit_folder)
    assert {reading.meter for reading in result.phases[1].readings} == {"machine"}
    assert result.before is not None
    assert result.after is not None
    assert result.before.parameters == result.after.parameters == 5683


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"tactic": {"_target_": "os.system"}}, "tactic._target_", id="outside"),
        pytest.param(
            {"dataset": {"_target_": "greenexp.datasets.digits.Digits"}},
            "labels don't match",
            id="other_labels",
        ),
        pytest.param(
            {"model": {"_target_": "greenexp.models.local.Local", "path": "/nowhere"}},
            "/nowhere",
            id="no_model",
        ),
        pytest.param(
            {"workload": {**asdict(QUICK), "min_windows": 0}},
            "workload.min_windows=0",
            id="workload",
        ),
    ],
)
def test_configured_run_that_can_t_be_is_an_error_of_one_line(
    vit_folder: Path,
    colors_folder: Path,
    tmp_path: Path,
    changes: dict[str, Any],
    said: str,
) -> None:
    result = result_of(configuration(vit_folder, colors_folder, **changes), tmp_path)
    assert result.outcome == "error"
    assert result.reason is not None
    assert said in result.reason
    assert len(result.reason.splitlines()) == 1
    assert result.traceback is None


def test_compiler_that_must_not_split_the_model_and_can_t_help_it_is_unsupported(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.parametrize(
    ("device", "chosen"), [("cpu", "cpu"), ("cuda", "cuda"), ("auto", "cuda")], ids=str
)
def test_device_is_the_one_asked_for_or_the_gpu_where_there_is_one(
    vit_folder: Path,
    colors_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    chosen: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    described = configuration(vit_folder, colors_folder, device=device)
    assert module.experiment(described).device == chosen
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert module.experiment({**described, "device": "auto"}).device == "cpu"


def test_experiment_holds_the_objects_that_were_described(
    vit_folder: Path, colors_folder: Path
) -> None:
    limits = Interference(steal_pct=None, clock_change_pct=2.5)
    described = configuration(vit_folder, colors_folder, interference=asdict(limits))
    whole = module.experiment(described)
    assert whole.model == Local(str(vit_folder))
    assert whole.dataset == Folder(str(colors_folder))
    assert (whole.tactic, whole.workload) == (Baseline(), QUICK)
    assert whole.interference == limits
    assert [type(meter).__name__ for meter in whole.meters] == ["Machine"]


@pytest.mark.parametrize(
    ("available", "device", "meant", "said"),
    [
        pytest.param(False, "cuda", "cuda", "device=cuda is asked for", id="absent"),
        pytest.param(True, "cuda", "cuda", None, id="present"),
        pytest.param(False, "cpu", "cpu", None, id="cpu"),
        pytest.param(True, "auto", "cuda", None, id="auto where there is one"),
        pytest.param(False, "auto", "cpu", None, id="auto where there is none"),
    ],
)
def test_probe_writes_the_device_that_is_meant_and_why_it_can_t_be_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    available: bool,
    device: str,
    meant: str,
    said: str | None,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    answer = tmp_path / "answer"
    probe_device(device, str(answer))
    there, refused = answer.read_text(encoding="utf-8").split("\n")
    assert there == meant
    assert refused.startswith(said) if said else refused == ""


def test_number_that_is_none_is_not_written(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "run", lambda whole: Result("ok", effect={"sparsity": float("nan")})
    )
    result = measured(lambda: None)
    assert result.outcome == "error"
    assert json.loads((tmp_path / "result.json").read_text())["effect"] == {}
