"""Addresses of MLflow stores: of which kinds there are, and what stands behind one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse

from greenexp.errors import BadInput
from greenexp.settings.secrets import SERVERS, whole, without_secrets
from greenexp.settings.sweep import Tracking

SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql")
HOSTED = ("databricks", "databricks-uc")
EXAMPLE = "sqlite:///mlruns/mlflow.db"


def local_folder(uri: str) -> Path | None:
    """Returns the folder of a SQLite store, None for a server or another database."""
    if not uri.startswith(SQLITE):
        return None
    return database_file(uri).parent


def database_file(uri: str) -> Path:
    """Returns the file of a SQLite store."""
    return Path(urlparse(uri).path.removeprefix("/"))


def scheme_of(uri: str) -> str:
    """Returns what kind of store an address is of, without its driver; empty for a path."""
    return uri.partition(":")[0].partition("+")[0].lower() if ":" in uri else ""


def check_address(uri: str) -> None:
    """Checks that runs can be kept at an address.

    Raises:
        BadInput: for a folder, a database in memory, or an address of another kind.
    """
    if uri.startswith(SQLITE):
        known = bool(database_file(uri).name) and ":memory:" not in uri
    else:
        known = uri in HOSTED or (
            "://" in uri and scheme_of(uri) in (*SERVERS, *DATABASES, *HOSTED)
        )
    if not known:
        raise BadInput(
            f"tracking.uri={without_secrets(uri)} is no address that runs are kept at; allowed: "
            f"{SQLITE}<file>, http://<server>, https://<server>, "
            f"{', '.join(f'{kind}://…' for kind in DATABASES)}; give e.g. {EXAMPLE}"
        )


def address(settings: Tracking) -> str:
    """Returns the address to open a store with: with its password, and how long it is waited for.

    SQLite itself waits for another process that holds the database.
    """
    if local_folder(settings.uri) is not None:
        return f"{settings.uri}{'&' if '?' in settings.uri else '?'}timeout={settings.locked_s:g}"
    return whole(settings.uri)


def exists(settings: Tracking) -> bool:
    """Tells whether the store is there already; a server is taken to be."""
    folder = local_folder(settings.uri)
    return folder is None or database_file(settings.uri).is_file()
