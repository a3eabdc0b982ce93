"""The doctor tells whether the tracker's store is reachable, and shows no password."""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from greenexp.doctor.checks import Fact
from greenexp.doctor.tracker import tracker

TIMEOUT_S = 0.3
HANG_S = 20.0


@contextmanager
def server(status: int, requests: list[tuple[str, str | None]]) -> Iterator[str]:
    """Yields the address of a server on loopback that answers each request alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=httpd.serve_forever)
    serving.start()
    try:
        yield f"127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        serving.join(HANG_S)


def test_server_that_is_up_is_reachable_and_gets_its_login() -> None:
    requests: list[tuple[str, str | None]] = []
    with server(200, requests) as place:
        fact = tracker(f"http://{place}/", "mine", HANG_S)
        with_login = tracker(f"http://bob:hunter2@{place}/sub", "mine", HANG_S)
    assert fact == Fact("tracker", f"experiment mine at http://{place}/: reachable")
    assert with_login.text == f"experiment mine at http://***@{place}/sub: reachable"
    assert requests == [("/health", None), ("/sub/health", "Basic Ym9iOmh1bnRlcjI=")]


def test_server_that_answers_an_error_is_not_reachable() -> None:
    with server(500, []) as place:
        fact = tracker(f"http://bob:hunter2@{place}", "mine", HANG_S)
    assert not fact.there
    assert fact.text.endswith("can't be reached, the server answers 500 to /health")
    assert "tracking.uri" in fact.cure
    assert "hunter2" not in fact.text + fact.cure


def test_server_that_is_silent_is_waited_for_no_longer_than_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fact = tracker(f"http://127.0.0.1:{listening.getsockname()[1]}", "mine", TIMEOUT_S)
    assert not fact.there
    assert re.search(r"no answer within 0\.3 s|timed out", fact.text)


def test_port_that_nobody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    fact = tracker(f"http://127.0.0.1:{port}", "mine", HANG_S)
    assert not fact.there
    assert "connection refused" in fact.text


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://bob:hunter2@[::bad/", id="no address"),
        pytest.param("http://bob:hunter2@x:port", id="no port"),
        pytest.param("http://bob:hun/ter2@127.0.0.1:1", id="slash in it"),
        pytest.param("mysql+nodriver://bob:hunter2@127.0.0.1/db", id="no driver"),
        pytest.param("mysql+pymysql://bob:hunter2@127.0.0.1:1/db?ssl_password=ter2", id="query"),
        pytest.param("postgresql://bob:hunter2@[::1/db", id="no database address"),
        pytest.param("databricks://hunter2@profile", id="another kind"),
    ],
)
def test_password_is_never_shown(uri: str) -> None:
    fact = tracker(uri, "mine", TIMEOUT_S)
    assert "***@" in fact.text
    assert not any(secret in f"{fact.text} {fact.cure}" for secret in ("hunter2", "ter2", "hun/"))


def sqlite_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE experiments (name TEXT)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "state", "there"),
    [
        pytest.param(lambda path: None, "not there yet, the first run makes it", True, id="new"),
        pytest.param(sqlite_store, "reachable", True, id="there"),
        pytest.param(lambda path: path.write_text("x" * 99), "no SQLite database", False, id="bad"),
        pytest.param(lambda path: path.mkdir(), "it is no file", False, id="folder"),
    ],
)
def test_sqlite_store_is_looked_at_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], state: str, there: bool
) -> None:
    path = tmp_path / "mlflow.db"
    make(path)
    before = list(tmp_path.iterdir())
    fact = tracker(f"sqlite:///{path}", "mine", HANG_S)
    assert fact.text.endswith(state)
    assert fact.there == there
    assert list(tmp_path.iterdir()) == before


def test_sqlite_store_below_a_file_is_not_creatable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fact = tracker(f"sqlite:///{tmp_path}/file/mlflow.db", "mine", HANG_S)
    assert not fact.there
    assert "takes no new file" in fact.text


def test_store_of_another_kind_is_said_not_to_be_checked() -> None:
    fact = tracker("databricks", "mine", HANG_S)
    assert fact.text == "experiment mine at databricks: not checked, an address of another kind"
