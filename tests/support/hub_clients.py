"""The real clients of a hub, in a fresh interpreter that looks up no host but loopback.

The libraries read HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE when they are imported. A test module
takes the fixtures by name, as its own `hub` is another than that of conftest.py:

    hub, child = hub_clients.hub, hub_clients.child
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback_hub import LoopbackHub, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COLORS = ("blue", "green", "red")
MIB = 1 << 20
CHUNK = 10 * MIB  # what the hub's client writes at once, and so what it can go on from
# The libraries' own service for tables, by HF_ENDPOINT; they do without it.
TOLERATED = {"datasets-server.127.0.0.1"}

PRELUDE = """
import hashlib, json, socket, sys
look_up = socket.getaddrinfo
def on_loopback_only(host, *rest, **named):
    if host not in ("127.0.0.1", None):
        print("LOOKED UP", host, file=sys.stderr)
        raise socket.gaierror("there is no host but loopback")
    return look_up(host, *rest, **named)
socket.getaddrinfo = on_loopback_only

from greenexp.errors import BadInput

def say(call):
    try:
        print(json.dumps(call()))
    except BadInput as refused:
        print(json.dumps({"refused": str(refused)}))

def pictures(samples):
    return [
        [name, target, hashlib.sha256(samples.image(index).tobytes()).hexdigest()]
        for index, (name, target) in enumerate(zip(samples.identifiers, samples.targets))
    ]
"""

MODEL = """
from greenexp.models.hub import Hub

def outputs(source):
    import torch
    from PIL import Image
    names = list(source.check().names)
    classifier = source.load("cpu")
    with torch.inference_mode():
        pixels = classifier.preprocess([Image.new("RGB", (32, 32), (9, 99, 199))])
        logits = classifier.module(pixels)
    return names, classifier.provenance["commit"], logits.tolist()
"""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def child(hub: LoopbackHub, tmp_path: Path) -> Callable[..., list[Any]]:
    """Runs lines of Python after a prelude and returns what they `say`; HF_HOME is in tmp_path."""

    def run(*code: str, **environment: str) -> list[Any]:
        ended = subprocess.run(
            [sys.executable, "-c", "\n".join([PRELUDE, *code])],
            capture_output=True,
            text=True,
            check=False,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("HF_")},
                "HF_HOME": str(tmp_path / "home"),
                "HF_ENDPOINT": hub.url,
                "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # else the library reports to a third host
                "HF_HUB_DISABLE_XET": "1",  # native code, that PRELUDE can't keep on loopback
                **environment,
            },
        )
        assert ended.returncode == 0, ended.stderr
        asked = {line.split()[2] for line in ended.stderr.splitlines() if "LOOKED UP" in line}
        assert asked <= TOLERATED
        answers = [json.loads(line) for line in ended.stdout.splitlines()]
        for answer in answers:
            if isinstance(answer, dict):  # one line each
                assert answer["refused"] == " ".join(answer["refused"].split())
        return answers

    return run


Child = Callable[..., list[Any]]
