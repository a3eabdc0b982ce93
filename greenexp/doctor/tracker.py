"""Whether the tracker that runs go to can be reached; nothing is made there."""

from __future__ import annotations

import base64
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote

from greenexp.doctor.checks import Fact, existing
from greenexp.errors import first_line
from greenexp.tracking.store import database_file, local_folder

DATABASES = ("postgresql", "mysql", "mssql")
SQLITE_HEADER = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html
CURE = "give tracking.uri=…, e.g. sqlite:///mlruns/mlflow.db, or start the server"
LOGIN = re.compile(r"(?<=://).*@", re.DOTALL)  # hides too much rather than too little
SECRET = re.compile(r"([?&][^=&]*(?:password|passwd|pwd|token|secret)[^=&]*=)[^&#]*", re.I)


def tracker(uri: str, experiment: str, timeout_s: float) -> Fact:
    """Returns whether the store can be used, within `timeout_s`.

    Args:
        uri: of an MLflow store; what it holds of passwords is not in the answer.
        experiment: name of the MLflow experiment.
        timeout_s: seconds that a server is waited for.
    """
    place = f"experiment {experiment} at {without_secrets(uri)}"
    scheme = uri.partition(":")[0].partition("+")[0].lower() if "://" in uri else ""
    try:
        if local_folder(uri) is not None:
            state = _of_file(database_file(uri))
        elif scheme in ("http", "https"):
            state = _within(timeout_s, lambda: _of_server(uri, timeout_s))
        elif scheme in DATABASES:
            state = _within(timeout_s, lambda: _of_database(uri))
        else:
            return Fact("tracker", f"{place}: not checked, an address of another kind")
    except (_Unreachable, OSError) as refused:
        reason = without_secrets(_reason(refused))
        return Fact("tracker", f"{place}: can't be reached, {reason}", there=False, cure=CURE)
    return Fact("tracker", f"{place}: {state}")


def without_secrets(text: str) -> str:
    """Returns a text with the user and password of each address in it replaced by `***`."""
    return SECRET.sub(r"\1***", LOGIN.sub("***@", text))


class _Unreachable(Exception):
    """The tracker can't be used; the message gives the reason."""


def _of_file(database: Path) -> str:
    if database.is_file():
        try:
            with database.open("rb") as file:
                header = file.read(len(SQLITE_HEADER))
        except OSError as error:
            raise _Unreachable(f"the file can't be read ({error.strerror})") from None
        if header and header != SQLITE_HEADER:
            raise _Unreachable("the file is no SQLite database")
        if not os.access(database, os.W_OK):
            raise _Unreachable("the file may not be written to")
        return "reachable"
    if database.exists():
        raise _Unreachable("it is no file")
    above = existing(database)
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise _Unreachable(f"{above} takes no new file")
    return "not there yet, the first run makes it"


def _of_server(uri: str, timeout_s: float) -> str:
    """Asks an MLflow server for its health."""
    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    try:
        request = urllib.request.Request(f"{scheme}://{host}{slash}{path}".rstrip("/") + "/health")
        if login:  # not sent to where the server redirects to
            encoded = base64.b64encode(unquote(login).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {encoded}")
        with urllib.request.urlopen(request, timeout=timeout_s):
            return "reachable"
    except urllib.error.HTTPError as error:
        with error:
            raise _Unreachable(f"the server answers {error.code} to /health") from None
    except urllib.error.URLError as error:
        raise _Unreachable(_reason(error.reason)) from None
    except OSError as error:
        raise _Unreachable(_reason(error)) from None
    except (HTTPException, ValueError):  # their messages quote the address, with a password in it
        raise _Unreachable("it is no address, or what answers is no web server") from None


def _of_database(uri: str) -> str:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(uri)
        try:
            with engine.connect():
                return "reachable"
        finally:
            engine.dispose()
    except ImportError as error:
        raise _Unreachable(f"its driver is not installed: {first_line(error)}") from None
    except (SQLAlchemyError, OSError) as error:
        raise _Unreachable(first_line(error)) from None
    except ValueError:  # its message may quote a password
        raise _Unreachable("it is no address") from None


def _reason(reason: object) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return first_line(reason) if isinstance(reason, BaseException) else str(reason)


def _within(timeout_s: float, ask: Callable[[], str]) -> str:
    """Returns what `ask` returns, unless it takes too long.

    In a thread that is left behind then: looking up a name and opening a database have no time
    limit of their own.
    """
    answers: list[str | BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as failure:  # raised again below: a thread has no caller
            answers.append(failure)

    asking = threading.Thread(target=run, daemon=True, name="greenexp-tracker")
    asking.start()
    asking.join(timeout_s)
    if not answers:
        raise _Unreachable(f"no answer within {timeout_s:g} s")
    if isinstance(answers[0], BaseException):
        raise answers[0]
    return answers[0]
