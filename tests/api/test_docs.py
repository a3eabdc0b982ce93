"""The examples of docs/api.md and of the public docstrings run."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import greenexp
from greenexp.api import experiments

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
MEASURING = [block for block in BLOCKS if "measure(" in block]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block not in MEASURING])
def test_example_runs(block: str) -> None:
    exec(compile("import greenexp\n" + block, str(DOCS), "exec"), {})


@pytest.mark.slow
@pytest.mark.parametrize("block", MEASURING)
def test_example_measures(
    block: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(DOCS), "exec"), {})
    assert "dynamic_quantization" in capsys.readouterr().out


def test_every_public_name_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in greenexp.__all__ if f"`{name}" not in text] == []


def test_docstrings_hold() -> None:
    failed, tried = doctest.testmod(experiments, extraglobs={"greenexp": greenexp})
    assert tried >= 2
    assert failed == 0
