"""The runs that a journal holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from greenexp.errors import DamagedRecord
from greenexp.runs import journal
from greenexp.runs.files import write_atomically
from greenexp.runs.journal import Record
from greenexp.runs.run import RUN, Run, from_json, of, to_json

LOG = logging.getLogger("greenexp.journal")


def write(record: Record, folder: Path) -> Run:
    """Writes a record and its run, which is read in its place, into a folder; returns the run."""
    path = journal.write(record, folder)
    run = of(record)
    write_atomically(path.with_name(RUN), to_json(run))
    return run


def run_at(record: Path) -> Run:
    """Returns the run of a record, with its folder and, where the tracker has it, MLflow's id.

    Raises:
        OSError: where `run.json` beside the record can't be read.
        ValidationError: where it holds something else.
    """
    text = record.with_name(RUN).read_bytes()
    return from_json(text, folder=str(record.parent), tracked=journal.sent(record))


def runs_below(folder: Path) -> list[Run]:
    """Returns the runs of a journal and of all journals below it, oldest first.

    One that can't be read is left out, with a warning that names its file.
    """
    return runs_in(folders_below(folder))


def runs_in(folders: Iterable[Path]) -> list[Run]:
    """Returns the runs that folders hold, one each; as `runs_below`."""
    # The runs of a block began together; their folders are numbered.
    return sorted(_runs(folders), key=lambda r: (r.started, len(r.folder or ""), r.folder or ""))


def folders_below(
    folder: Path, ignored: Path | None = None, tell: Callable[[str], None] = lambda path: None
) -> list[Path]:
    """Returns the folders that hold a run, in order of their names; see `journal.walk`.

    Args:
        folder: of a journal; symbolic links below it are not followed.
        ignored: a folder that is not looked into.
        tell: is called with the path of each folder just before it is looked into.
    """
    absent = None if ignored is None else ignored.resolve()
    tell(str(folder))
    runs = []
    for parent, inner, files in journal.walk(folder):
        if absent is not None and absent.name in inner and (parent / absent.name).samefile(absent):
            inner.remove(absent.name)
        for own in inner:
            tell(f"{parent}/{own}")
        if RUN in files or journal.RECORD in files:
            runs.append(parent)
    return runs


def _runs(folders: Iterable[Path]) -> Iterator[Run]:
    for folder in folders:
        path = folder / journal.RECORD
        try:
            yield run_at(path) if (folder / RUN).exists() else _made(path)
        except (OSError, ValidationError, DamagedRecord):
            LOG.warning("%s can't be read as a run and is left out", folder / RUN)


def _made(record: Path) -> Run:
    """Returns the run of a record that stands alone, such as one that was copied or printed."""
    run = of(journal.read(record))
    return replace(run, folder=str(record.parent), tracked=journal.sent(record))
