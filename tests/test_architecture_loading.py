"""The command, and rooms that do without them, load no heavy libraries in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import yaml

from greenexp.settings.conf import config_dir

HEAVY = ("torch", "transformers", "mlflow", "datasets")
WITHOUT_TORCH = (
    "greenexp.settings.build",
    "greenexp.settings.hardware",
    "greenexp.measuring.machine",
    "greenexp.measuring.recorder",
    "greenexp.measuring.isolation",
    "greenexp.runs.metrics",
    "greenexp.runs.energy",
    "greenexp.runs.doubts",
    "greenexp.runs.journal",
    "greenexp.study.labels",
    "greenexp.report.summary",
    "greenexp.report.tables.terminal",
    "greenexp.cli.arguments",
    "greenexp.cli.catalog",
    "greenexp.cli.sweep",
    "greenexp.sweep.plan",
    "greenexp.sweep.forecast",
    "greenexp.sweep.resume",
    "greenexp.sweep.preflight",
    "greenexp.sweep.launch",
    "greenexp.tracking.findings",
    "greenexp.tracking.opening",
)


def loaded_after(statement: str) -> set[str]:
    """Returns the top-level modules that a fresh interpreter holds after the statement."""
    command = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return set(ended.stdout.split())


def test_command_starts_without_heavy_libraries() -> None:
    loaded = loaded_after("import greenexp.__main__, greenexp.cli.run")
    assert "hydra" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_pure_rooms_load_no_torch() -> None:
    loaded = loaded_after(f"import {', '.join(WITHOUT_TORCH)}")
    assert "greenexp" in loaded
    assert loaded.isdisjoint({"torch", "mlflow", "transformers"})


def test_choices_are_made_without_torch() -> None:
    """What `conf/` names is built for every combination of a plan, before any child measures."""
    rooms = [config_dir() / group for group in ("model", "dataset", "tactic")]
    targets = {
        yaml.safe_load(path.read_text("utf-8"))["_target_"].rpartition(".")[0]
        for room in rooms
        for path in room.glob("*.yaml")
    }
    assert {"greenexp.tactics.chain", "greenexp.tactics.openvino"} <= targets
    loaded = loaded_after(f"import {', '.join(sorted(targets))}")
    assert loaded.isdisjoint({*HEAVY, "onnxruntime", "openvino", "torchao"})
