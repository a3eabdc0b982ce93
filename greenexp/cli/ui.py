"""`greenexp ui`: the MLflow UI over the runs, opened at greenexp's saved view."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import webbrowser
from dataclasses import dataclass
from urllib.parse import urlparse

from greenexp.cli.exit import INTERRUPTED, heard
from greenexp.cli.version import named_version
from greenexp.errors import BadInput, GreenexpError
from greenexp.settings.secrets import keep, whole, without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.local_server import answers, refused
from greenexp.tracking.opening import reader_there
from greenexp.tracking.store import UI_ADDRESS
from greenexp.tracking.view import view_url

KEYS = ("tracking.uri", "tracking.experiment", "port")
HOST = "127.0.0.1"
PORTS = 20  # that are tried from the first on
STARTS_S = 60.0  # that the server may take
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")  # without one a browser would take the terminal


def main() -> int:
    """Serves the UI until Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(prog="greenexp ui", description=__doc__)
    parser.add_argument(
        "key=value",
        nargs="*",
        default=[],
        help=f"{KEYS[0]}=… another store, {KEYS[1]}=… another experiment, {KEYS[2]}=… another port",
    )
    parser.add_argument("--version", action="version", version=named_version())
    words = vars(parser.parse_args())["key=value"]
    with heard():
        try:
            return _show(_options(words))
        except GreenexpError as error:
            sys.stderr.write(f"greenexp: {error}\n")
            return 1


@dataclass(frozen=True)
class Options:
    """What is shown, and on which port first; None: as MLflow has it."""

    where: Tracking
    port: int | None


def _options(words: list[str]) -> Options:
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key not in KEYS or not equals:
            allowed = ", ".join(f"{key}=…" for key in KEYS)
            raise BadInput(f"{word} is unknown; allowed: {allowed}")
        given[key] = value
    own = Tracking()
    port = given.get("port")
    if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
        raise BadInput(f"port={port} is no port; give a number from 1 to 65535")
    where = Tracking(
        uri=keep(given.get("tracking.uri", own.uri)),
        experiment=given.get("tracking.experiment", own.experiment),
    )
    return Options(where, None if port is None else int(port))


def _show(options: Options) -> int:
    where = options.where
    opened = reader_there(where)
    if opened is None:
        raise BadInput(
            f"there is no experiment {where.experiment} at {without_secrets(where.uri)} yet; "
            "python -m greenexp makes one, or give tracking.uri=… tracking.experiment=…"
        )
    if urlparse(where.uri).scheme in ("http", "https"):
        _open(without_secrets(where.uri), opened.experiment_id)
        return 0
    port = _free_port(options.port)
    command = [sys.executable, "-m", "mlflow", "ui", "--port", str(port)]
    store = {"MLFLOW_BACKEND_STORE_URI": whole(where.uri)}  # a password must not be an argument
    with subprocess.Popen(command, env=os.environ | store) as server:
        try:
            base = f"http://{HOST}:{port}"
            if not answers(server, f"{base}/health", STARTS_S):
                raise BadInput(f"mlflow ui does not answer at {base}; what it says stands above")
            _open(base, opened.experiment_id)
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return INTERRUPTED
        except GreenexpError:
            server.terminate()
            raise


def _open(base: str, experiment_id: str) -> None:
    """Says where the view is, and opens it where there is a display."""
    table = view_url(base, experiment_id)
    sys.stdout.write(
        f"Runs in MLflow, until Ctrl-C:\n  table   {table}\n"
        f"  charts  {view_url(base, experiment_id, 'CHART')}\n"
    )
    sys.stdout.flush()
    if sys.platform in ("darwin", "win32") or any(map(os.environ.get, DISPLAYS)):
        webbrowser.open(table)


def _free_port(wanted: int | None) -> int:
    """Returns the first port that nobody listens on, from MLflow's own or the one given on.

    Raises:
        BadInput: where the one that is given is taken, or there is none.
    """
    first = wanted or urlparse(UI_ADDRESS).port or 5000
    last = first if wanted is not None else first + PORTS - 1
    for port in range(first, last + 1):
        if refused(HOST, port) is None:
            return port
    raise BadInput(f"port {first}{'' if first == last else f' to {last}'} is taken; give port=…")
