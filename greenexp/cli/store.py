"""`python -m greenexp.store [folder …]`: sends to MLflow what it missed of journals."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from greenexp.cli.exit import heard
from greenexp.cli.version import named_version
from greenexp.errors import BadInput, GreenexpError
from greenexp.runs import journal
from greenexp.settings.secrets import keep
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.moving import move

WAITED_FOR_S = 60.0  # a record that another process is sending
DEFAULT = "multirun"
KEYS = ("tracking.uri", "tracking.experiment", "tracking.artifacts")


def main() -> int:
    """Sends every record under a folder that the tracker lacks; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m greenexp.store", description=__doc__)
    parser.add_argument(
        "folder",
        nargs="*",
        default=[],
        help=f"of a journal, {DEFAULT} unless given; several, also of other machines, are merged, "
        f"each run once. {KEYS[0]}=… sends to another store than the records name, {KEYS[1]}=… to "
        f"another experiment; {KEYS[2]}=… is where a new one has its files",
    )
    parser.add_argument("--deleted", action="store_true", help="bring back deleted runs")
    parser.add_argument(
        "--moved",
        metavar="URI",
        help="of a SQLite store that was moved or copied: look for files where it is now",
    )
    parser.add_argument("--version", action="version", version=named_version())
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
    given = {key: word.partition("=")[2] for key in KEYS for word in words if _is_of(word, key)}
    folders = [word for word in words if not any(_is_of(word, key) for key in KEYS)]
    paths = _records([Path(word.removeprefix("journal=")) for word in folders or [DEFAULT]])
    uri, experiment, artifacts = (given.get(key) for key in KEYS)
    delivery = Delivery(
        uri=None if uri is None else keep(uri),
        experiment=experiment,
        artifacts=artifacts,
        restore=restore,
        again=True,
        patience_s=WAITED_FOR_S,
    )
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


def _is_of(word: str, key: str) -> bool:
    return word.startswith(f"{key}=")


def _records(folders: Sequence[Path]) -> list[Path]:
    """Returns the records of journals, each file once.

    Raises:
        BadInput: where a folder is missing or holds none.
    """
    paths: dict[Path, Path] = {}
    for folder in folders:
        records = sorted(journal.files_below(folder, journal.RECORD))
        if not records:
            state = f"holds no {journal.RECORD}" if folder.is_dir() else "is no folder"
            raise BadInput(f"{folder} {state}; give the output folder of a run")
        for path in records:
            paths.setdefault(path.resolve(), path)
    return list(paths.values())
