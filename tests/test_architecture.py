"""Imports run one way: the column "must not import" of the design, held against the source."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import greenexp
from greenexp.config import config_dir

PACKAGE = Path(greenexp.__file__).parent
INPUT_OUTPUT = ("os", "io", "pathlib", "shutil", "tempfile", "subprocess", "socket", "urllib")

# Room (a file, or a folder and all below it): what it must not import.
MUST_NOT_IMPORT: dict[str, tuple[str, ...]] = {
    "__main__.py": ("torch",),
    "config.py": ("torch", "mlflow"),
    "schema.py": ("torch", "mlflow", "hydra", *INPUT_OUTPUT),
    "protocols.py": ("greenexp",),
    "experiment.py": ("hydra", "mlflow", "zeus", "transformers"),
    "recorder.py": ("torch", "hydra", "mlflow"),
    "machine.py": ("torch",),
    "result.py": ("torch", "hydra", "mlflow"),
    "complexity.py": ("hydra", "mlflow", "transformers", "greenexp.tactics"),
    "hub.py": ("torch", "mlflow", "greenexp.config"),
    "models/": ("greenexp.tactics", "greenexp.meters", "greenexp.config", "mlflow"),
    "datasets/": ("greenexp.tactics", "greenexp.meters", "greenexp.config", "mlflow"),
    "tactics/": ("greenexp.config", "greenexp.meters", "greenexp.models", "mlflow"),
    "workload/": ("greenexp.tactics", "greenexp.meters"),
    "meters/": ("greenexp.models", "greenexp.cost"),
    "metrics.py": ("torch", *INPUT_OUTPUT),
    "energy.py": ("torch", *INPUT_OUTPUT),
    "validity.py": ("torch", *INPUT_OUTPUT),
    "cost.py": ("torch", *INPUT_OUTPUT),
    "stats.py": ("torch", *INPUT_OUTPUT),
    "comparison.py": ("torch", *INPUT_OUTPUT),
    "report/study.py": ("torch", *INPUT_OUTPUT),
    "report/economics.py": ("torch", *INPUT_OUTPUT),
    "report/pareto.py": ("torch", *INPUT_OUTPUT),
    "report/claims.py": ("torch", *INPUT_OUTPUT),
    "sweep/": ("torch", "mlflow", "transformers"),
    "sweep/forecast.py": ("torch", *INPUT_OUTPUT),
    "isolation.py": (
        "greenexp.experiment",
        "greenexp.measure",
        "greenexp.result",
        "greenexp.config",
    ),
    "store/": ("torch",),
    "report/": ("torch",),
    "catalog/": ("torch", "mlflow", "transformers"),
    "doctor/": ("torch", "mlflow", "transformers", "greenexp.models", "greenexp.tactics"),
    "doctor/verdict.py": ("torch", *INPUT_OUTPUT),
    "doctor/screen.py": INPUT_OUTPUT,
}
PURE = (
    "metrics.py",
    "energy.py",
    "validity.py",
    "cost.py",
    "stats.py",
    "comparison.py",
    "report/study.py",
    "report/economics.py",
    "report/pareto.py",
    "report/claims.py",
    "sweep/forecast.py",
    "doctor/verdict.py",
)
TRACKERS = {
    "store/tracking.py",
    "store/run_tables.py",
    "store/reading.py",
    "store/findings.py",
}
HEAVY = ("torch", "transformers", "mlflow", "datasets")
WITHOUT_TORCH = (
    "greenexp.config",
    "greenexp.schema",
    "greenexp.machine",
    "greenexp.metrics",
    "greenexp.energy",
    "greenexp.validity",
    "greenexp.recorder",
    "greenexp.report.runs",
    "greenexp.report.table",
    "greenexp.sweep.arguments",
    "greenexp.sweep.plan",
    "greenexp.sweep.forecast",
    "greenexp.sweep.preflight",
    "greenexp.sweep.conduct",
    "greenexp.store.findings",
    "greenexp.store.journal",
    "greenexp.store.reading",
    "greenexp.isolation",
    "greenexp.catalog.__main__",
    "greenexp.doctor.__main__",
    "greenexp.doctor.device",
    "greenexp.doctor.screen",
    "greenexp.doctor.tracker",
)


def is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields every node that exists at run time, so nothing under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and is_type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from nodes(other)
        else:
            yield child
            yield from nodes(child)


def imported(tree: ast.AST, package: str) -> list[str]:
    """Returns the modules that a module of `package` imports, at any depth of nesting.

    `from a import b` counts as `a` and `a.b`, since b may be a module.
    """
    found = []
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parts if node.level else []), *filter(None, [node.module])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__"):
                found.append(str(node.args[0].value))
    return found


@functools.cache
def modules(root: Path) -> dict[str, list[str]]:
    """Returns the imports of each module, by its path below the package."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        module = path.relative_to(root).as_posix()
        found[module] = imported(ast.parse(path.read_text("utf-8")), package_of(module))
    return found


