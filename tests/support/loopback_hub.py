"""A Hugging Face hub on loopback that serves files, as much of it as the clients ask for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote

EXPORT = "refs/convert/parquet"  # a branch with slashes; here it has the files of main


@dataclass
class LoopbackHub:
    """Repositories, `models/org/name` or `datasets/org/name`, and what was asked for.

    Attributes:
        url: of the server.
        commit: that every branch stands for.
        files: by repository and path in it.
        gated: repositories that are described to anyone and read by nobody.
        cuts: bytes after which the next answers with a file break off, by its path.
        log: method, path, and the first and last byte sent of each answer.
    """

    url: str = ""
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    log: list[tuple[str, str, tuple[int, int]]] = field(default_factory=list)

    def put(self, repository: str, path: str, content: bytes) -> None:
        """Adds a file."""
        self.files.setdefault(repository, {})[path] = content

    def ranges(self, ending: str) -> list[tuple[int, int]]:
        """Returns first byte and end of each body sent of files whose path ends like that."""
        return [
            span for method, path, span in self.log if method == "GET" and path.endswith(ending)
        ]

    def sent(self, ending: str) -> int:
        """Returns how many bytes were sent of files whose path ends like that."""
        return sum(end - first for first, end in self.ranges(ending))


@contextmanager
def serving() -> Iterator[LoopbackHub]:
    """Serves a hub without repositories until the context ends."""
    hub = LoopbackHub()
    handler = type("HandlerOfOneHub", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        path = unquote(path).replace(EXPORT, self.hub.commit)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(/.*)?", path):
            kind, name, rest = match.groups()
            self.describe(f"{kind}/{name}", rest or "", parse_qs(query), body)
        elif match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            kind, name, file = match.groups()
            self.resolve(f"{'datasets' if kind else 'models'}/{name}", file)
        else:
            self.refuse(404, "")

    do_HEAD = do_POST = do_GET  # noqa: N815 - http.server's names

    def describe(
        self, repository: str, rest: str, query: dict[str, list[str]], body: bytes
    ) -> None:
        files = self.hub.files.get(repository)
        gated = repository in self.hub.gated
        if files is None:
            self.refuse(404, "RepoNotFound")
        elif rest in ("", "/revision/main", f"/revision/{self.hub.commit}"):
            siblings = [{"rfilename": name} for name in files]
            name = repository.partition("/")[2]
            known = {"id": name, "sha": self.hub.commit, "gated": "auto" if gated else False}
            self.answer_json({**known, "siblings": siblings})
        elif rest == "/auth-check" and gated:
            self.refuse(401, "GatedRepo")
        elif rest.startswith("/tree/"):
            folder = PurePosixPath(*PurePosixPath(rest).parts[3:])
            self.answer_json(tree(files, folder, deep=query["recursive"] == ["true"]))
        elif rest.startswith("/paths-info/"):
            asked = (
                json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
            )
            self.answer_json([of_file(name, files[name]) for name in asked if name in files])
        else:
            self.refuse(404, "EntryNotFound")

    def resolve(self, repository: str, file: str) -> None:
        content = self.hub.files.get(repository, {}).get(file)
        if repository in self.hub.gated:
            self.refuse(401, "GatedRepo")
        elif content is None:
            self.refuse(404, "EntryNotFound")
        else:
            self.answer(content, file, ETag=f'"{digest(content)}"')

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode(), "", **{"Content-Type": "application/json"})

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.hub.log.append((self.command, self.path, (0, 0)))

    def answer(self, content: bytes, file: str, **headers: str) -> None:
        first, end = 0, len(content)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first = int(asked[1])
            end = min(end, int(asked[2]) + 1) if asked[2] else end
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(content)}"
        self.send_response(206 if asked else 200)
        headers |= {"X-Repo-Commit": self.hub.commit, "Content-Length": str(end - first)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            end = first
        elif self.hub.cuts.get(file):
            end = min(end, first + self.hub.cuts[file].pop(0))
            self.close_connection = True
        self.hub.log.append((self.command, self.path, (first, end)))
        self.wfile.write(content[first:end])

    def log_message(self, *words: object) -> None:
        """Says nothing."""


def tree(files: dict[str, bytes], folder: PurePosixPath, *, deep: bool) -> list[dict[str, Any]]:
    """Returns what lies in a folder: files, and folders by their name."""
    entries: dict[str, dict[str, Any]] = {}
    for name, content in files.items():
        if not PurePosixPath(name).is_relative_to(folder):
            continue
        below = PurePosixPath(name).relative_to(folder).parts
        for depth in range(1, len(below) if deep else min(2, len(below))):
            inner = str(folder.joinpath(*below[:depth]))
            entries[inner] = {"type": "directory", "path": inner, "oid": digest(b""), "size": 0}
        if deep or len(below) == 1:
            entries[name] = of_file(name, content)
    return list(entries.values())


def of_file(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": digest(content)}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
