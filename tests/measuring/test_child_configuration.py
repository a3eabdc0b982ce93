"""A run from its configuration: what is built of it, and the device that is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from greenexp.datasets.folder import Folder
from greenexp.measuring import child as module
from greenexp.measuring.child import measure, probe_device
from greenexp.models.local import Local
from greenexp.runs.result import Result, from_json
from greenexp.settings.workload import Interference
from greenexp.tactics.baseline import Baseline
from tests.support.runs import QUICK

pytestmark = pytest.mark.usefixtures("settings_put_back")


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
    ("changes", "words"),
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
    words: str,
) -> None:
    result = result_of(configuration(vit_folder, colors_folder, **changes), tmp_path)
    assert result.outcome == "error"
    assert result.reason is not None
    assert words in result.reason
    assert len(result.reason.splitlines()) == 1
    assert result.traceback is None


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
    ("available", "device", "meant", "words"),
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
    words: str | None,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    answer = tmp_path / "answer"
    probe_device(device, str(answer))
    there, refused = answer.read_text(encoding="utf-8").split("\n")
    assert there == meant
    assert refused.startswith(words) if words else refused == ""
