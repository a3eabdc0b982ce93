"""`python -m greenexp.store [journal=folder]`: sends to MLflow what it missed of the journal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from greenexp.errors import NotTracked
from greenexp.runs import journal
from greenexp.tracking import tracker as tracking


def main() -> int:
    """Sends every record under a folder that the tracker lacks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m greenexp.store", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("multirun"))
    folder = Path(str(parser.parse_args().folder).removeprefix("journal="))
    paths = sorted(folder.rglob(journal.RECORD))
    if not paths:
        sys.stderr.write(f"{folder} holds no {journal.RECORD}; give the output folder of a run\n")
        return 1
    for path in paths:
        record = journal.read(path)
        try:
            run_id = tracking.send(record, path)
            journal.mark_sent(path, run_id)
        except NotTracked as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write(f"{record.title}: MLflow run {run_id}\n")
    return 0
