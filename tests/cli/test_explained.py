"""The help of the commands: what each option means stands beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from greenexp.cli.explained import OPTIONS, comments_in, explained, with_comments

YAML = """# A look, in seconds.
batch_size: 1              # images a forward pass
price:  # US dollars
  region: "a # b"  # where it holds; it's text
  pue: 1.0
date: '#1'
title: it's here   # a name
steps: ???                 # [{pruning: {amount: 0.5}}]  # or none
"""
COMMENTS = {
    "batch_size": "images a forward pass",
    "price": "US dollars",
    "price.region": "where it holds; it's text",
    "title": "a name",
    "steps": "[{pruning: {amount: 0.5}}]  # or none",
}


def test_comments_are_known_by_the_key_of_their_line() -> None:
    assert comments_in(YAML) == COMMENTS


def test_comments_stand_beside_the_options_and_nowhere_else() -> None:
    options = "batch_size: 2\nprice:\n  region: " + 40 * "x" + "\n  pue: 1.0\n"
    text = f"title: is no option here\n{OPTIONS}\n\n{options}"
    lines = with_comments(text, COMMENTS).splitlines()
    assert lines[0] == "title: is no option here"
    assert lines[-4:] == [
        f"{'batch_size: 2':35} # images a forward pass",
        f"{'price:':35} # US dollars",
        f"  region: {40 * 'x'} # where it holds; it's text",
        "  pue: 1.0",
    ]


def test_a_text_without_options_stays_as_it_is() -> None:
    assert with_comments(YAML, COMMENTS) == YAML


def shows(text: str) -> Callable[[], None]:
    """Returns a command of Hydra's, which exits once it has shown its help."""

    def hydra_main() -> None:
        sys.stdout.write(text)
        raise SystemExit(0)

    return hydra_main


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        pytest.param(
            ["--help"],
            ["model:", "  labels: x", "workload:", "  idle_seconds: 1", "  threads: null"],
            id="the defaults' own",
        ),
        pytest.param(["-h", "model=local"], ["model:", "  offset: 0"], id="of the option chosen"),
        pytest.param(
            ["--help"], ["meters:", "  machine:", "    interval_s: 0.2"], id="placed elsewhere"
        ),
    ],
)
def test_options_that_are_chosen_explain_themselves(
    words: list[str],
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["greenexp", *words])
    with pytest.raises(SystemExit):
        explained(shows("\n".join([OPTIONS, *lines])), "config")
    shown = capsys.readouterr().out.splitlines()[1:]
    sections = [line for line in lines if line.endswith(":")]
    assert [line for line in shown if "# " not in line] == sections


def test_a_command_that_is_not_asked_for_help_prints_as_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["greenexp", "model=digits_vit"])
    with pytest.raises(SystemExit):
        explained(shows(f"{OPTIONS}\ndevice: auto"), "config")
    assert capsys.readouterr().out == f"{OPTIONS}\ndevice: auto"
