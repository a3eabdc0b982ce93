"""Asks a server or a database whether it answers, within a time limit. It makes nothing there."""

from __future__ import annotations

import base64
import os
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict
from urllib.parse import unquote

from greenexp.errors import BadInput, Unreachable, first_line
from greenexp.settings.secrets import MLFLOW_LOGIN, MLFLOW_TOKEN

ATTEMPTS = 3  # where a server answers that it failed, which may pass
PAUSE_S = 0.3
LOGIN_ASKED, REFUSED, FAILED = 401, 400, 500  # the latter from there on
NO_SERVER = "it is no address, or what answers is no web server"
NO_LOGIN = (
    f"it takes no request without the login of an account; set {' and '.join(MLFLOW_LOGIN)} to it"
)
# MLflow's settings of the certificates that its client trusts and shows.
TRUSTED = "MLFLOW_TRACKING_SERVER_CERT_PATH"
SHOWN = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"


class Certificates(TypedDict, total=False):
    """What `requests` takes of certificates: which are trusted, and which is shown."""

    verify: bool | str
    cert: str | None


def ask_server(uri: str, timeout_s: float, attempts: int = 1) -> None:
    """Asks an MLflow server for its health, with the library and the settings of MLflow's client.

    Args:
        uri: of the server; a login in it, else that of the environment, goes with the request.
        timeout_s: that one answer may take.
        attempts: at most, where it answers that it failed.

    Raises:
        Unreachable: where no good answer comes.
        BadInput: where it refuses the login, its certificate is not trusted, or one can't be read.
    """
    import requests

    scheme, _, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    url = f"{scheme}://{host}{slash}{path}".rstrip("/") + "/health"
    headers = _authorization(unquote(login))
    certificates = _certificates() if scheme == "https" else Certificates()
    try:
        asked = requests.get(url, headers=headers, timeout=timeout_s, stream=True, **certificates)
        with asked as answer:  # unread: one of any length will do
            status = answer.status_code
    except requests.Timeout:
        raise Unreachable(f"no answer within {timeout_s:g} s") from None
    except requests.ConnectionError as error:
        raise _unconnected(error) from None
    except (ValueError, OSError):  # their messages quote the address
        raise Unreachable(NO_SERVER) from None
    if status >= FAILED and attempts > 1:
        time.sleep(PAUSE_S)
        ask_server(uri, timeout_s, attempts - 1)
    elif status == LOGIN_ASKED:
        raise BadInput(NO_LOGIN)
    elif status >= REFUSED:
        raise Unreachable(f"the server answers {status} to /health")


def _authorization(login: str) -> dict[str, str]:
    """Returns the header of a login, `user:password`; where there is none, of MLflow's settings."""
    known = [os.environ.get(name, "") for name in MLFLOW_LOGIN]
    credentials = login or (":".join(known) if all(known) else "")
    if ":" in credentials:
        return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    token = os.environ.get(MLFLOW_TOKEN)
    return {"Authorization": f"Bearer {token}"} if token else {}


def _certificates() -> Certificates:
    """Returns what MLflow's settings tell of certificates.

    Raises:
        BadInput: where a file is missing or holds no certificate.
    """
    import urllib3

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted, shown = os.environ.get(TRUSTED), os.environ.get(SHOWN)
    if trusted is not None and not Path(trusted).is_dir():
        _check_certificate(TRUSTED, trusted, context.load_verify_locations)
    if shown is not None:
        _check_certificate(SHOWN, shown, context.load_cert_chain)
    insecure = os.environ.get(INSECURE, "").lower() in ("true", "1")
    if insecure:  # which the user has chosen; else each request of MLflow's warns of it
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return Certificates(verify=trusted or not insecure, cert=shown)


def _check_certificate(name: str, path: str, load: Callable[[str], None]) -> None:
    if not Path(path).is_file():
        raise BadInput(f"{name}={path} is no file; name that of a certificate")
    try:
        load(path)
    except OSError as error:  # ssl.SSLError is one
        raise BadInput(
            f"{name}={path} can't be read as a certificate ({first_line(error)}); name another file"
        ) from None


def _unconnected(error: BaseException) -> BadInput | Unreachable:
    """Returns what stands at the end of the chain of a connection's errors, in few words."""
    while isinstance(cause := _cause(error), BaseException):
        error = cause
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadInput(
            f"its certificate is not trusted ({error.verify_message.rstrip('.')}); name the file "
            f"of the one to trust in {TRUSTED}"
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"no TLS connection comes about ({reason_of(error)}); where it asks for a certificate, "
            f"name its file in {SHOWN}"
        )
    return Unreachable(reason_of(error) if isinstance(error, OSError) else NO_SERVER)


def _cause(error: BaseException) -> object:
    """Returns what an error was made of, which urllib3 keeps in one of three places."""
    return error.__cause__ or error.__context__ or next(iter(error.args), None)


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
        raise BadInput(f"its driver is not installed: {first_line(error)}; install it") from None
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
