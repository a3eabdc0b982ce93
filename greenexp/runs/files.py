"""Files written whole or not at all, and what tells their contents apart."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

from greenexp.errors import BadInput

CLAIM = ".claimed"  # in a folder that one command has for itself
TAKEN = ("record.json", "plan.json")  # what commands leave there

_claimed: set[Path] = set()  # by this process


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


def claim(folder: Path) -> Path:
    """Returns a folder that no other caller of this function has, on whatever machine.

    It is the one asked for, or where that is taken the first free one that is called like it and a
    number: `10-15-00`, `10-15-00-2`. A folder that holds runs of an earlier version is taken.
    """
    for number in itertools.count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if candidate.absolute() in _claimed:
            return candidate
        try:
            candidate.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"the folder {candidate} can't be made ({error.strerror}); give a folder that may "
                "be written to: hydra.run.dir=… for a run, hydra.sweep.dir=… for a sweep"
            ) from None
        if any((candidate / name).exists() for name in TAKEN):
            continue
        try:
            os.close(os.open(candidate / CLAIM, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        _claimed.add(candidate.absolute())
        return candidate
    raise AssertionError("there is no largest number")
