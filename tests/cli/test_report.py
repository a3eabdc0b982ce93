"""The report as a user types it, after a real sweep over embedded models; nothing is faked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from greenexp.report import load
from greenexp.report.words.format import factor

ROOT = Path(__file__).parents[2]
SWEEP = [
    "-m",
    "model=digits_vit,digits_resnet",
    "tactic=baseline,local_pruning,half_precision",
    "repetitions=2",
    "sweep.baselines=2",
    "report.keep_flagged=true",  # a neighbour may disturb what is measured while this is tested
    "workload.idle_seconds=0.1",
    "workload.warmup_min_seconds=0.1",
    "workload.warmup_max_seconds=0.2",
    "workload.min_seconds=0.1",
    "workload.min_windows=2",
    "workload.max_windows=2",
]
REPORTED = "multirun/report/keep_flagged=true"
VERSUS = ("energy_ratio", "latency_ratio", "cost_ratio", "top1_delta")


def command(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a sweep of 2 models x 3 tactics x 2 blocks and A/A, and what it printed."""
    folder = tmp_path_factory.mktemp("swept")
    done = command(folder, "greenexp", *SWEEP)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def client(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")


def report(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The report on runs that a neighbour may have disturbed while this was tested."""
    return command(folder, "greenexp.report", "report.keep_flagged=true", *arguments)


def loaded(folder: Path) -> pd.DataFrame:
    return load(uri=f"sqlite:///{folder}/mlruns/mlflow.db")


@pytest.mark.slow
def test_runs_carry_how_they_compare_with_their_baseline(swept: tuple[Path, str]) -> None:
    frame = loaded(swept[0])
    assert len(frame) == 16
    baselines = {
        (row["peers"], row["block"]): row
        for _, row in frame.iterrows()
        if row["tactic"] == "baseline" and row["replicate"] == 1
    }
    for _, row in frame.iterrows():
        base = baselines[row["peers"], row["block"]]
        values = {name: row[f"vs_baseline/{name}"] for name in VERSUS}
        if row["run_id"] == base["run_id"]:
            assert all(pd.isna(value) for value in values.values())
            continue
        expected = {
            "energy_ratio": row["energy/per_image_j"] / base["energy/per_image_j"],
            "latency_ratio": row["latency/p50_ms"] / base["latency/p50_ms"],
            "cost_ratio": row["cost/usd_per_million_images"] / base["cost/usd_per_million_images"],
            "top1_delta": row["accuracy/top1"] - base["accuracy/top1"],
        }
        assert values == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_sweep_ends_with_a_summary_of_its_own(swept: tuple[Path, str]) -> None:
    folder, printed = swept
    summaries = client(folder).search_runs(["1"], "tags.`greenexp.kind` = 'summary'")
    assert [run.info.status for run in summaries] == ["FINISHED"]
    names = {artifact.path for artifact in client(folder).list_artifacts(summaries[0].info.run_id)}
    assert {"report.html", "report.tex", "cells.csv", "cells.parquet", "overall.csv"} <= names
    assert any(name.endswith(".png") for name in names)
    assert (
        summaries[0].data.metrics["summary/runs"] + summaries[0].data.metrics["summary/left_out"]
        == 16
    )
    note = summaries[0].data.tags["mlflow.note.content"].replace("\\", "")
    for headline in re.findall(r"\*\*(.+)\*\*", note):
        assert headline in printed
    assert note.count("**") == 2 * 3  # on each model, and over them
    assert set(loaded(folder)["run_id"]).isdisjoint({summaries[0].info.run_id})


@pytest.mark.slow
def test_report_says_what_its_tables_hold(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    done = report(folder)
    assert done.returncode == 0, done.stderr
    cells = pd.read_parquet(folder / REPORTED / "cells.parquet")
    assert len(cells) == 6
    for ratio, tactic in re.findall(r"(\S+) took ×(\d\.\d+)", done.stdout):
        assert factor(float(tactic)) in {
            factor(value) for value in cells.loc[cells["tactic"] == ratio, "energy_ratio"]
        }
    assert "digits_vit: " in done.stdout
    assert "digits_resnet: " in done.stdout
    assert "Over models: 2 models can't show what holds for others" in done.stdout
    assert "estimate" in done.stdout
    assert "repetitions=" in done.stdout
    html = (folder / REPORTED / "report.html").read_text(encoding="utf-8")
    assert "digits_vit" in html
    assert "<script src" not in html


@pytest.mark.slow
def test_new_prices_change_dollars_and_nothing_measured(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    tables: dict[str, pd.DataFrame] = {}
    for name, given in {
        "own": [],
        "dearer": ["hardware.price.usd_per_kwh=0.38"],
        "preset": ["hardware=aws_g6_xlarge", "hardware.price.usd_per_hour=1.0"],
    }.items():
        done = report(folder, f"tracking.journal={name}", f"tracking.uri={uri(folder)}", *given)
        assert done.returncode == 0, done.stderr
        (path,) = (folder / name).rglob("cells.parquet")  # in a folder that is called like that
        tables[name] = pd.read_parquet(path)
        stays = "seconds and joules stay those measured on"
        assert (stays in done.stdout) == (name != "own")
        assert ("of another device than the one that ran" in done.stdout) == (name == "preset")
    key = ["model", "tactic"]
    own, dearer, preset = (tables[name].set_index(key).sort_index() for name in tables)
    measured = [name for name in own.columns if "j_per" in name or "ms" in name or "top1" in name]
    assert measured
    pd.testing.assert_frame_equal(own[measured], dearer[measured])
    pd.testing.assert_frame_equal(own[measured], preset[measured])
    cost = next(name for name in own.columns if name.startswith("cost") and "usd" in name)
    assert dearer[cost].to_numpy() == pytest.approx(2 * own[cost].to_numpy(), rel=1e-6)  # from 0.19
    frame = loaded(folder)
    first = frame[frame["replicate"] == 1]
    per_image_s = (1 / first["throughput/images_per_s"]).groupby([first["model"], first["tactic"]])
    expected = per_image_s.mean().sort_index() / 3600 * 1e6  # at 1 USD an hour
    assert preset[cost].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-6)


def uri(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns/mlflow.db"


def test_help_names_what_the_report_reads_and_no_other_group(tmp_path: Path) -> None:
    done = command(tmp_path, "greenexp.report", "--help")
    assert done.returncode == 0, done.stderr
    assert "hardware=<preset>" in done.stdout
    assert "requests_per_month" in done.stdout
    assert "digits_vit" not in done.stdout


@pytest.mark.slow
def test_report_is_shown_again_until_something_changes(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    page = folder / REPORTED / "report.html"
    made = [report(folder) for _ in range(2)]
    assert made[0].stdout == made[1].stdout
    assert made[1].stderr.strip().endswith("as it was: nothing has changed since")
    written_ns = page.stat().st_mtime_ns
    page.write_text("another's")
    anew = report(folder)
    assert anew.stdout == made[0].stdout
    assert "as it was" not in anew.stderr
    assert page.stat().st_mtime_ns != written_ns
    client(folder).set_tag(loaded(folder)["run_id"].iloc[0], "note", "a change in the store")
    assert "as it was" not in report(folder).stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["tracking.uri=sqlite:///no.db"], ["no runs yet", "-m model=all"], id="store"),
        pytest.param(["tracking.experiment=greenxp"], ["Did you mean greenexp?"], id="experiment"),
        pytest.param(["hardware=aws_g6_xlarg"], ["Did you mean aws_g6_xlarge?"], id="preset"),
        pytest.param(["report.months=0"], ["report.months=0", "> 0"], id="range"),
        pytest.param(["report.month=1"], ["Did you mean months?"], id="key"),
        pytest.param(
            ["hardware.price.usd_per_kwh=dear"], ["hardware.price.usd_per_kwh"], id="type"
        ),
    ],
)
def test_what_can_t_be_used_is_told_in_one_line(
    swept: tuple[Path, str], arguments: list[str], words: list[str]
) -> None:
    done = command(swept[0], "greenexp.report", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
