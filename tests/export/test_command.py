"""`greenexp export`: from a measured run to an artefact that runs by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenexp.datasets.digits import Digits
from tests.support.command import greenexp, said, start

pytestmark = pytest.mark.slow

CELL = ["model=digits_resnet", "tactic=onnx_runtime"]
DRIVEN = [
    "workload.idle_seconds=0.2",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=0.1",
    "workload.min_windows=10",
    "workload.max_windows=10",
]


def export(folder: Path, *words: str) -> tuple[int, str]:
    command = start(folder, "greenexp.export", *words)
    text = said(command)
    return command.returncode, text


def classified(folder: Path, image: Path) -> subprocess.CompletedProcess[str]:
    """Runs what lies beside an artefact, without this checkout."""
    return subprocess.run(
        [sys.executable, "-E", folder / "model.py", image],
        cwd=folder.parent,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_measured_run_becomes_an_artefact_that_classifies_without_greenexp(tmp_path: Path) -> None:
    code, text = export(tmp_path, *CELL)
    assert code == 1
    assert "there are no runs yet" in text
    greenexp(tmp_path, *CELL, *DRIVEN)
    code, text = export(tmp_path, "run=none")
    assert (code, "run=none is no run of greenexp's" in text) == (1, True)
    code, text = export(tmp_path, *CELL, "workload.batch_size=3")
    assert (code, "has not been measured here as it is given" in text) == (1, True)
    code, text = export(tmp_path, "tactic=semi_structured_sparsity", "device=cpu")
    assert (code, "the device is cpu; half_precision comes nearest" in text) == (1, True)
    code, text = export(tmp_path, *CELL, *DRIVEN)
    assert code == 0, text
    assert "onnx, is what was measured" in text
    folder = tmp_path / "artefacts" / "digits_resnet-onnx_runtime"
    names = {path.name for path in folder.iterdir()}
    assert {"artefact.json", "model.onnx", "model.py", "requirements.txt"} <= names
    proof = json.loads((folder / "artefact.json").read_text())["proof"]
    assert (proof["flips"], proof["images"]) == (0, 359)
    assert "latency/p50_ms" in proof["ratios"]
    samples = Digits().load()
    samples.image(0).save(tmp_path / "digit.png")
    done = classified(folder, tmp_path / "digit.png")
    assert json.loads(done.stdout)["label"] == str(samples.targets[0])
    (folder / "artefact.json").write_text(
        (folder / "artefact.json").read_text().replace('"onnxruntime": "', '"onnxruntime": "0.')
    )
    done = classified(folder, tmp_path / "digit.png")
    assert done.returncode == 1
    assert "pip install -r requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr
