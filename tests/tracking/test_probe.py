"""A tracker is asked once, for seconds at most, and its password is shown nowhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from greenexp.settings.sweep import Tracking
from greenexp.tracking.probe import probe, without_password

SHORT_S = 0.3


@pytest.fixture(params=[200, 500])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            del words

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}", request.param
        served.shutdown()
        thread.join()


def test_server_that_answers(server: tuple[str, int]) -> None:
    address, status = server
    answer = probe(Tracking(uri=address))
    assert address in answer.line
    assert ("500" in answer.line) == (status == 500)
    assert bool(answer.cure) == (status == 500)


def test_server_that_is_silent_costs_no_more_than_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        answer = probe(Tracking(uri=address), SHORT_S)
    assert "does not answer within 0.3 s" in answer.line
    assert answer.cure


def test_server_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    answer = probe(Tracking(uri=f"http://user:secret@127.0.0.1:{port}"), SHORT_S)
    assert "does not answer" in answer.line
    assert "secret" not in answer.line + answer.cure


@pytest.mark.parametrize("there", [True, False])
def test_file_is_looked_for_and_not_made(tmp_path: Path, there: bool) -> None:
    file = tmp_path / "mlflow.db"
    if there:
        file.touch()
    answer = probe(Tracking(uri=f"sqlite:///{file}"))
    assert ("is there" in answer.line) == there
    assert file.exists() == there
    assert not answer.cure


@pytest.mark.parametrize("uri", ["nonsense", "dialect+no://host/db"])
def test_what_is_no_address_has_a_cure(uri: str) -> None:
    assert probe(Tracking(uri=uri)).cure


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://host:5000", "http://host:5000"),
        ("http://user@host", "http://user@host"),
        ("http://user:secret@host:5000/path", "http://user:***@host:5000/path"),
        ("postgresql://user:p%40ss@host/db", "postgresql://user:***@host/db"),
        ("sqlite:///mlruns/mlflow.db", "sqlite:///mlruns/mlflow.db"),
    ],
)
def test_password_is_left_out(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
