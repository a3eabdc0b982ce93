"""`python -m greenexp.store [folder]`: sends to MLflow what it missed of the journal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from greenexp.cli.exit import heard
from greenexp.errors import GreenexpError
from greenexp.runs import journal
from greenexp.settings.secrets import keep
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.moving import move

WAITED_FOR_S = 60.0  # a record that another process is sending
KEY = "tracking.uri="


def main() -> int:
    """Sends every record under a folder that the tracker lacks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m greenexp.store", description=__doc__)
    parser.add_argument("folder", nargs="*", default=[], help="of the journal; multirun")
    parser.add_argument("--deleted", action="store_true", help="bring back deleted runs")
    parser.add_argument(
        "--moved",
        metavar="URI",
        help="of a SQLite store that was moved or copied: look for files where it is now",
    )
    given = parser.parse_args()
    with heard():
        try:
            if given.moved is not None:
                return _move(given.moved)
            return _send(given.folder, restore=given.deleted)
        except GreenexpError as error:
            sys.stderr.write(f"greenexp: {error}\n")
            return 1


def _move(uri: str) -> int:
    for line in move(Tracking(uri=uri)):
        sys.stdout.write(f"{line}\n")
    return 0


def _send(words: Sequence[str], *, restore: bool) -> int:
    uri = next((keep(word.removeprefix(KEY)) for word in words if word.startswith(KEY)), None)
    folders = [word.removeprefix("journal=") for word in words if not word.startswith(KEY)]
    paths = [path for folder in folders or ["multirun"] for path in _records(Path(folder))]
    if not paths:
        shown = ", ".join(folders or ["multirun"])
        sys.stderr.write(f"{shown} holds no {journal.RECORD}; give the output folder of a run\n")
        return 1
    delivery = Delivery(uri=uri, restore=restore, again=True, patience_s=WAITED_FOR_S)
    failures: dict[str, int] = {}
    for receipt in delivery.send(paths):
        if receipt.failure is not None:
            if receipt.failure not in failures:
                sys.stderr.write(f"greenexp: {receipt.failure}\n")
            failures[receipt.failure] = failures.get(receipt.failure, 0) + 1
        elif receipt.run_id is not None:
            sys.stdout.write(f"{receipt.title}: MLflow run {receipt.run_id}\n")
        else:
            sys.stdout.write(f"{receipt.title}: another process is sending it\n")
    if failures:
        left = sum(failures.values())
        sys.stderr.write(f"greenexp: {left} of {len(paths)} records are not in MLflow\n")
    return 1 if failures else 0


def _records(folder: Path) -> list[Path]:
    return sorted(folder.rglob(journal.RECORD))
