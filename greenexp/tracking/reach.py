"""Asks a server or a database whether it answers, within a time limit. It makes nothing there."""

from __future__ import annotations

import base64
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import unquote

from greenexp.errors import BadInput, Unreachable, first_line
from greenexp.settings.secrets import MLFLOW_LOGIN

ATTEMPTS = 3  # where a server answers that it failed, which may pass
PAUSE_S = 0.3
SERVER_ERRORS = 500  # and above


def ask_server(uri: str, timeout_s: float, attempts: int = 1) -> None:
    """Asks an MLflow server for its health.

    Args:
        uri: of the server; a login in it, else that of the environment, goes with the request.
        timeout_s: that one answer may take.
        attempts: at most, where it answers that it failed.

    Raises:
        Unreachable: where no good answer comes.
    """
    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    credentials = unquote(login) or ":".join(filter(None, map(os.environ.get, MLFLOW_LOGIN)))
    try:
        request = urllib.request.Request(f"{scheme}://{host}{slash}{path}".rstrip("/") + "/health")
        if ":" in credentials:  # not sent to where the server redirects to
            encoded = base64.b64encode(credentials.encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {encoded}")
        with urllib.request.urlopen(request, timeout=timeout_s):
            return
    except urllib.error.HTTPError as error:
        with error:
            failed = error.code >= SERVER_ERRORS
            if failed and attempts > 1:
                time.sleep(PAUSE_S)
                ask_server(uri, timeout_s, attempts - 1)
                return
            raise Unreachable(f"the server answers {error.code} to /health") from None
    except urllib.error.URLError as error:
        raise Unreachable(reason_of(error.reason)) from None
    except OSError as error:
        raise Unreachable(reason_of(error)) from None
    except (HTTPException, ValueError):  # their messages quote the address, with a password in it
        raise Unreachable("it is no address, or what answers is no web server") from None


def ask_database(uri: str) -> None:
    """Opens a database and closes it again.

    Raises:
        Unreachable: where it can't be opened.
        BadInput: where its driver is not installed.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    try:
        engine = create_engine(uri)
        try:
            with engine.connect():
                return
        finally:
            engine.dispose()
    except (ImportError, NoSuchModuleError) as error:
        raise BadInput(f"its driver is not installed: {first_line(error)}") from None
    except (SQLAlchemyError, OSError) as error:
        raise Unreachable(first_line(error)) from None
    except ValueError:  # its message may quote a password
        raise Unreachable("it is no address") from None


def reason_of(reason: object) -> str:
    """Returns in a few words why something could not be reached."""
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return first_line(reason) if isinstance(reason, BaseException) else str(reason)


def within(timeout_s: float, ask: Callable[[], None]) -> None:
    """Asks, unless it takes too long.

    In a thread that is left behind then: looking up a name and opening a database have no time
    limit of their own.

    Raises:
        Unreachable: where no answer comes in time; whatever `ask` raises.
    """
    answers: list[BaseException | None] = []

    def run() -> None:
        try:
            ask()
            answers.append(None)
        except BaseException as failure:  # raised again below: a thread has no caller
            answers.append(failure)

    asking = threading.Thread(target=run, daemon=True, name="greenexp-tracker")
    asking.start()
    asking.join(timeout_s)
    if not answers:
        raise Unreachable(f"no answer within {timeout_s:g} s")
    if answers[0] is not None:
        raise answers[0]
