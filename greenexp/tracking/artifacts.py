"""Where the files of a run are."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

FILE, SPECIAL = "file://", frozenset("%?#;")
PREDICTIONS = "predictions.csv"


def local_path(uri: str) -> Path | None:
    """Returns the folder that an artifact location names, None where it is no local one."""
    plain = uri.removeprefix(FILE)
    if plain.startswith("/") and SPECIAL.isdisjoint(plain):  # of thousands, most
        return Path(plain)
    if uri.startswith("/"):
        return Path(url2pathname(uri))
    parsed = urlparse(uri)
    return Path(url2pathname(parsed.path)) if parsed.scheme in ("", "file") else None
