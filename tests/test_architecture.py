"""Imports run one way: the column "must not import" of the design, held against the source."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.imports import PACKAGE, modules, violations, within

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
    ("export",),
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
    "export/": ("hydra",),
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


def room_of(module: str) -> str:
    """Returns the room that a module, given by its path below the package, stands in."""
    path = Path(module)
    return COMMANDS if path.stem == "__main__" else path.with_suffix("").parts[0]


def steps_up(root: Path, floor: Mapping[str, int]) -> list[str]:
    """Returns `a/b.py -> greenexp.c.d` for each import that does not go down."""
    steps = []
    for module, names in modules(root).items():
        room = room_of(module)
        for name in names:
            _, _, inner = name.partition(f"{PACKAGE.name}.")
            other = inner.partition(".")[0]
            ours = within(name, PACKAGE.name) and other in floor and other != room
            if ours and floor[other] >= floor[room]:
                steps.append(f"{module} -> {name}")
    return steps


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
