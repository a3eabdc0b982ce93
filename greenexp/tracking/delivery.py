"""Takes journalled records to their trackers, each once, under any number of senders."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from greenexp.errors import BadInput, DamagedRecord, NotTracked, Unreachable
from greenexp.measuring.waiting import waiting
from greenexp.runs import journal
from greenexp.runs.journal import Record
from greenexp.settings.build import typed
from greenexp.settings.sweep import Tracking
from greenexp.tracking.refusals import refusals
from greenexp.tracking.store import probe
from greenexp.tracking.tracker import Tracker, connect

LOCK = ".sending.lock"  # beside a record, while it is being sent
AGAIN_AFTER_S = 20.0  # that a tracker which did not answer is left alone


@dataclass(frozen=True)
class Receipt:
    """What became of a record that was to be sent.

    Attributes:
        path: of the record.
        run_id: MLflow's; None: the tracker does not have it, or another process is sending it.
        title: of the run; None where the record could not be read.
        failure: one line; the same for all records that one outage keeps back.
        is_unanswered: whether that is for a tracker that does not answer.
    """

    path: Path
    run_id: str | None
    title: str | None = None
    failure: str | None = None
    is_unanswered: bool = False


@dataclass
class Delivery:
    """Sends records; a tracker that does not answer is left alone for a while.

    Attributes:
        uri: of the tracker; None: the one that each record names.
        experiment: there; None likewise.
        artifacts: where a new experiment there has its files; None likewise.
        restore: whether runs that were deleted in MLflow come back.
        again: whether records that the tracker has taken once are looked up there again.
        patience_s: that a record is waited for which another process is sending.
    """

    uri: str | None = None
    experiment: str | None = None
    artifacts: str | None = None
    restore: bool = False
    again: bool = False
    patience_s: float = 0.0
    _trackers: dict[tuple[str, str], Tracker] = field(default_factory=dict)
    _silent: dict[str, tuple[float, str]] = field(default_factory=dict)

    def send(self, paths: Iterable[Path]) -> Iterator[Receipt]:
        """Sends records, and yields what became of each."""
        for path in paths:
            try:
                record = journal.read(path)
            except DamagedRecord as damaged:
                with suppress(OSError):
                    aside = journal.set_aside(path)
                    damaged = DamagedRecord(f"{damaged}; it is kept as {aside.name}")
                yield Receipt(path, None, None, str(damaged))
                continue
            try:
                yield Receipt(path, self._sent(record, path), record.title)
            except Unreachable as silent:
                yield Receipt(path, None, record.title, str(silent), is_unanswered=True)
            except (NotTracked, BadInput) as refused:
                yield Receipt(
                    path,
                    None,
                    record.title,
                    f"{record.title} is measured and kept in {path}, but MLflow did not take it: "
                    f"{refused}; send it again with python -m greenexp.store {path.parent}",
                )

    def take(self, record: Record) -> str | None:
        """Sends a record that no journal holds; returns MLflow's run id, None where it fails."""
        try:
            return self._logged(record, self._where(record))
        except (NotTracked, BadInput):
            return None

    def _sent(self, record: Record, path: Path) -> str | None:
        where = self._where(record)
        with _lock(path, self.patience_s) as held:
            known = journal.sent(path)
            if not held:
                return known
            if known is not None and not self.again:
                return known
            run_id = self._logged(record, where)
            with suppress(PermissionError):  # a journal that may only be read
                journal.mark_sent(path, run_id)
            return run_id

    def _where(self, record: Record) -> Tracking:
        own = typed(record.configuration, "tracking", Tracking)
        return replace(
            own,
            uri=own.uri if self.uri is None else self.uri,
            experiment=own.experiment if self.experiment is None else self.experiment,
            artifacts=own.artifacts if self.artifacts is None else self.artifacts,
        )

    def _logged(self, record: Record, where: Tracking) -> str:
        since_s, reason = self._silent.get(where.uri, (-AGAIN_AFTER_S, ""))
        if reason and time.monotonic() - since_s < AGAIN_AFTER_S:
            raise Unreachable(reason)
        try:
            tracker = self._tracker(where)
            with waiting(f"MLflow to take {record.title}"), refusals(where):
                run_id = tracker.log(record, restore=self.restore, patience_s=self.patience_s)
        except Unreachable as silent:
            self._silent[where.uri] = time.monotonic(), str(silent)
            raise
        self._silent.pop(where.uri, None)
        return run_id

    def _tracker(self, where: Tracking) -> Tracker:
        """Returns the tracker, opened once, and asked each time whether it still answers."""
        key = where.uri, where.experiment
        if key not in self._trackers:
            self._trackers[key] = connect(where)
        else:
            probe(where)
        return self._trackers[key]


@contextmanager
def _lock(path: Path, patience_s: float) -> Iterator[bool]:
    """Holds a record's lock; yields False where another process holds it.

    A journal that may only be read has no lock.
    """
    lock = FileLock(path.with_name(LOCK), timeout=patience_s)
    try:
        with waiting(f"another process that sends {path}"):
            lock.acquire()
    except Timeout:
        yield False
        return
    except OSError:
        yield True
        return
    try:
        yield True
    finally:
        if journal.sent(path) is not None:
            with suppress(OSError):  # whoever waits for it finds that it is sent
                path.with_name(LOCK).unlink()
        lock.release()
