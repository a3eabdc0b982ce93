"""The first word of `greenexp` names a command, and each is what its module is."""

from __future__ import annotations

import importlib
import sys

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


@pytest.mark.parametrize("arguments", [[], ["model=digits_vit"], ["-m", "tactic=all"]])
def test_without_a_word_it_measures(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(cli.COMMANDS["run"])
    seen: list[list[str]] = []
    monkeypatch.setattr(module, "main", lambda: seen.append(sys.argv[1:]) or 0)
    monkeypatch.setattr(sys, "argv", ["greenexp", *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    assert seen == [arguments]
