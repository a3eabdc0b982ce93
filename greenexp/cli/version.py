"""Which greenexp this is; Hydra would tell its own version."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

PACKAGE = "greenexp"


def asks_for_version(words: Sequence[str]) -> bool:
    """Tells whether a command line asks for the version."""
    return "--version" in words


def named_version() -> str:
    """Returns name and version; a checkout that was never installed has none."""
    try:
        return f"{PACKAGE} {metadata.version(PACKAGE)}"
    except metadata.PackageNotFoundError:
        return f"{PACKAGE}, not installed: its version stands in pyproject.toml"
