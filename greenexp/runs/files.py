"""Files written whole or not at all, and what tells their contents apart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def file_digest(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(parts: Iterable[tuple[str, str]]) -> str:
    """Returns what is equal for equal parts: pairs of a name and a digest, in any order."""
    lines = "".join(f"{content} {name!a}\n" for name, content in sorted(parts))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
