"""The journal: one file a run, written whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from greenexp.errors import DamagedRecord
from greenexp.runs.files import write_atomically
from greenexp.runs.result import Result

RECORD = "record.json"
PARTIAL = ".partial"  # ends the folder of a block while it is written
SENT = "sent"  # beside a record that the tracker has taken; holds its MLflow run id


@dataclass(frozen=True)
class Record:
    """A finished run with all that names it.

    Attributes:
        id: unique, so that a record sent to the tracker twice is stored once.
        title: the name a person reads.
        cell: hash of the configuration without outputs and order.
        sweep: name of the sweep it belongs to; None for a single run.
        choices: the options chosen: model, tactic, dataset, hardware, workload.
        configuration: the composed configuration, resolved.
        started: ISO time, UTC.
        ended: ISO time, UTC.
        result: the raw record.
        machine: the machine that measured, see `machine.fingerprint`; None in old records.
        version: of greenexp; None in old records.
        together: equal for runs that were measured together, in rounds; None: measured alone.
        conditions: what else must be equal for comparisons, see `machine.conditions`; None in old
            records.
    """

    id: str
    title: str
    cell: str
    sweep: str | None
    choices: Mapping[str, str]
    configuration: Mapping[str, Any]
    started: str
    ended: str
    result: Result
    machine: str | None = None
    version: str | None = None
    together: str | None = None
    conditions: str | None = None

    @property
    def block(self) -> int | None:
        """The complete block of a sweep that the run belongs to; None for a single run."""
        number = self.configuration.get("sweep", {}).get("block")
        return None if number is None else int(number)

    @property
    def replicate(self) -> int:
        """From 2 for the further processes of a cell in its block, else 1."""
        return int(self.configuration.get("sweep", {}).get("replicate", 1))


def write(record: Record, folder: Path) -> Path:
    """Writes the record into a folder and returns its path.

    Raises:
        ValueError: for a NaN or an infinity.
    """
    path = folder / RECORD
    write_atomically(path, record_json(record))
    return path


def record_json(record: Record) -> str:
    """Returns the record as JSON."""
    return json.dumps(dataclasses.asdict(record), allow_nan=False, ensure_ascii=False)


def read(path: Path) -> Record:
    """Returns the record that `write` wrote.

    Raises:
        DamagedRecord: where the file holds something else, or can't be read.
    """
    try:
        return _adapter().validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise DamagedRecord(f"{path} can't be read as a record: {_why(error)}") from None


def _why(error: ValidationError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


def set_aside(path: Path) -> Path:
    """Renames a damaged record, so that it is met once; returns its new path."""
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    return aside


def mark_sent(path: Path, run_id: str) -> None:
    """Notes beside a record that the tracker has it."""
    write_atomically(path.with_name(SENT), run_id)


def sent(path: Path) -> str | None:
    """Returns the MLflow run id of a record that the tracker has taken; None of another."""
    try:
        return path.with_name(SENT).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yields the folders of a journal, each with the names of its folders and files, as `os.walk`.

    A block that its process was killed in the midst of writing is in a folder that ends in
    `PARTIAL`. It counts as not written, for the journal has a block whole or not at all.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(inner for inner in folders if not inner.endswith(PARTIAL))
        yield Path(parent), folders, names


def files_below(folder: Path, name: str) -> Iterator[Path]:
    """Returns the files of a name in a journal and in all journals below it."""
    return (parent / name for parent, _, names in walk(folder) if name in names)


def unsent(folder: Path) -> list[Path]:
    """Returns the records under a folder that the tracker has not taken yet, oldest first."""
    changed: dict[Path, float] = {}
    for path in files_below(folder, RECORD):
        if not path.with_name(SENT).exists():
            with contextlib.suppress(FileNotFoundError):  # moved meanwhile
                changed[path] = path.stat().st_mtime
    return sorted(changed, key=lambda path: changed[path])


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
