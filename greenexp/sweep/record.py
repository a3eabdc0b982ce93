"""From a composed configuration to a recorded run: child process, journal, tracker."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from greenexp.measuring.environment import version
from greenexp.measuring.isolated import isolated
from greenexp.measuring.machine import fingerprint
from greenexp.runs import journal
from greenexp.runs.files import write_atomically
from greenexp.runs.identity import cell_hash
from greenexp.runs.journal import Record
from greenexp.runs.run import RUN, Run, of, to_json
from greenexp.tracking import tracker as tracking


@dataclass(frozen=True)
class Request:
    """A run to measure.

    Attributes:
        configuration: composed and resolved, as plain containers.
        choices: the options chosen: model, tactic, dataset, hardware, workload.
        title: the name a person reads.
        sweep: name of the sweep that it belongs to; None: a single run.
    """

    configuration: Mapping[str, Any]
    choices: Mapping[str, str]
    title: str
    sweep: str | None = None


def measure(request: Request, folder: Path) -> tuple[Run, Path]:
    """Measures in a child process and journals; returns the run and the path of its record.

    A run that fails is recorded too, with its outcome and reason.
    """
    started = _now()
    result = isolated(request.configuration)
    record = Record(
        id=uuid.uuid4().hex,
        title=request.title,
        cell=cell_hash(request.configuration),
        sweep=request.sweep,
        choices=request.choices,
        configuration=request.configuration,
        started=started,
        ended=_now(),
        result=result,
        machine=fingerprint(),
        version=version("greenexp"),
    )
    path = journal.write(record, folder)
    run = of(record)
    write_atomically(path.with_name(RUN), to_json(run))
    return run, path


def send(path: Path) -> str:
    """Sends a journalled record to the tracker that it names; returns MLflow's id of the run.

    Raises:
        NotTracked: where the tracker does not take it; the record stays in the journal.
    """
    run_id = tracking.send(journal.read(path), path)
    journal.mark_sent(path, run_id)
    return run_id


def _now() -> str:
    return datetime.now(UTC).isoformat()
