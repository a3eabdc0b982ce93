"""The command that lists the catalogue, and what it reads of runs in the store."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from greenexp.catalog.__main__ import main
from greenexp.protocols import Scalar
from greenexp.runs import journal
from greenexp.runs.result import Complexity, Predictions
from greenexp.settings.sweep import Tracking
from greenexp.tracking.opening import runs_there
from tests.support.builders import cpu_run, record, window
from tests.support.catalogued import CATALOGUED
from tests.support.tracked import sent


def send_run(folder: Path, tactic: str, day: int, hits: int, **configuration: Any) -> None:
    """Sends a run of the embedded ViT to the store in a folder; `hits` of 4 images are right."""
    targets = [0, 1, 2, 3]
    ranked = [[target if target < hits else 9] for target in targets]
    result = cpu_run(
        window(),
        predictions=Predictions([str(target) for target in targets], targets, ranked),
        after=Complexity(10, 20_000_000, 2.0, 0.0),
    )
    run = record(
        result,
        title=f"digits_vit · {tactic}",
        id=f"{tactic}-{day}-{hits}",
        choices={"model": "digits_vit", "tactic": tactic, "dataset": "digits"},
        started=f"2026-01-0{day}T00:00:00+00:00",
        ended=f"2026-01-0{day}T00:01:00+00:00",
        configuration={
            "tracking": {"uri": f"sqlite:///{folder}/mlflow.db", "experiment": "test"},
            **configuration,
        },
    )
    sent(journal.write(run, folder / run.id))


@pytest.fixture
def store(elsewhere: Path) -> tuple[str, str]:
    """The options that name a store in which the ViT was measured thrice."""
    folder = elsewhere / "runs"
    send_run(folder, "baseline", day=1, hits=1)
    send_run(folder, "baseline", day=3, hits=3)
    send_run(folder, "baseline", day=2, hits=2)
    send_run(folder, "global_pruning", day=4, hits=0)
    send_run(folder, "baseline", day=1, hits=4, dataset={"limit": 4})
    return (f"--tracking-uri=sqlite:///{folder}/mlflow.db", "--experiment=test")


def test_latest_baseline_of_each_data_set_is_shown(
    store: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*store, "--markdown", "model"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "digits_vit" in line]
    assert line.endswith("| 0.7500 digits; 1.0000 digits, 4 images |")
    assert "| 0.020 |" in line


def test_only_an_existing_experiment_is_read(
    store: tuple[str, str], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    assert main([store[0], "--experiment=other", "--markdown", "model"]) == 0
    assert "top-1 measured" not in capsys.readouterr().out
    client = MlflowClient(store[0].partition("=")[2])
    assert client.get_experiment_by_name("other") is None
    assert not (elsewhere / "mlruns").exists()


def test_without_a_store_nothing_is_measured_and_nothing_made(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--markdown"]) == 0
    assert "top-1 measured" not in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []


def test_runs_are_read_of_a_store_that_is_there(store: tuple[str, str], elsewhere: Path) -> None:
    where = Tracking(uri=store[0].partition("=")[2], experiment="test")
    assert len(runs_there(where)) == 5
    assert runs_there(replace(where, experiment="other")) == []
    assert runs_there(Tracking()) == []
    assert not (elsewhere / "mlruns").exists()


def test_csv_holds_both_tables_in_full(
    store: tuple[str, str], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*store, "--csv", "deep/tables"]) == 0
    read: dict[str, list[dict[str, Scalar]]] = {}
    for group in ("model", "dataset"):
        text = (elsewhere / "deep" / "tables" / f"{group}.csv").read_text("utf-8")
        read[group] = list(csv.DictReader(text.splitlines()))
    models = {row["model"]: row for row in read["model"]}
    assert set(CATALOGUED) < set(models)
    assert models["resnet_50"]["gmacs"] == "4.089"
    assert models["resnet_50"]["reported_top1"] == "0.80372"
    assert "timm" in str(models["resnet_50"]["reported_top1_source"])
    assert models["resnet_50"]["disk_mib"] == ""
    assert models["digits_vit"]["measured_top1 digits"] == "0.75"
    assert models["digits_vit"]["measured_gmacs"] == "0.02"
    assert "digits" in {row["name"] for row in read["dataset"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--trackinguri", "x"], ["--trackinguri", "--tracking-uri?"], id="option"),
        pytest.param(["models"], ["group=models", "model, dataset"], id="group"),
        pytest.param(["model", "dataset"], ["dataset is unknown"], id="two groups"),
        pytest.param(["--csv"], ["--csv", "--help"], id="no value"),
        pytest.param(["--csv", "file/folder", "dataset"], ["--csv=file/folder"], id="a file"),
        pytest.param(["--tracking-uri", "no://where"], ["no://where", "sqlite:///"], id="address"),
    ],
)
def test_what_can_t_be_done_is_said_in_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    (elsewhere / "file").write_text("")
    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert [word for word in words if word not in message] == []


def test_command_lists_both_groups(elsewhere: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "greenexp.catalog"], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    for word in ("Models", "resnet_50", "Data sets", "digits"):
        assert re.search(rf"^ *{word}\b", ended.stdout, re.MULTILINE)


def loaded_after(*arguments: str) -> set[str]:
    """Returns the heavy libraries that the command has loaded in a fresh interpreter."""
    program = (
        "import sys; from greenexp.catalog.__main__ import main; main(sys.argv[1:]); "
        "heavy = ('torch', 'transformers', 'mlflow', 'datasets'); "
        "print(*(name for name in heavy if name in sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


def test_command_loads_no_torch(store: tuple[str, str]) -> None:
    assert loaded_after() == set()
    assert loaded_after(*store) == set()  # a database is read without MLflow


def test_key_value_is_what_the_flags_are(
    store: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*store, "model"]) == 0
    flags = capsys.readouterr().out
    keys = [option.replace("--tracking-uri", "tracking.uri") for option in store]
    keys = [key.replace("--experiment", "tracking.experiment") for key in keys]
    assert main([*keys, "group=model"]) == 0
    assert capsys.readouterr().out == flags


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tracking.url=x", "Did you mean tracking.uri?"),
        ("markdown=maybe", "true"),
    ],
)
def test_key_that_is_not_there_is_one_line(
    word: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == 1
    assert message in capsys.readouterr().err
