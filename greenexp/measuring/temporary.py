"""What runs need of the folder for temporary files; told before anything is measured."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from greenexp.errors import BadInput

SOCKET_PATH_BYTES = 107  # sun_path of Linux, less its end
SOCKET_NAME_BYTES = len("/pymp-12345678/listener-12345678")  # of multiprocessing
NEEDED_MIB = 64.0
BYTES_PER_MIB = 2**20


def check_temporary(*, compiles: bool) -> None:
    """Checks the folder for temporary files.

    Args:
        compiles: whether a run has a compiler write there, and loads what it has made.

    Raises:
        BadInput: where it is too long for a socket, full, or of no use to a compiler.
    """
    folder = Path(tempfile.gettempdir())
    given = f"TMPDIR={folder}"
    longest = SOCKET_PATH_BYTES - SOCKET_NAME_BYTES
    length = len(os.fsencode(folder))
    if length > longest:
        raise BadInput(
            f"{given} has {length} bytes, too many for the path of a socket; allowed: {longest}; "
            "set TMPDIR to a shorter folder"
        )
    free_mib = shutil.disk_usage(folder).free / BYTES_PER_MIB
    if free_mib < NEEDED_MIB:
        raise BadInput(
            f"{given} has {free_mib:.0f} MiB free; runs need {NEEDED_MIB:.0f} there: make room, or "
            "set TMPDIR to another folder"
        )
    if not compiles:
        return
    if any(character.isspace() for character in str(folder)):
        raise BadInput(
            f"{given} has a space in it, which torch.compile's compiler can't take; "
            "set TMPDIR to a folder without one"
        )
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise BadInput(
            f"{given} lies on a file system that runs nothing (noexec), so what torch.compile "
            "makes there can't be loaded; set TMPDIR to another folder"
        )


def full_or_not() -> str:
    """Returns what to say of a process that ended without a word; empty where room is left."""
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free >= BYTES_PER_MIB:
        return ""
    return f"; the folder for temporary files, {folder}, is full: make room, or set TMPDIR"
