"""The first word of `greenexp` names a command, and each is what its module is."""

from __future__ import annotations

import importlib
import sys
from importlib import metadata

import pytest

from greenexp.cli import main as cli


@pytest.mark.parametrize("word", sorted(cli.COMMANDS))
def test_word_runs_its_command(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(cli.COMMANDS[word])
    seen: list[list[str]] = []
    monkeypatch.setattr(module, "main", lambda: seen.append(sys.argv[1:]) or 3)
    monkeypatch.setattr(sys, "argv", ["greenexp", word, "key=value"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    assert seen == [["key=value"]]


@pytest.mark.parametrize("arguments", [["--version"], ["report", "--version"], ["-m", "--version"]])
def test_version_is_greenexp_s(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["greenexp", *arguments])
    cli.main()
    assert capsys.readouterr().out == f"greenexp {metadata.version('greenexp')}\n"


@pytest.mark.parametrize("word", ["report", "doctor", "export"])
def test_version_of_a_command_is_greenexp_s_too(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"greenexp.{word}", "--version"])
    assert importlib.import_module(cli.COMMANDS[word]).main() == 0
    assert capsys.readouterr().out == f"greenexp {metadata.version('greenexp')}\n"


@pytest.mark.parametrize("arguments", [[], ["model=digits_vit"], ["-m", "tactic=all"]])
def test_without_a_word_it_measures(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(cli.COMMANDS["run"])
    seen: list[list[str]] = []
    monkeypatch.setattr(module, "main", lambda: seen.append(sys.argv[1:]) or 0)
    monkeypatch.setattr(sys, "argv", ["greenexp", *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    assert seen == [arguments]