def package_of(module: str) -> str:
    return ".".join([PACKAGE.name, *Path(module).parent.parts])


def within(name: str, forbidden: str) -> bool:
    return name == forbidden or name.startswith(f"{forbidden}.")


def violations(root: Path, room: str, forbidden: tuple[str, ...]) -> list[str]:
    """Returns `module imports name` for each import that the room must not have."""
    return [
        f"{module} imports {name}"
        for module, names in modules(root).items()
        if module == room or (room.endswith("/") and module.startswith(room))
        for name in names
        if any(within(name, banned) for banned in forbidden)
    ]


def loaded_after(statement: str) -> set[str]:
    """Returns the top-level modules that a fresh interpreter holds after the statement."""
    command = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ended = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize("room", MUST_NOT_IMPORT)
def test_room_exists(room: str) -> None:
    assert (PACKAGE / room).exists()


@pytest.mark.parametrize(("room", "forbidden"), MUST_NOT_IMPORT.items(), ids=MUST_NOT_IMPORT)
def test_room_imports_nothing_forbidden(room: str, forbidden: tuple[str, ...]) -> None:
    assert violations(PACKAGE, room, forbidden) == []


def test_only_the_trackers_import_mlflow() -> None:
    importing = {
        module
        for module, names in modules(PACKAGE).items()
        if any(within(name, "mlflow") for name in names)
    }
    assert importing == TRACKERS


@pytest.mark.parametrize("module", PURE)
def test_pure_arithmetic_opens_no_file(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called.isdisjoint({"open", "print", "input", "exec", "eval"})


def test_command_starts_without_heavy_libraries() -> None:
    loaded = loaded_after("import greenexp.__main__")
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


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import torch", id="plain"),
        pytest.param("import torch.nn as nn", id="submodule"),
        pytest.param("from torch import nn", id="from"),
        pytest.param("def f():\n    import torch", id="inside a function"),
        pytest.param(
            "try:\n    import torch\nexcept ImportError:\n    torch = None", id="in a try"
        ),
        pytest.param("import importlib\nimportlib.import_module('torch.nn')", id="by its name"),
        pytest.param(
            "import typing\nif typing.TYPE_CHECKING:\n    pass\nelse:\n    import torch",
            id="in the else of TYPE_CHECKING",
        ),
    ],
)
def test_checker_catches_an_import(tmp_path: Path, source: str) -> None:
    (tmp_path / "planted.py").write_text(source, encoding="utf-8")
    assert violations(tmp_path, "planted.py", ("torch",))


@pytest.mark.parametrize(
    ("source", "forbidden"),
    [
        pytest.param("from greenexp import cost", "greenexp.cost", id="from the package"),
        pytest.param("from greenexp.cost import share", "greenexp.cost", id="from the module"),
        pytest.param("from .. import cost", "greenexp.cost", id="relative, two levels"),
        pytest.param("from ..cost import share", "greenexp.cost", id="relative module"),
        pytest.param("from . import nvml", "greenexp.room.nvml", id="relative, one level"),
    ],
)
def test_checker_sees_every_spelling(tmp_path: Path, source: str, forbidden: str) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "planted.py").write_text(source, encoding="utf-8")
    assert violations(tmp_path, "room/", (forbidden,))


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import torchvision", id="another library that begins alike"),
        pytest.param(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
            id="for types only",
        ),
        pytest.param("import typing\nif typing.TYPE_CHECKING:\n    import torch", id="dotted"),
        pytest.param("'import torch'", id="in a string"),
    ],
)
def test_checker_lets_pass(tmp_path: Path, source: str) -> None:
    (tmp_path / "planted.py").write_text(source, encoding="utf-8")
    assert violations(tmp_path, "planted.py", ("torch",)) == []
