"""`greenexp ui`: the saved view, served and linked."""

from __future__ import annotations

import re
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from greenexp.cli import ui
from greenexp.settings.sweep import Tracking
from greenexp.tracking.tracker import connect
from tests.support.command import start

ENDED = 130


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    """Returns the one line that the command says as it refuses."""
    monkeypatch.setattr(sys, "argv", ["greenexp ui", *words])
    assert ui.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_runs_one_line_says_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refusal(monkeypatch, capsys)
    assert "no experiment greenexp at sqlite:///mlruns/mlflow.db yet" in line
    assert "python -m greenexp makes one" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["port=0", "port=x", "ports=5000", "mlruns"])
def test_what_is_unknown_is_refused(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word.partition("=")[0] in refusal(monkeypatch, capsys, word)


def test_a_port_that_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    connect(Tracking())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        line = refusal(monkeypatch, capsys, f"port={port}")
    assert f"port {port} is taken; give port=…" in line


@pytest.mark.slow
def test_the_view_is_served_and_its_links_are_printed(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/store/mlflow.db"
    connect(Tracking(uri=uri, experiment="mine"))
    words = ["greenexp", "ui", f"tracking.uri={uri}", "tracking.experiment=mine"]
    command = start(tmp_path, *words, DISPLAY=":0", BROWSER="true")
    assert command.stdout is not None
    links = []
    for line in command.stdout:
        links += re.findall(r"(table|charts) +(http://\S+)", line)
        if len(links) == 2:
            break
    try:
        assert [name for name, _ in links] == ["table", "charts"]
        base, _, fragment = links[0][1].partition("#")
        assert "viewStateShareKey=greenexp" in fragment
        assert urllib.request.urlopen(base, timeout=30).status == 200
    finally:
        command.send_signal(signal.SIGINT)
        text, _ = command.communicate(timeout=60)
    assert command.returncode == ENDED, text
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(base.rstrip("/").rpartition(":")[2])))
