"""Which files of a folder are its images, and what else lies there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from greenexp.datasets.decoding import suffixes
from greenexp.errors import BadInput, first_line

NO_CLASS = "in no class"
NO_FILE = "that are no regular files"  # pipes, sockets, links to nothing

Directory = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Listing:
    """The images below `<folder>/<class name>/`, and what was left out.

    Hidden folders and files are no data. Links are followed, each folder once a class.

    Attributes:
        classes: the images of each class, sorted; classes in the order of their names, or of
            their numbers where all names are numbers.
        left_out: how many files are no images, by the end of their names or by what they are.
    """

    classes: Mapping[str, Sequence[Path]]
    left_out: Mapping[str, int]

    @property
    def images(self) -> int:
        """How many there are."""
        return sum(map(len, self.classes.values()))

    def line(self) -> str:
        """Returns how many images of how many files there are, and what the others are."""
        counts = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0]))
        files = self.images + sum(self.left_out.values())
        classes = sum(1 for paths in self.classes.values() if paths)
        left_out = ", ".join(f"{number} {what}" for what, number in counts)
        taken = f"{self.images} images of {files} files in {classes} classes"
        return f"{taken}; left out: {left_out}" if counts else taken


def listing(folder: str, key: str) -> Listing:
    """Returns what lies in a folder.

    Args:
        folder: with one sub-folder a class.
        key: the option that named it, for messages.

    Raises:
        BadInput: where it is no folder or can't be read.
    """
    root = Path(folder)
    if not root.is_dir():
        raise BadInput(f"{key}={folder} is no folder; give a folder with one sub-folder a class")
    left_out: Counter[str] = Counter()
    try:
        entries = [entry for entry in os.scandir(root) if not entry.name.startswith(".")]
        folders = [Path(entry.path) for entry in entries if entry.is_dir()]
        left_out[NO_CLASS] += len(entries) - len(folders)
        above = _identity(root)
        classes = {
            entry.name: sorted(_images(entry, {above, _identity(entry)}, left_out))
            for entry in sorted(folders, key=_order(folders))
        }
    except OSError as error:
        raise BadInput(f"{key}={folder} can't be read: {first_line(error)}") from None
    return Listing(classes, +left_out)


def _order(folders: Sequence[Path]) -> Callable[[Path], int | str]:
    """Returns what sorts classes: numbers, as ImageNetV2 has them, by their value."""
    numbers = all(entry.name.isdecimal() for entry in folders)
    return (lambda entry: int(entry.name)) if numbers else (lambda entry: entry.name)


def _images(folder: Path, seen: set[Directory], left_out: Counter[str]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_dir():
            identity = _identity(path)
            if identity not in seen:
                seen.add(identity)
                yield from _images(path, seen, left_out)
        elif not entry.is_file():
            left_out[NO_FILE] += 1
        elif path.suffix.lower() in suffixes():
            yield path
        else:
            left_out[path.suffix.lower() or "without an ending"] += 1


def _identity(folder: Path) -> Directory:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
