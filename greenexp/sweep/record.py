"""From a composed configuration to a recorded run: child process, journal, tracker."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from greenexp.measuring.isolated import isolated
from greenexp.measuring.machine import fingerprint
from greenexp.runs import journal
from greenexp.runs.files import write_atomically
from greenexp.runs.identity import cell_hash
from greenexp.runs.journal import Record
from greenexp.runs.run import RUN, of, to_json
from greenexp.tracking import tracker as tracking


@dataclass(frozen=True)
class Naming:
    """What a run is called: see `Record` for the fields."""

    title: str
    sweep: str | None
    choices: Mapping[str, str]


def conduct(configuration: Mapping[str, Any], naming: Naming, folder: Path) -> Path:
    """Measures in a child, journals into `folder`, tracks, and returns the journal's path.

    A run that fails is recorded too, with its outcome and reason.
    """
    started = _now()
    result = isolated(configuration)
    record = Record(
        id=uuid.uuid4().hex,
        title=naming.title,
        cell=cell_hash(configuration),
        sweep=naming.sweep,
        choices=naming.choices,
        configuration=configuration,
        started=started,
        ended=_now(),
        result=result,
        machine=fingerprint(),
    )
    path = journal.write(record, folder)
    write_atomically(path.with_name(RUN), to_json(of(record)))
    journal.mark_sent(path, tracking.send(record, path))
    return path


def _now() -> str:
    return datetime.now(UTC).isoformat()
