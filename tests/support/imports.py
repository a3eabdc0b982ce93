"""What the modules of the package import, read from their source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import greenexp

PACKAGE = Path(greenexp.__file__).parent


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
    names = []
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(parts if node.level else []), *filter(None, [node.module])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__"):
                names.append(str(node.args[0].value))
    return names


@functools.cache
def modules(root: Path) -> dict[str, list[str]]:
    """Returns the imports of each module, by its path below the package."""
    imports = {}
    for path in sorted(root.rglob("*.py")):
        module = path.relative_to(root).as_posix()
        imports[module] = imported(ast.parse(path.read_text("utf-8")), package_of(module))
    return imports


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
