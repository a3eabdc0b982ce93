"""Who sends a record: one of any number of processes that hold copies of it.

The record's lock keeps those apart that send from one folder. Copies on other machines have locks
of their own, and a server has none at all. So who wants to send a record makes its run first, and
looks then who else has. It sends where it sees nobody. Of two that do so, the one that made its run
later would see the other's, for that was there before it looked. Where several see each other, the
smallest id stays and the others withdraw.

Whether a process of another host has ended can't be known, for its node may be lost. So what such a
one began long ago is deleted. Should it go on after all, MLflow refuses it, for the run is deleted.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenexp.errors import NotTracked
from greenexp.tracking.database import ACTIVE, UNENDED
from greenexp.tracking.fields import ID_TAG
from greenexp.tracking.sender import SENDER_TAG, SINCE_TAG, is_gone, sender

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SECONDS_PER_MINUTE = 60
LOOKS_EVERY_S = 0.2, 0.4  # by lot, so that two don't go on in step
ABANDONED_S = 300.0  # after which a run that another host began to send is taken for left behind
SETTLES_S = 5.0  # that another which withdraws is waited for in any case


@dataclass(frozen=True)
class Claim:
    """The run that a record has.

    Attributes:
        run_id: MLflow's.
        is_whole: whether it was sent before; False: it is new, and whoever asked is to fill it.
        is_deleted: whether it was deleted there since.
    """

    run_id: str
    is_whole: bool = False
    is_deleted: bool = False


@dataclass(frozen=True)
class Claims:
    """The runs of one record in an experiment, whoever made them.

    Attributes:
        client: of the store.
        experiment_id: MLflow's.
        record_id: whose runs.
        title: of the record, for messages.
        by: who asks, as `SENDER_TAG` has it.
    """

    client: MlflowClient
    experiment_id: str
    record_id: str
    title: str
    by: str = field(default_factory=sender)

    def run_of(self, make: Callable[[], str], patience_s: float) -> Claim:
        """Returns the run that holds the record, or a new one that this process alone may fill.

        Args:
            make: makes a run of the record with `SENDER_TAG`, and returns its id.
            patience_s: that another process is waited for which is sending the record.

        Raises:
            NotTracked: where another process is still sending it.
        """
        own: str | None = None
        end_s = time.monotonic() + patience_s
        while True:
            runs = self._runs()
            ended = [run for run in runs if run.info.status != UNENDED]
            if ended:  # rather one that was not deleted
                whole = min(ended, key=lambda run: run.info.lifecycle_stage != ACTIVE)
                self._clear(runs)
                deleted = whole.info.lifecycle_stage != ACTIVE
                return Claim(str(whole.info.run_id), is_whole=True, is_deleted=deleted)
            others = [run for run in runs if self._may_be_sending(run)]
            if own is not None and not others:
                return Claim(own)
            if not others:
                own = make()
                end_s = max(end_s, time.monotonic() + SETTLES_S)
                continue
            late = time.monotonic() >= end_s
            if own is not None and (late or any(str(run.info.run_id) < own for run in others)):
                self._clear(runs)
                own = None
            if late:
                raise NotTracked(self._being_sent(others[0]))
            time.sleep(random.uniform(*LOOKS_EVERY_S))

    def clear(self, run_id: str) -> None:
        """Deletes what was half sent beside a run: a request that was made twice leaves two."""
        self._clear(run for run in self._runs() if run.info.run_id != run_id)

    def _clear(self, runs: Iterable[Run]) -> None:
        """Deletes the half-sent runs among these that this process made, or one that has ended."""
        for run in runs:
            half_sent = run.info.status == UNENDED and run.info.lifecycle_stage == ACTIVE
            if half_sent and self._is_left(run):
                self.client.delete_run(run.info.run_id)

    def _may_be_sending(self, run: Run) -> bool:
        """Tells whether another process made a half-sent run and may still be filling it."""
        made = run.info.lifecycle_stage == ACTIVE and SENDER_TAG in run.data.tags
        return made and not self._is_left(run)

    def _is_left(self, run: Run) -> bool:
        """Tells whether nobody else fills a half-sent run any more."""
        by = run.data.tags.get(SENDER_TAG, "")
        since_s = float(run.data.tags.get(SINCE_TAG, "inf"))
        return by == self.by or is_gone(by) or time.time() - since_s > ABANDONED_S

    def _runs(self) -> Sequence[Run]:
        from mlflow.entities import ViewType

        wanted = f"tags.`{ID_TAG}` = '{self.record_id}'"
        return list(self.client.search_runs([self.experiment_id], wanted, ViewType.ALL))

    def _being_sent(self, run: Run) -> str:
        host, process, _ = run.data.tags[SENDER_TAG].rsplit(" ", 2)
        return (
            f"{self.title} is being sent by process {process} of {host.partition('/')[0]}; where "
            f"that has ended, send again in {ABANDONED_S / SECONDS_PER_MINUTE:.0f} minutes, or "
            f"delete run {run.info.run_id} in MLflow"
        )
