"""The report over several stores and journals, as a user types it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from greenexp.runs import journal as journals
from greenexp.tracking.delivery import Delivery
from tests.cli.test_report import command
from tests.support.machines import LARGE, SMALL, journal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the journals of two machines, and a store of each with a run of both."""
    folder = tmp_path_factory.mktemp("two")
    paths = {
        machine.name: sorted(
            journal(folder, machine, models=["digits_vit"], blocks=1).rglob(journals.RECORD)
        )
        for machine in (SMALL, LARGE)
    }
    stores = {"a": [*paths["small"], paths["large"][0]], "b": paths["large"]}
    for name, records in stores.items():
        uri = f"sqlite:///{folder}/{name}/mlflow.db"
        assert all(receipt.run_id for receipt in Delivery(uri=uri, again=True).send(records))
    return folder


def report(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = command(folder, "greenexp.report", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def cells(folder: Path, place: str = "multirun") -> pd.DataFrame:
    (path,) = (folder / place).rglob("cells.parquet")  # in a folder called like the question
    frame = pd.read_parquet(path)
    return frame.set_index(["hardware", "tactic"]).sort_index()


def test_journals_and_stores_say_the_same(two: Path) -> None:
    done = report(two, "journal=[small,large]")
    assert done.returncode == 0, done.stderr
    assert "Runs of journal small and journal large." in done.stdout
    assert "digits_vit on digits: which machine" in done.stdout
    side_by_side = pd.read_parquet(two / "multirun/report/journal=-small,large/machines.parquet")
    assert list(side_by_side["machine"]) == [SMALL.cpu, LARGE.cpu]  # cheapest first
    assert list(side_by_side["energy_is_estimate"]) == [False, True]
    stores = "tracking.uri=[sqlite:///a/mlflow.db,sqlite:///b/mlflow.db]"
    also = report(two, stores, "tracking.journal=of_stores")
    assert also.returncode == 0, also.stderr
    assert "1 run that stands in several of them counted once." in also.stdout
    both = report(two, stores, "journal=large", "tracking.journal=of_both")
    assert both.returncode == 0, both.stderr
    assert "4 runs that stand in several of them counted once." in both.stdout
    own = cells(two)
    measured = [name for name in own.columns if name != "run_ids"]
    for place in ("of_stores", "of_both"):
        pd.testing.assert_frame_equal(own[measured], cells(two, place)[measured])
    assert sorted(set(own.index.get_level_values("hardware"))) == ["aws_c7i_2xlarge", "local"]


def test_report_is_kept_until_any_journal_changes(two: Path, tmp_path: Path) -> None:
    for machine in (SMALL, LARGE):
        journal(tmp_path, machine, models=["digits_vit"], blocks=1)
    arguments = ["journal=[small,large]", "hydra.run.dir=small/report"]  # in a journal itself
    first, second = (report(tmp_path, *arguments) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert second.stdout == first.stdout
    assert "as it was: nothing has changed since" in second.stderr
    journal(tmp_path, LARGE, models=["digits_vit", "digits_resnet"], blocks=1)
    third = report(tmp_path, *arguments)
    assert "as it was" not in third.stderr
    assert "digits_resnet" in third.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["journal=[small,none]"], "journal=none is no folder", id="journal"),
        pytest.param(["journal=[small,empty]"], "journal=empty holds no run", id="empty"),
        pytest.param(["journal=[]"], "journal=[] names nothing", id="no name"),
        pytest.param(["journal={a:1}"], "names nothing", id="a mapping"),
        pytest.param(
            ["tracking.uri=[sqlite:///a/mlflow.db,sqlite:///no.db]"],
            "there are no runs yet at sqlite:///no.db",
            id="store",
        ),
        pytest.param(
            ["tracking.uri=[sqlite:///a/mlflow.db,http://127.0.0.1:9]"],
            "MLflow at http://127.0.0.1:9 does not answer",
            id="server",
        ),
        pytest.param(
            ["tracking.uri=['http://bob:hunter2@h','http://amy:hunter3@i']"],
            "servers with different logins",
            id="logins",
        ),
    ],
)
def test_what_can_t_be_read_is_named_in_one_line_before_anything_is_written(
    two: Path, arguments: list[str], words: str
) -> None:
    (two / "empty").mkdir(exist_ok=True)
    done = report(two, *arguments, "tracking.journal=refused")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.strip().splitlines()
    assert words in line
    assert "hunter" not in line
    assert list((two / "refused").rglob("*.*")) == []
