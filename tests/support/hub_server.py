"""A hub that describes what a test tells it, one that can't be reached, and the cache of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubServer:
    """A Hugging Face hub on loopback; `requests` are those made, `naps_s` waits for a retry."""

    url: str
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    naps_s: list[float] = field(default_factory=list)

    def describe(
        self, repository: str, *files: str, kind: str = "models", gated: str | bool = False
    ) -> None:
        """Lets the hub describe a repository at COMMIT."""
        siblings = [{"rfilename": name} for name in files]
        described = {"id": repository, "sha": COMMIT, "gated": gated, "siblings": siblings}
        body = json.dumps(described).encode()
        self.answer(f"/api/{kind}/{repository}/revision/main", 200, body=body)

    def answer(self, path: str, status: int, code: str = "", body: bytes = b"{}") -> None:
        """Sets the answer to GET and HEAD of a path; `code` is the hub's own for errors."""
        etag = hashlib.sha256(body).hexdigest()
        headers = {"X-Error-Code": code} if code else {"ETag": etag, "X-Repo-Commit": COMMIT}
        self.answers[path] = (status, headers, body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """The hub as it is asked by the libraries, with an empty cache and no wait before retries."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path != "/api/agent-harnesses":
                server.requests.append(f"{self.command} {path}")
            absent = "EntryNotFound" if "/resolve/" in path else "RepoNotFound"
            status, headers, body = server.answers.get(path, (404, {"X-Error-Code": absent}, b"{}"))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = HubServer(f"http://127.0.0.1:{httpd.server_port}")
    point_libraries_at(server, monkeypatch, tmp_path / "hub_cache")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """A hub that can't be reached: nothing listens at port 1 of loopback."""
    server = HubServer("http://127.0.0.1:1")
    point_libraries_at(server, monkeypatch, tmp_path / "hub_cache")
    return server


def point_libraries_at(server: HubServer, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    import datasets.config
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", server.url)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "datasets")
    impatient = SimpleNamespace(**{**vars(time), "sleep": server.naps_s.append})
    monkeypatch.setattr(_http, "time", impatient)


@pytest.fixture
def offline(no_hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE=1, as the libraries hold it after their import."""
    import datasets.config
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an empty hub cache in it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cached(tmp_path: Path) -> Callable[[str, Path], None]:
    """Puts a model folder into the hub cache under an id, at COMMIT, as `main`."""

    def place(repository: str, folder: Path) -> None:
        root = tmp_path / "hub_cache" / f"models--{repository.replace('/', '--')}"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text(COMMIT)
        shutil.copytree(folder, root / "snapshots" / COMMIT)

    return place
