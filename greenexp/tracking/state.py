"""What a store held when it was read, told by its files alone: as long as they are the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from greenexp.settings.sweep import Tracking
from greenexp.tracking.addresses import database_file, exists, local_folder

Stamp = list[int] | None  # size and time of change in ns; None: there is no such file


@dataclass
class FilesRead:
    """The files that were read, each as it was just before.

    Attributes:
        stamps: by path.
        complete: whether they are all that was read; not where some of it is on a server.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict)
    complete: bool = True

    def note(self, path: str) -> None:
        """Notes a file that is read next."""
        self.stamps[path] = stamp(path)


def opened(settings: Tracking) -> FilesRead:
    """Returns the files of a store's database, which every reading depends on."""
    files = FilesRead()
    if local_folder(settings.uri) is None or not exists(settings):
        files.complete = False
        return files
    file = database_file(settings.uri)
    files.note(str(file))
    files.note(f"{file}-wal")
    return files


def unchanged(stamps: Mapping[str, Stamp]) -> bool:
    """Tells whether files are as they were."""
    return all(stamp(path) == known for path, known in stamps.items())


def stamp(path: str) -> Stamp:
    """Returns a file's size and time of change."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a `Path` takes longer, and there are thousands
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
