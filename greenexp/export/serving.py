"""Serves a model as `mlflow models serve` does, and asks it about an image that is known."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from greenexp.errors import BadInput, GreenexpError
from greenexp.measuring.waiting import waiting
from greenexp.tracking.local_server import answers, refused
from greenexp.tracking.registry import EXAMPLE_TAG, known_request

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

STOP_S = 10.0
RAISED = re.compile(r"^[\w.]*(?:Error|Exception|UnlikeVersion|Exit): (?P<why>.+)$")


class NotServed(GreenexpError):
    """A model could not be served, or answers otherwise than it was measured."""


@contextmanager
def served(uri: str, model_id: str, host: str, port: int, timeout_s: float) -> Iterator[str]:
    """Serves a model while the context is open; gives its address.

    One process answers, so that the threads are those that were measured.

    Args:
        uri: of the MLflow store.
        model_id: of a model there.
        host: name or address to listen on.
        port: likewise.
        timeout_s: that the server may take to start.

    Raises:
        BadInput: where the port is taken.
        NotServed: where the server ends, or does not answer in time.
    """
    _check_free(host, port)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri"]
    command += [f"models:/{model_id}", "--env-manager", "local", "--workers", "1"]
    command += ["--host", host, "--port", str(port)]
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            command,
            env=_environment(uri),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            start_new_session=True,  # Ctrl-C comes to this process, which ends all of them
        )
        try:
            address = f"http://{host}:{port}"
            with waiting(f"the server at {address}"):
                _await_health(process, address, timeout_s, printed)
            yield address
        finally:
            _stop(process)


def check(address: str, client: MlflowClient, model: LoggedModel, timeout_s: float) -> str:
    """Sends the known image of a model; returns its label, which is the measured tactic's.

    Raises:
        NotServed: where the server answers otherwise.
    """
    import requests

    try:
        answer = requests.post(
            f"{address}/invocations",
            data=known_request(client, model),
            headers={"Content-Type": "application/json"},
            timeout=timeout_s,
        )
        answer.raise_for_status()
        label = str(answer.json()["predictions"][0]["label"])
    except (requests.RequestException, LookupError, ValueError) as error:
        raise NotServed(f"{address} does not classify the known image: {error}") from None
    expected = model.tags.get(EXAMPLE_TAG)
    if label != expected:
        raise NotServed(
            f"{address} calls the known image {label}, and the measured tactic called it "
            f"{expected}; export the run anew on this machine"
        )
    return label


def _environment(uri: str) -> dict[str, str]:
    """Returns the environment in which MLflow finds the store, and the programs it starts."""
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": programs}
    return os.environ | own


def _check_free(host: str, port: int) -> None:
    reason = refused(host, port)
    if reason is not None:
        raise BadInput(
            f"serve.host={host} serve.port={port} can't be listened on ({reason}); give another, "
            f"e.g. serve.port={port % 65_535 + 1}"
        )


def _await_health(
    process: subprocess.Popen[bytes], address: str, timeout_s: float, printed: IO[bytes]
) -> None:
    if answers(process, f"{address}/ping", timeout_s):
        return
    if process.poll() is not None:
        raise NotServed(f"the server ended: {_why(printed)}")
    raise NotServed(
        f"the server does not answer within {timeout_s:g} s ({_why(printed)}); give more with "
        "serve.timeout_s=…"
    )


def _why(printed: IO[bytes]) -> str:
    """Returns the first error that a server printed: others follow from it; else its last line."""
    printed.seek(0)
    lines = [line.strip() for line in printed.read().decode(errors="replace").splitlines()]
    raised = [known["why"] for line in lines if (known := RAISED.match(line)) is not None]
    told = [line for line in lines if line]
    return raised[0] if raised else (told or ["it printed nothing"])[-1]


def _stop(process: subprocess.Popen[Any]) -> None:
    """Ends a server with all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
