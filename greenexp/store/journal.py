"""The journal: one file a run, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from greenexp.result import Result

RECORD = "record.json"


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
    """Returns the record that `write` wrote."""
    return _adapter().validate_json(path.read_text(encoding="utf-8"))


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that it is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@cache
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
