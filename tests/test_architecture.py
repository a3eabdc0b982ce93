"""Imports run one way: the column "must not import" of the design, held against the source."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

import greenexp
from greenexp.settings.conf import config_dir

PACKAGE = Path(greenexp.__file__).parent
INPUT_OUTPUT = ("os", "io", "pathlib", "shutil", "tempfile", "subprocess", "socket", "urllib")

# The house from the bottom: a room imports from the floors below its own, never from beside or
# above. `__main__` modules are commands, wherever they stand.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "protocols", "quantities"),
    ("hub",),
    ("settings",),
    ("stats",),
    ("runs",),
    ("models", "datasets", "tactics", "meters"),
    ("measuring",),
    ("tracking",),
    ("study",),
    ("sweep",),
    ("report",),
    ("catalog", "doctor"),
    ("cli",),
    ("api",),
    ("__init__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
COMMANDS = "cli"
LOOSE_MODULES = 6  # at the top of the package, at most

# Room (a file, or a folder and all below it): libraries that it must not import.
MUST_NOT_IMPORT: dict[str, tuple[str, ...]] = {
    "protocols.py": ("torch", "mlflow", "hydra"),
    "settings/": ("torch", "mlflow", "hydra", "omegaconf"),
    "stats/": ("torch", "mlflow", "hydra", "pandas", *INPUT_OUTPUT),
    "runs/": ("torch", "mlflow", "hydra", "omegaconf"),
    "hub.py": ("torch", "mlflow"),
    "models/": ("mlflow", "hydra"),
    "datasets/": ("mlflow", "hydra"),
    "tactics/": ("mlflow", "hydra"),
    "meters/": ("mlflow", "hydra"),
    "measuring/": ("hydra", "mlflow"),
    "measuring/experiment.py": ("zeus", "transformers"),
    "tracking/": ("torch", "hydra"),
    "study/": ("torch", "hydra", "mlflow", "rich", "matplotlib", "plotly", *INPUT_OUTPUT[:2]),
    "sweep/": ("torch", "mlflow", "transformers", "hydra", "rich"),
    "report/": ("torch", "mlflow", "hydra"),
    "catalog/": ("torch", "mlflow", "transformers"),
    "cli/": ("torch", "mlflow", "transformers"),
}
PURE = (
    "runs/metrics.py",
    "runs/energy.py",
    "runs/doubts.py",
    "runs/cost.py",
    "runs/identity.py",
    "stats/intervals.py",
    "stats/paired.py",
    "stats/power.py",
    "stats/proportions.py",
    "study/study.py",
    "study/economics.py",
    "study/pareto.py",
    "study/claims.py",
    "study/basis.py",
    "study/decide.py",
    "sweep/forecast.py",
    "doctor/verdict.py",
)
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
    "greenexp.tracking.reader",
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


def room_of(module: str) -> str:
    """Returns the room that a module, given by its path below the package, stands in."""
    path = Path(module)
    return COMMANDS if path.stem == "__main__" else path.with_suffix("").parts[0]


def steps_up(root: Path, floor: Mapping[str, int]) -> list[str]:
    """Returns `a/b.py -> greenexp.c.d` for each import that does not go down."""
    found = []
    for module, names in modules(root).items():
        room = room_of(module)
        for name in names:
            _, _, inner = name.partition(f"{PACKAGE.name}.")
            other = inner.partition(".")[0]
            ours = within(name, PACKAGE.name) and other in floor and other != room
            if ours and floor[other] >= floor[room]:
                found.append(f"{module} -> {name}")
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module) for module in modules(PACKAGE)} - {"store"}  # a command alone
    assert rooms == set(FLOOR)


def test_imports_go_down() -> None:
    assert steps_up(PACKAGE, FLOOR) == []


def test_few_modules_are_loose() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= LOOSE_MODULES


def test_hydra_internals_stay_at_the_rim() -> None:
    using = {
        module
        for module, names in modules(PACKAGE).items()
        if any(within(name, "hydra._internal") for name in names)
    }
    assert {room_of(module) for module in using} <= {"cli"}


@pytest.mark.parametrize(
    ("module", "source", "step"),
    [
        pytest.param("runs/a.py", "from greenexp.study import b", True, id="up"),
        pytest.param("meters/a.py", "from greenexp.tactics.b import c", True, id="beside"),
        pytest.param("study/a.py", "def f():\n    import greenexp.cli.b", True, id="in a function"),
        pytest.param("study/a.py", "from greenexp.runs import b", False, id="down"),
        pytest.param("study/a.py", "from greenexp.study.b import c", False, id="within"),
        pytest.param("runs/__main__.py", "from greenexp.study import b", False, id="a command"),
    ],
)
def test_floors_are_held(tmp_path: Path, module: str, source: str, step: bool) -> None:
    path = tmp_path / module
    path.parent.mkdir()
    path.write_text(source, encoding="utf-8")
    assert [chain.partition(" ")[0] for chain in steps_up(tmp_path, FLOOR)] in (
        [[module], [module, module]] if step else [[]]
    )


@pytest.mark.parametrize("room", MUST_NOT_IMPORT)
def test_room_exists(room: str) -> None:
    assert (PACKAGE / room).exists()


@pytest.mark.parametrize(("room", "forbidden"), MUST_NOT_IMPORT.items(), ids=MUST_NOT_IMPORT)
def test_room_imports_nothing_forbidden(room: str, forbidden: tuple[str, ...]) -> None:
    assert violations(PACKAGE, room, forbidden) == []


def test_only_tracking_imports_mlflow() -> None:
    importing = {
        module
        for module, names in modules(PACKAGE).items()
        if any(within(name, "mlflow") for name in names)
    }
    assert {room_of(module) for module in importing} == {"tracking"}


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
        pytest.param("from greenexp import hub", "greenexp.hub", id="from the package"),
        pytest.param("from greenexp.hub import share", "greenexp.hub", id="from the module"),
        pytest.param("from .. import hub", "greenexp.hub", id="relative, two levels"),
        pytest.param("from ..hub import share", "greenexp.hub", id="relative module"),
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
