"""The Python door: its names, and a study measured through it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import greenexp
from greenexp.errors import BadInput

SHORT = {
    "workload.batch_size": 32,
    "workload.idle_seconds": 0.05,
    "workload.warmup_min_seconds": 0.05,
    "workload.min_seconds": 0.05,
}


def test_public_names_are_few_and_there() -> None:
    assert len(greenexp.__all__) <= 17
    assert all(getattr(greenexp, name) is not None for name in greenexp.__all__)
    assert greenexp.__version__


def test_import_is_quick() -> None:
    command = "import greenexp, sys; print(sorted({'torch', 'hydra', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'invented'"):
        _ = greenexp.invented  # type: ignore[attr-defined] # what is tested


def test_experiment_is_named_by_what_is_its_own() -> None:
    plain = greenexp.experiment("digits_vit")
    pruned = greenexp.experiment("digits_vit", "local_pruning", settings={"tactic.amount": 0.5})
    assert pruned.title == "digits_vit · local_pruning amount=0.5"
    assert (plain.is_baseline, pruned.is_baseline) == (True, False)
    assert plain.peers == pruned.peers
    assert plain.cell != pruned.cell


def test_local_model_has_its_folder_s_name_as_in_a_sweep(tmp_path: Path) -> None:
    settings = {"model.path": str(tmp_path / "my_net")}
    named = greenexp.experiment("local", "local_pruning", settings=settings)
    assert named.title == "my_net · local_pruning"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(lambda: greenexp.experiment("digits_vid"), "Did you mean", id="model"),
        pytest.param(
            lambda: greenexp.experiment(settings={"workload.min_second": 1}),
            "Did you mean min_seconds?",
            id="key",
        ),
        pytest.param(
            lambda: greenexp.preset("aws_g5_xlarge", usd_per_hr=1.0), "usd_per_hour", id="price"
        ),
        pytest.param(lambda: greenexp.measure([]), "at least one", id="nothing"),
    ],
)
def test_bad_input_is_one_line(call: Callable[[], object], words: str) -> None:
    with pytest.raises(BadInput) as refused:
        call()
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_preset_takes_prices_of_ones_own() -> None:
    packaged, own = (
        greenexp.preset("aws_g5_xlarge"),
        greenexp.preset("aws_g5_xlarge", usd_per_hour=9.0),
    )
    assert own.price.usd_per_hour == 9.0
    assert packaged.price.date is not None
    assert own.price.date is None  # the quote is the user's
    assert own.gpu == packaged.gpu


@pytest.mark.slow
def test_two_tactics_are_measured_compared_shown_and_repriced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tactics = ["baseline", "local_pruning"]
    pair = [greenexp.experiment("digits_vit", tactic, settings=SHORT) for tactic in tactics]
    runs = greenexp.measure(pair, repetitions=2, baselines=2)
    assert [run.outcome for run in runs] == ["ok"] * 6  # the baseline twice in each block
    study = greenexp.compare(runs, keep_flagged=True)
    (cell,) = [cell for cell in study.cells if cell.tactic == "local_pruning"]
    assert cell.blocks == 2
    assert cell.accuracy is not None
    assert cell.accuracy.images == 359  # every fifth of the UCI digits
    greenexp.show(study)
    assert "local_pruning" in capsys.readouterr().out
    table = greenexp.frame(runs)
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 6
    assert set(greenexp.frames(study)) >= {"overall", "cells"}
    assert next(figure.name for figure in greenexp.figures(study)) == "forest_energy"
    read = greenexp.read()
    assert [run.metrics for run in read] == [run.metrics for run in runs]
    dearer = greenexp.compare(
        read, hardware=greenexp.preset("local", usd_per_hour=3.6), keep_flagged=True
    )
    cost = "cost/usd_per_million_images"
    assert dearer.cells[0].quantities[cost].value > study.cells[0].quantities[cost].value
    assert (
        greenexp.write(study, tmp_path / "report").read_text("utf-8").startswith("<!doctype html>")
    )
