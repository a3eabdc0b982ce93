"""MLflow on PostgreSQL, without a server between: several machines' first runs at once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenexp.runs import journalled
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.opening import reader, reader_there
from greenexp.tracking.tracker import connect
from tests.support import postgresql
from tests.support.modules import Refusal
from tests.support.tracked import run

pytestmark = [
    pytest.mark.slow,
    # MLflow keeps its connections until the process ends.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(postgresql.programs() is None, reason="PostgreSQL is not installed"),
]

MACHINES = 6
SENDER = """
import sys
from pathlib import Path
from greenexp.tracking.delivery import Delivery
sys.stdin.readline()
(receipt,) = Delivery().send([Path(sys.argv[1])])
print(receipt.failure or receipt.run_id)
sys.exit(receipt.run_id is None)
"""


@pytest.fixture
def database() -> Iterator[str]:
    with postgresql.postgresql() as address:
        yield address


def test_six_machines_first_runs_on_a_new_database_are_all_taken(
    database: str, tmp_path: Path
) -> None:
    where = Tracking(database, artifacts=str(tmp_path / "shared"))
    assert reader_there(where) is None  # it has no tables yet
    paths = []
    for number in range(MACHINES):
        record = run(f"run {number}", number + 1)
        record.configuration["tracking"].update(uri=database, artifacts=where.artifacts)
        journalled.write(record, tmp_path / str(number))
        paths.append(tmp_path / str(number) / "record.json")
    senders = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for path in paths
    ]
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("\n")
        sender.stdin.flush()
    told = [sender.communicate()[0] for sender in senders]
    assert [sender.returncode for sender in senders] == [0] * MACHINES, told
    known = reader(where).runs()
    assert Counter(stored_run.id for stored_run in known) == {
        f"run {number}": 1 for number in range(MACHINES)
    }
    folders = list((tmp_path / "shared").rglob("record.json"))
    assert len(folders) == MACHINES
    assert not Path("mlruns").exists()


def test_database_that_keeps_no_files_asks_where_they_go(
    database: str, tmp_path: Path, refusal: Refusal
) -> None:
    words = refusal(lambda: connect(Tracking(database)))
    assert "keeps no files, and tracking.experiment=greenexp is new there" in words
    assert "tracking.artifacts=/shared/folder, or s3://" in words
    assert postgresql.PASSWORD not in words
    connect(replace(Tracking(database), artifacts=str(tmp_path)))
    connect(Tracking(database))  # the experiment tells now


def test_record_is_taken_once_by_any_number_of_senders(database: str, tmp_path: Path) -> None:
    record = run("once", 1)
    record.configuration["tracking"].update(uri=database, artifacts=str(tmp_path / "shared"))
    journalled.write(record, tmp_path)
    for _ in range(2):
        (receipt,) = Delivery(again=True).send([tmp_path / "record.json"])
        assert receipt.failure is None
    where = Tracking(database)
    assert [stored_run.id for stored_run in reader(where).runs()] == ["once"]
