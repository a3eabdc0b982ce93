"""Credentials: used from the environment, never written or shown.

A password in the address of a tracker is taken out of it and kept in the environment of this
process and of those it starts, under the names that MLflow reads for a server and under
`GREENEXP_TRACKING_PASSWORD` for a database. The value of a key that is called like a secret stays
`${oc.env:NAME}` in all that is written, and is looked up where it is used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from greenexp.errors import BadInput

PASSWORD = "GREENEXP_TRACKING_PASSWORD"
MLFLOW_LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
MLFLOW_TOKEN = "MLFLOW_TRACKING_TOKEN"
SERVERS = ("http", "https")
SECRET_KEY = re.compile(r"(^|_)(password|passwd|pwd|secret|token|api_?key|credentials?)$", re.I)
FROM_ENVIRONMENT = re.compile(r"\$\{oc\.env:\s*([^,}\s]+)\s*(?:,\s*([^}]*?)\s*)?\}")

_LOGIN = re.compile(r"(?<=://).*@", re.DOTALL)  # hides too much rather than too little
_SECRET_IN_QUERY = re.compile(
    r"([?&][^=&]*(?:password|passwd|pwd|token|secret)[^=&]*=)[^&#]*", re.I
)
_SECRET_PART = re.compile(r"&?(?:password|passwd|pwd)=([^&]*)", re.I)


def without_secrets(text: str) -> str:
    """Returns a text with the user and password of each address in it replaced by `***`."""
    hidden = _SECRET_IN_QUERY.sub(r"\1***", _LOGIN.sub("***@", text))
    for secret in filter(None, map(os.environ.get, (PASSWORD, MLFLOW_LOGIN[1], MLFLOW_TOKEN))):
        hidden = hidden.replace(secret, "***").replace(quote(secret, safe=""), "***")
    return hidden


def keep(uri: str) -> str:
    """Returns an address without its password, which the environment holds from now on.

    Of a server's address the user goes as well. One without a password is returned as it is.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    in_query = _SECRET_PART.search(parts.query)
    if parts.scheme in SERVERS:
        if not password:
            return uri
        os.environ.update(zip(MLFLOW_LOGIN, (unquote(user), unquote(password)), strict=True))
        return urlunsplit(parts._replace(netloc=host))
    if not password and in_query is None:
        return uri
    os.environ[PASSWORD] = unquote(password or (in_query.group(1) if in_query else ""))
    query = _SECRET_PART.sub("", parts.query).removeprefix("&")
    return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host, query=query))


def keep_each(uris: Sequence[str]) -> list[str]:
    """Returns addresses as `keep` does.

    Raises:
        BadInput: where servers, or databases, have different logins: the environment holds one, and
            it would be sent to all of them.
    """
    logins: dict[str, dict[str, None]] = {"servers": {}, "databases": {}}
    for uri in uris:
        kind, login = _login(uri)
        if kind is not None:
            logins[kind][login] = None
    for kind, of_kind in logins.items():
        if len(of_kind) > 1:
            raise BadInput(
                f"tracking.uri holds {kind} with different logins, and one is kept for all; give "
                f"each the same, or gather their runs in one store: python -m greenexp.store"
            )
    return [keep(uri) for uri in uris]


def _login(uri: str) -> tuple[str | None, str]:
    """Returns whether an address is one of servers or databases, None: a file; and its login."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None, ""
    login, _, host = parts.netloc.rpartition("@")
    if parts.scheme in SERVERS:
        return "servers", login
    in_query = _SECRET_PART.search(parts.query)
    _, _, password = login.partition(":")
    return "databases" if host else None, password or (in_query.group(1) if in_query else "")


def whole(uri: str) -> str:
    """Returns a database's address with the password that `keep` took out of it."""
    password = os.environ.get(PASSWORD)
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    login, _, host = parts.netloc.rpartition("@")
    if not password or not host or ":" in login or parts.scheme in SERVERS:
        return uri
    return urlunsplit(parts._replace(netloc=f"{login}:{quote(password, safe='')}@{host}"))


def is_secret(key: str) -> bool:
    """Tells whether a key is called like something that must not be written down."""
    return SECRET_KEY.search(key) is not None


def looked_up(key: str, value: str) -> str:
    """Returns a secret's value with its `${oc.env:NAME}` replaced by what the environment has.

    Args:
        key: dotted, for the message.
        value: as it is written.

    Raises:
        BadInput: where the environment lacks it.
    """

    def of_environment(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        value = os.environ.get(name, default)
        if value is None:
            raise BadInput(f"{key} needs the environment variable {name}, which is not set; set it")
        return value

    return FROM_ENVIRONMENT.sub(of_environment, value)
