"""The checker of imports sees every spelling of an import, and only imports at run time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imports import violations


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
