"""Records reach their tracker once, whoever sends them, and what can't be sent stays."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from greenexp.errors import DamagedRecord
from greenexp.runs import journal
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import LOCK, Delivery, Receipt
from greenexp.tracking.fields import ID_TAG
from greenexp.tracking.sender import SENDER_TAG, is_gone, sender
from greenexp.tracking.tracker import Tracker, connect
from tests.support.command import ROOT
from tests.support.tracked import EXPERIMENT, run

HANG_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Tracking:
    return Tracking(uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db", experiment=EXPERIMENT)


@pytest.fixture
def tracker(settings: Tracking) -> Tracker:
    return connect(settings)


def journalled(folder: Path, settings: Tracking, *names: str) -> list[Path]:
    """Writes a record of each name, which goes to the tracker of the settings."""
    paths = []
    for day, name in enumerate(names, 1):
        record = run(name, day)
        record.configuration["tracking"].update(uri=settings.uri, experiment=settings.experiment)
        paths.append(journal.write(record, folder / name))
    return paths


def every_run(tracker: Tracker) -> list:
    from mlflow.entities import ViewType

    return list(tracker.client.search_runs([tracker.experiment_id], "", ViewType.ALL))


def counts(tracker: Tracker) -> Counter[str]:
    """Returns how many ended runs that were not deleted there are of each record."""
    runs = tracker.client.search_runs([tracker.experiment_id])
    return Counter(
        mlflow_run.data.tags[ID_TAG] for mlflow_run in runs if mlflow_run.info.status != "RUNNING"
    )


def receipts(paths: Sequence[Path], **options: bool) -> list[Receipt]:
    return list(Delivery(**options).send(paths))


def half_sent(tracker: Tracker, name: str, by: str | None) -> str:
    """Leaves a run as a sender leaves it that was killed on the way; returns its id."""
    tags = {ID_TAG: name} | ({SENDER_TAG: by} if by else {})
    return str(tracker.client.create_run(tracker.experiment_id, tags=tags).info.run_id)


def ended_process() -> str:
    """Returns the tag of a process of this host that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        start_s = psutil.Process(process.pid).create_time()
    return f"{sender().rsplit(' ', 2)[0]} {process.pid} {start_s:.2f}"


