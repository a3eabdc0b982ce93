"""The runs that a journal holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from greenexp.runs import journal
from greenexp.runs.run import RUN, Run, from_json

LOG = logging.getLogger("greenexp.journal")


def run_at(record: Path) -> Run:
    """Returns the run of a record, with its folder and, where the tracker has it, MLflow's id.

    Raises:
        OSError: where `run.json` beside the record can't be read.
        ValidationError: where it holds something else.
    """
    run = from_json(record.with_name(RUN).read_bytes())
    return replace(run, folder=str(record.parent), tracked=journal.sent(record))


def runs_below(folder: Path) -> list[Run]:
    """Returns the runs of a journal and of all journals below it, oldest first.

    One that can't be read is left out, with a warning that names its file.
    """
    # The runs of a block began together; their folders are numbered.
    return sorted(_runs(folder), key=lambda r: (r.started, len(r.folder or ""), r.folder or ""))


def _runs(folder: Path) -> Iterator[Run]:
    for path in folder.rglob(RUN):
        try:
            yield run_at(path.with_name(journal.RECORD))
        except (OSError, ValidationError):
            LOG.warning("%s can't be read as a run and is left out", path)
