"""A report that was written before, to be shown again where nothing has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenexp.runs.files import write_atomically
from greenexp.tracking.state import FilesRead, unchanged

PAGE = "report.html"
KEPT = ".shown.json"


def key(options: Mapping[str, Any]) -> str:
    """Returns what a report depends on besides the files it was made of, as one digest.

    Args:
        options: of the command and of the terminal, as JSON takes them.
    """
    parts = json.dumps([options, _code()], sort_keys=True, default=str)
    return hashlib.sha256(parts.encode()).hexdigest()


def shown(folder: Path, wanted: str) -> str | None:
    """Returns what the terminal showed of the report in a folder.

    None where it depended on something else, or one of its files is gone or changed.
    """
    try:
        kept = json.loads((folder / KEPT).read_text("utf-8"))
        same = kept["key"] == wanted and kept["files"] == _files(folder)
        return str(kept["shown"]) if same and unchanged(kept["made_of"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep(folder: Path, wanted: str, made_of: FilesRead, text: str) -> None:
    """Keeps what the terminal showed, beside the report's files; not if files don't tell all."""
    if not made_of.complete:
        return
    kept = {"key": wanted, "files": _files(folder), "made_of": made_of.stamps, "shown": text}
    write_atomically(folder / KEPT, json.dumps(kept, ensure_ascii=False))


def _files(folder: Path) -> dict[str, list[int]]:
    """Returns size and time of change of the report's files, by name."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != KEPT]
    stats = {path.name: path.stat() for path in files}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in sorted(stats.items())}


def _code() -> list[list[int]]:
    """Returns size and time of change of greenexp's own files, so that another version differs."""
    package = Path(__file__).parents[1]
    own = (path.stat() for path in sorted(package.rglob("*")) if path.suffix in (".py", ".j2"))
    return [[status.st_size, status.st_mtime_ns] for status in own]
