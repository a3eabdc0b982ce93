"""A real MLflow server on loopback, behind a proxy that fails as servers do."""

from __future__ import annotations

import http.client
import os
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

STARTS_S = 120.0
HANGS_S = 600.0  # longer than any test waits
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "host", "keep-alive")

# As `deploy/` has it: without jobs the server takes 2 GB of memory less.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

Fault = Literal["none", "hangs", "fails", "slow"]


class Proxy:
    """Hands requests on to a server, unless it is to fail.

    Attributes:
        fault: what it does; `fails` answers 500 to a share of the requests, by lot, some of them
            after the server has done what was asked.
        delay_s: before each answer, where it is slow.
        share: of the requests that fail.
        requests: how many there were.
    """

    def __init__(self, port: int) -> None:
        self.fault: Fault = "none"
        self.delay_s = 0.0
        self.share = 0.0
        self.requests = 0
        self._port = port
        self._dice = random.Random(7)
        self._over = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._serving: threading.Thread | None = None
        self.address = ""

    def start(self) -> None:
        """Listens; on the same port as before, where it was stopped."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str) -> Callable[[], None]:
                if not name.startswith("do_"):
                    raise AttributeError(name)
                return lambda: proxy._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        port = int(self.address.rpartition(":")[2]) if self.address else 0
        self._over.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._serving.start()

    def stop(self) -> None:
        """Listens no more: connections are refused."""
        self._over.set()
        if self._server is not None and self._serving is not None:
            self._server.shutdown()
            self._server.server_close()
            self._serving.join(STARTS_S)
            self._server = None

    def _answer(self, handler: Any) -> None:
        self.requests += 1
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self.fault == "hangs":
            self._over.wait(HANGS_S)
            handler.close_connection = True
            return
        if self.fault == "slow":
            time.sleep(self.delay_s)
        fails = self.fault == "fails" and self._dice.random() < self.share
        if not fails or self._dice.random() < 0.5:
            status, headers, content = self._handed_on(handler, body)
        if fails:
            status, headers, content = 500, {}, b'{"error_code": "INTERNAL_ERROR"}'
        try:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        except OSError:  # who asked is gone
            handler.close_connection = True

    def _handed_on(self, handler: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=STARTS_S)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in HOP_BY_HOP}
        connection.request(handler.command, handler.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP}
        connection.close()
        return response.status, kept, content


@contextmanager
def mlflow_server(
    folder: Path,
    database: str | None = None,
    *,
    workers: int = 1,
    certificate: Path | None = None,
    accounts: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Runs MLflow's server; yields its port.

    Args:
        folder: of its files.
        database: its address; None: a file in the folder.
        workers: its processes.
        certificate: with its key, in one file, to speak TLS with; None: it speaks plainly.
        accounts: what the environment tells of them; None: it asks for no login.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", database or f"sqlite:///{folder}/server.db"),
        *("--workers", str(workers)),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    if certificate is not None:
        command += ["--uvicorn-opts", f"--ssl-certfile={certificate} --ssl-keyfile={certificate}"]
    if accounts is not None:
        command += ["--app-name", "basic-auth"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | QUIET | dict(accounts or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        scheme = "http" if certificate is None else "https"
        _wait_for(f"{scheme}://127.0.0.1:{port}/health", certificate)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(STARTS_S)


def _wait_for(url: str, certificate: Path | None) -> None:
    trusted = None if certificate is None else ssl.create_default_context(cafile=certificate)
    deadline_s = time.monotonic() + STARTS_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5, context=trusted):
                return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.2)
