"""Whether a tracker answers, asked once and for seconds at most; nothing is made."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from greenexp.errors import first_line
from greenexp.settings.sweep import Tracking

TIMEOUT_S = 5.0
SERVERS = ("http", "https")


@dataclass(frozen=True)
class Answer:
    """What a tracker said. `cure` is empty where it can be used."""

    line: str
    cure: str = ""


def probe(settings: Tracking, timeout_s: float = TIMEOUT_S) -> Answer:
    """Returns whether the store that the settings name can be used."""
    shown = without_password(settings.uri)
    scheme = urlsplit(settings.uri).scheme
    if scheme in SERVERS:
        return _server(settings.uri, shown, timeout_s)
    if settings.uri.startswith("sqlite:///"):
        return _file(Path(settings.uri.removeprefix("sqlite:///")), shown)
    return _database(settings.uri, shown, timeout_s)


def without_password(uri: str) -> str:
    """Returns an address without the password in it."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


def _server(uri: str, shown: str, timeout_s: float) -> Answer:
    cure = "start it, or give another tracking.uri=…"
    parts = urlsplit(uri)
    address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=timeout_s):
            return Answer(f"{shown} answers")
    except urllib.error.HTTPError as error:
        return Answer(f"{shown} answers with {error.code} {error.reason}", cure)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        return Answer(f"{shown} does not answer within {timeout_s:g} s: {reason}", cure)


def _file(path: Path, shown: str) -> Answer:
    if path.is_file():
        return Answer(f"{shown} is there")
    return Answer(f"{shown} is not there yet; the first run makes it")


def _database(uri: str, shown: str, timeout_s: float) -> Answer:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    cure = "start it, or give another tracking.uri=…"
    try:
        arguments = {"connect_timeout": int(timeout_s)} if uri.startswith("postgresql") else {}
        with create_engine(uri, connect_args=arguments).connect():
            return Answer(f"{shown} answers")
    except ArgumentError:
        return Answer(
            f"{shown} is no address of a store",
            "give sqlite:///mlruns/mlflow.db or the address of an MLflow server",
        )
    except ModuleNotFoundError as error:
        return Answer(f"{shown} needs the driver {error.name}", f"pip install {error.name}")
    except (SQLAlchemyError, OSError) as error:
        return Answer(f"{shown} does not answer: {first_line(error)}", cure)
