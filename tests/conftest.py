"""What several tests are built on: tiny models and images on disk, a clock, a hub on loopback."""

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
from typing import Any

import hypothesis
import pytest

from greenexp.errors import BadInput

# No test asserts a time; hypothesis would, by its default deadline for each example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
SIDE = 32
HANG_S = 20.0  # a thread that takes longer hangs


@pytest.fixture(scope="session")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer with random weights and the classes blue, green, red."""
    from transformers import ViTConfig, ViTForImageClassification

    return saved(
        tmp_path_factory.mktemp("models") / "tiny_vit",
        lambda: ViTForImageClassification(
            ViTConfig(
                image_size=SIDE,
                patch_size=8,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                id2label=dict(enumerate(COLORS)),
                label2id={name: index for index, name in enumerate(COLORS)},
            )
        ),
    )


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual network, likewise: convolutions and one Linear."""
    from transformers import ResNetConfig, ResNetForImageClassification

    return saved(
        tmp_path_factory.mktemp("models") / "tiny_resnet",
        lambda: ResNetForImageClassification(
            ResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 16],
                depths=[1, 1],
                layer_type="basic",
                id2label=dict(enumerate(COLORS)),
                label2id={name: index for index, name in enumerate(COLORS)},
            )
        ),
    )


def saved(folder: Path, make: Callable[[], Any]) -> Path:
    import torch
    from transformers import ViTImageProcessorPil

    with torch.random.fork_rng():
        torch.manual_seed(0)
        make().save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    assert processor["image_processor_type"] == "ViTImageProcessor"
    return folder


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Copies a model folder, sets keys of its config.json (None: removes them), returns it."""

    def copy(folder: Path, **changes: Any) -> Path:
        to = tmp_path / "edited"
        shutil.copytree(folder, to)
        config = json.loads((to / "config.json").read_text()) | changes
        kept = {key: value for key, value in config.items() if value is not None}
        (to / "config.json").write_text(json.dumps(kept))
        return to

    return copy


@pytest.fixture(scope="session")
def colors_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 3, 2 and 2 small PNGs, each of one color."""
    from PIL import Image

    root = tmp_path_factory.mktemp("colors")
    for (name, color), count in zip(COLORS.items(), (3, 2, 2), strict=True):
        (root / name).mkdir()
        for index in range(count):
            Image.new("RGB", (10, 8), color).save(root / name / f"{index}.png")
    return root


@pytest.fixture
def refusal() -> Callable[[Callable[[], object]], str]:
    """Calls what must raise BadInput and returns the message, which must be one line."""

    def message(call: Callable[[], object]) -> str:
        with pytest.raises(BadInput) as caught:
            call()
        text = str(caught.value)
        assert text == " ".join(text.split())
        return text

    return message


class Clock:
    """A clock that stands still but for `run_to`, during which a sampler's thread takes turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.until_s = 0.0
        self.resting = True  # no sample is due
        self.sampled = False  # a sampler waits for this clock
        self.changed = threading.Condition()

    def perf_counter(self) -> float:
        return self.now_s

    def run_to(self, until_s: float) -> None:
        with self.changed:
            self.until_s = until_s
            if not self.sampled:
                self.now_s = until_s
                return
            self.resting = False
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.resting, HANG_S)

    def event(self) -> Ticker:
        self.sampled = True
        return Ticker(self)

    def thread(self, target: Callable[[], None], **named: Any) -> threading.Thread:
        """A thread after whose end the clock goes on alone."""

        def run() -> None:
            try:
                target()
            finally:
                with self.changed:
                    self.sampled = False
                    if not self.resting:
                        self.now_s = self.until_s
                        self.resting = True
                    self.changed.notify_all()

        return threading.Thread(target=run, **named)


class Ticker:
    """In place of the sampler's threading.Event: waiting takes the clock's time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stopped = False

    def set(self) -> None:
        with self.clock.changed:
            self.stopped = True
            self.clock.sampled = False
            self.clock.changed.notify_all()

    def wait(self, interval_s: float) -> bool:
        clock = self.clock
        with clock.changed:
            while not self.stopped:
                if clock.now_s + interval_s <= clock.until_s + 1e-9:
                    clock.now_s += interval_s
                    return False
                clock.now_s = clock.until_s
                clock.resting = True
                clock.changed.notify_all()
                clock.changed.wait(HANG_S)
            return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of `greenexp.meters.sampler`, at 0 s."""
    clock = Clock()
    monkeypatch.setattr("greenexp.meters.sampler.time", clock)
    threads = SimpleNamespace(Event=clock.event, Thread=clock.thread)
    monkeypatch.setattr("greenexp.meters.sampler.threading", threads)
    return clock


def sampling() -> bool:
    """Whether a sampler's thread is alive."""
    return any(thread.name == "greenexp-sampler" for thread in threading.enumerate())


@pytest.fixture
def no_sampler_left() -> Iterator[None]:
    """Fails the test where it leaves a sampler's thread behind."""
    assert not sampling()
    yield
    assert not sampling()


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
