"""Of any number of processes that want to send a record, one does."""

from __future__ import annotations

import itertools
import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

from greenexp.errors import NotTracked
from greenexp.tracking import claim
from greenexp.tracking.claim import Claims
from greenexp.tracking.sender import SENDER_TAG, SINCE_TAG, sender

SENDERS = 4
PATIENCE_S = 60.0


class Store:
    """A store in memory, which answers each request after a while, as servers do."""

    def __init__(self, seed: int) -> None:
        self.runs: dict[str, Any] = {}
        self._dice = random.Random(seed)
        self._lock = Lock()

    def make(self, by: str, since_s: float | None = None) -> str:
        self._lag()
        with self._lock:
            run_id = f"{self._dice.getrandbits(64):016x}"
            info = SimpleNamespace(run_id=run_id, status="RUNNING", lifecycle_stage="active")
            tags = {SENDER_TAG: by, SINCE_TAG: f"{since_s or time.time():.0f}"}
            self.runs[run_id] = SimpleNamespace(info=info, data=SimpleNamespace(tags=tags))
        self._lag()
        return run_id

    def search_runs(self, *wanted: object) -> list[Any]:
        del wanted
        self._lag()
        with self._lock:
            known = [
                SimpleNamespace(info=SimpleNamespace(**vars(run.info)), data=run.data)
                for run in self.runs.values()
            ]
        self._lag()
        return known

    def delete_run(self, run_id: str) -> None:
        self._lag()
        self.runs[run_id].info.lifecycle_stage = "deleted"

    def end(self, run_id: str) -> None:
        self._lag()
        self.runs[run_id].info.status = "FINISHED"

    def _lag(self) -> None:
        time.sleep(self._dice.uniform(0, 0.003))


def claims(store: Store, number: int) -> Claims:
    client: Any = store
    return Claims(client, "1", "r0", "r0", by=f"machine {number}/1 {number} 1.0")


def send(store: Store, number: int) -> tuple[str, bool]:
    """Sends the record, as a process of a machine of its own."""
    own = claims(store, number)
    claimed = own.run_of(lambda: store.make(own.by), PATIENCE_S)
    if not claimed.is_whole:
        store.end(claimed.run_id)
        own.clear(claimed.run_id)
    return claimed.run_id, not claimed.is_whole


@pytest.mark.parametrize("seed", range(12))
def test_one_of_several_machines_sends(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "LOOKS_EVERY_S", (0.001, 0.004))
    store = Store(seed)
    with ThreadPoolExecutor(SENDERS) as pool:
        told = list(pool.map(send, itertools.repeat(store), range(SENDERS)))
    (sent,) = [run_id for run_id, is_new in told if is_new]
    assert {run_id for run_id, _ in told} == {sent}
    active = {key for key, run in store.runs.items() if run.info.lifecycle_stage == "active"}
    assert active == {sent}


def test_who_can_t_wait_withdraws_and_says_who_sends() -> None:
    store = Store(0)
    other = store.make("elsewhere/1 7 1.0")
    own = claims(store, 1)
    with pytest.raises(NotTracked, match=f"r0 is being sent by process 7 of elsewhere.*{other}"):
        own.run_of(lambda: store.make(own.by), 0.0)
    assert [run.info.lifecycle_stage for run in store.runs.values()] == ["active"]


def test_what_a_lost_machine_half_sent_long_ago_is_sent_anew() -> None:
    store = Store(0)
    left = store.make("elsewhere/1 7 1.0", time.time() - claim.ABANDONED_S - 1)
    sent, is_new = send(store, 1)
    assert is_new
    assert {key: run.info.lifecycle_stage for key, run in store.runs.items()} == {
        left: "deleted",
        sent: "active",
    }


def test_host_names_its_machine_and_says_nothing_of_it() -> None:
    host, _, _ = sender().rsplit(" ", 2)
    assert host.count("/") == 2
    assert len(host.rpartition("/")[2]) == 8