def test_record_is_sent_once_and_its_mark_says_so(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    (first,), (second,) = receipts([path]), receipts([path], again=True)
    assert first.run_id == second.run_id == journal.sent(path)
    assert counts(tracker) == {"a": 1}
    assert not path.with_name(LOCK).exists()


@pytest.mark.slow
def test_any_number_of_senders_send_each_record_once(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    names = [f"r{number}" for number in range(6)]
    journalled(tmp_path / "multirun", settings, *names)
    command = [sys.executable, "-m", "greenexp.store", str(tmp_path / "multirun")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    senders = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    outputs = [process.communicate(timeout=HANG_S * 5)[0] for process in senders]
    assert [process.returncode for process in senders] == [0] * 5
    assert all(text.count("MLflow run") == len(names) for text in outputs)
    assert counts(tracker) == dict.fromkeys(names, 1)


def test_run_that_was_deleted_stays_deleted_until_it_is_asked_for(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    (sent,) = receipts([path])
    tracker.client.delete_run(sent.run_id)
    (kept,) = receipts([path], again=True)
    assert kept.run_id == sent.run_id
    assert counts(tracker) == {}
    assert len(every_run(tracker)) == 1
    (restored,) = receipts([path], again=True, restore=True)
    assert restored.run_id == sent.run_id
    assert counts(tracker) == {"a": 1}


def test_what_a_dead_sender_left_is_cleared(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    left = half_sent(tracker, "a", ended_process())
    own = half_sent(tracker, "a", sender())  # an earlier attempt of this very process
    (receipt,) = receipts([path])
    assert receipt.run_id not in (None, left, own)
    assert counts(tracker) == {"a": 1}
    deleted = {
        mlflow_run.info.run_id
        for mlflow_run in every_run(tracker)
        if mlflow_run.info.lifecycle_stage != "active"
    }
    assert deleted == {left, own}


@pytest.mark.parametrize("where", ["this host", "another host"])
def test_what_another_may_be_sending_is_left_alone(
    tmp_path: Path, settings: Tracking, tracker: Tracker, where: str
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start_s = psutil.Process(process.pid).create_time()
        host = sender().rsplit(" ", 2)[0] if where == "this host" else "elsewhere/1"
        left = half_sent(tracker, "a", f"{host} {process.pid} {start_s:.2f}")
        (receipt,) = receipts([path])
        process.communicate(b"\n", timeout=HANG_S)
    assert receipt.run_id is None
    assert left in (receipt.failure or "")
    (there,) = every_run(tracker)
    assert (there.info.run_id, there.info.lifecycle_stage) == (left, "active")


def test_half_sent_run_of_which_nobody_knows_the_sender_is_left(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    left = half_sent(tracker, "a", None)
    (receipt,) = receipts([path])
    assert receipt.run_id not in (None, left)
    assert {mlflow_run.info.lifecycle_stage for mlflow_run in every_run(tracker)} == {"active"}
    assert counts(tracker) == {"a": 1}


def test_sender_is_known_to_be_gone_only_where_that_is_certain() -> None:
    assert not is_gone(sender())
    assert is_gone(ended_process())
    host, process, start = sender().rsplit(" ", 2)
    assert is_gone(f"{host} {process} {float(start) - 100:.2f}"), "its number was given anew"
    assert not is_gone(f"elsewhere/1 {process} {start}")
    for tag in ("", "nonsense", f"{host} x y"):
        assert not is_gone(tag)


def test_record_that_another_process_is_sending_is_not_sent(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    (path,) = journalled(tmp_path, settings, "a")
    program = (
        "import sys, filelock\n"
        f"with filelock.FileLock({str(path.with_name(LOCK))!r}): print(flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (receipt,) = receipts([path])
        process.communicate(b"\n", timeout=HANG_S)
    assert (receipt.run_id, receipt.failure) == (None, None)
    assert every_run(tracker) == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"id": "a", "title', id="truncated"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[1, 2]", id="another value"),
        pytest.param(b'{"id": "a"}', id="fields are missing"),
    ],
)
def test_damaged_record_is_named_once_and_set_aside_and_the_rest_goes_on(
    tmp_path: Path, settings: Tracking, tracker: Tracker, content: bytes
) -> None:
    first, damaged, last = journalled(tmp_path / "multirun", settings, "a", "b", "c")
    damaged.write_bytes(content)
    answers = receipts([first, damaged, last])
    assert [receipt.run_id is not None for receipt in answers] == [True, False, True]
    assert str(damaged) in (answers[1].failure or "")
    assert "record.json.damaged" in (answers[1].failure or "")
    assert damaged.with_name("record.json.damaged").read_bytes() == content
    assert journal.unsent(tmp_path / "multirun") == []
    with pytest.raises(DamagedRecord):
        journal.read(damaged)


@contextmanager
def counting_server(status: int) -> Iterator[tuple[str, list[str]]]:
    """Yields the address of a server that answers all alike, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        serving.join(HANG_S)


def test_an_outage_is_met_once_and_then_skipped(tmp_path: Path) -> None:
    with counting_server(503) as (uri, asked):
        paths = journalled(tmp_path, Tracking(uri=uri), *"abcde")
        answers = receipts(paths)
    assert len(asked) == 3, "tried again, for an error of the server may pass"
    assert [receipt.run_id for receipt in answers] == [None] * 5
    (line,) = {receipt.failure for receipt in answers}
    assert "the server answers 503" in (line or "")
    assert journal.unsent(tmp_path) == paths


def test_one_tracker_that_is_dead_keeps_nothing_from_another(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    dead = journalled(tmp_path / "dead", Tracking(uri=f"http://127.0.0.1:{port}"), "a", "b")
    alive = journalled(tmp_path / "alive", settings, "c", "d")
    answers = receipts([dead[0], alive[0], dead[1], alive[1]])
    assert [receipt.run_id is not None for receipt in answers] == [False, True, False, True]
    assert counts(tracker) == {"c": 1, "d": 1}


def test_records_go_to_the_tracker_that_is_given(
    tmp_path: Path, settings: Tracking, tracker: Tracker
) -> None:
    paths = journalled(tmp_path, Tracking(uri="http://127.0.0.1:9", experiment=EXPERIMENT), "a")
    (receipt,) = Delivery(uri=settings.uri).send(paths)
    assert receipt.run_id is not None
    assert counts(tracker) == {"a": 1}
