"""Verdicts and reasons are compared as members: their texts stand where they are defined."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import greenexp
from greenexp.study.verdicts import LeftOutReason, PaybackVerdict, Verdict

PACKAGE = Path(greenexp.__file__).parent
DEFINED = PACKAGE / "study" / "verdicts.py"
MODULES = sorted({*PACKAGE.glob("study/**/*.py"), *PACKAGE.glob("report/**/*.py")} - {DEFINED})
TEMPLATES = sorted(PACKAGE.glob("report/**/*.j2"))
TEXTS = {str(member) for kind in (Verdict, PaybackVerdict, LeftOutReason) for member in kind}
PARSERS = ("startswith", "endswith", "find", "partition", "removeprefix", "replace")
# What holds such a text, by its name; nothing but a member may be compared with it.
HOLDERS = ("verdict", "reason", "kind", "caveat")
QUOTED = re.compile(r"""(["'])(.*?)\1""")
TAG = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def texts_in_python(source: str) -> list[str]:
    """Returns the texts of members that stand as literals in a module, by line."""
    return [
        f"line {node.lineno}: {node.value}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value in TEXTS
    ]


def texts_in_template(source: str) -> list[str]:
    """Returns the texts of members that stand as literals in the code of a template."""
    quoted = (match[2] for tag in TAG.findall(source) for match in QUOTED.finditer(tag))
    return [text for text in quoted if text in TEXTS]


def parsed(source: str) -> list[str]:
    """Returns where a module tests what a text begins with, or holds, instead of a member."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        for holder, other in asked(node)
        if isinstance(holder, ast.Attribute) and holder.attr in HOLDERS and is_text(other)
    ]


def asked(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yields what is tested and what for, of a comparison or of `startswith` and its like."""
    if isinstance(node, ast.Compare):
        both = [node.left, *node.comparators]
        yield from ((side, other) for side in both for other in both if side is not other)
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in PARSERS
    ):
        yield from ((node.func.value, argument) for argument in node.args)


def is_text(node: ast.expr) -> bool:
    return any(isinstance(getattr(part, "value", None), str) for part in ast.walk(node))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_repeats_or_parses_the_texts(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert texts_in_python(source) == []
    assert parsed(source) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_repeats_the_texts(path: Path) -> None:
    assert texts_in_template(path.read_text(encoding="utf-8")) == []


def test_there_are_templates() -> None:
    assert TEMPLATES


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("effect.verdict == 'lower'", id="equality"),
        pytest.param("verdict in ('never', NEVER)", id="one of several"),
        pytest.param("STYLES = {'too few runs': 'yellow'}", id="a key"),
        pytest.param("def f():\n    return 'flagged:'", id="a prefix"),
    ],
)
def test_checker_catches_a_text(source: str) -> None:
    assert texts_in_python(source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("one.reason.startswith('flagged')", id="startswith"),
        pytest.param("one.reason.startswith((f'{a}:', b))", id="of several"),
        pytest.param("'flag' in one.reason", id="in"),
        pytest.param("effect.verdict == 'low'", id="another text"),
    ],
)
def test_checker_catches_a_test_on_a_text(source: str) -> None:
    assert parsed(source)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("effect.verdict == Verdict.LOWER", id="a member"),
        pytest.param("one.kind in (AdviceKind.DEPLOY, AdviceKind.NO_PAIR)", id="members"),
        pytest.param("print(one.reason, 'and', 'higher prices')", id="in a sentence"),
    ],
)
def test_checker_lets_pass(source: str) -> None:
    assert texts_in_python(source) + parsed(source) == []


def test_checker_reads_the_code_of_a_template() -> None:
    assert texts_in_template('{% if effect.verdict == "no difference shown" %}') == [
        "no difference shown"
    ]
    assert texts_in_template('<b class="lower">{{ effect.verdict }} "never"</b>') == []
