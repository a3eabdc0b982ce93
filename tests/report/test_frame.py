"""The runs as a table: its columns and their types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from greenexp.report.frame import frame, load
from greenexp.runs.result import Result
from greenexp.runs.run import Run
from greenexp.settings.hardware import Hardware, Price
from greenexp.tracking.opening import reader
from tests.support.tracked import finished, run, tracked

NAMED = [
    "run_id",
    "started",
    "model",
    "tactic",
    "dataset",
    "hardware",
    "workload",
    "setting_varied",
    "block",
    "replicate",
    "cell",
    "peers",
    "machine",
    "sweep",
    "outcome",
    "validity",
    "reason",
    "energy_source",
    "cost_holds",
    "device",
    "cpu",
    "gpus",
]


def a_run(**given: Any) -> Run:
    """Returns a run `a` of cell `c`."""
    choices = {
        "model": "digits_vit",
        "tactic": "baseline",
        "dataset": "digits",
        "hardware": "local",
        "workload": "quick",
    }
    fields: dict[str, Any] = {
        "id": "a",
        "title": "a",
        "cell": "c",
        "peers": None,
        "block": None,
        "replicate": 1,
        "sweep": None,
        "machine": None,
        "choices": choices,
        "configuration": {},
        "started": "1970-01-01T00:00:00+00:00",
        "ended": "",
        "outcome": "ok",
    }
    return Run(**(fields | given))


def test_columns_and_their_types() -> None:
    made = frame([a_run(block=3, peers="p", metrics={"latency/p50_ms": 2.5})])
    assert list(made.columns) == [*NAMED, "latency/p50_ms"]
    kinds: dict[str, Any] = dict.fromkeys(NAMED, "string")
    kinds |= {"block": "Int64", "replicate": "Int64", "latency/p50_ms": "Float64"}
    kinds.pop("started")
    assert {name: str(made[name].dtype) for name in kinds} == kinds
    assert isinstance(made["started"].dtype, pd.DatetimeTZDtype)
    (row,) = made.to_dict("records")
    assert (row["run_id"], row["block"], row["peers"], row["cell"]) == ("a", 3, "p", "c")
    assert row["started"] == pd.Timestamp(0, tz="UTC")
    assert (row["model"], row["setting_varied"], row["latency/p50_ms"]) == ("digits_vit", "", 2.5)


ABSENT = ("block", "peers", "machine", "sweep", "reason", "energy_source", "device", "cpu", "gpus")


@pytest.mark.parametrize("name", ABSENT)
def test_absent_is_na(name: str) -> None:
    assert frame([a_run()]).loc[0, name] is pd.NA


def test_load_reads_every_outcome_and_its_preset(tmp_path: Path) -> None:
    failed = Result("unsupported", reason="no kernel")
    store = tracked(
        tmp_path,
        run("base", 1, "c1"),
        run("pruned", 2, "c2", choices={"tactic": "local_pruning"}, result=finished(50.0)),
        run("failed", 3, "c3", choices={"tactic": "int4_weight_only"}, result=failed),
        run("second", 4, "c1", sweep={"block": 1, "replicate": 2}),
    )
    runs = reader(store.settings).runs()
    made = frame(runs)
    pd.testing.assert_frame_equal(made, load(store.settings.experiment, store.settings.uri))
    assert list(made["run_id"]) == list(store.run_ids.values())
    assert list(made["tactic"]) == ["baseline", "local_pruning", "int4_weight_only", "baseline"]
    assert list(made["outcome"]) == ["ok", "ok", "unsupported", "ok"]
    assert list(made["block"]) == [1, 2, 3, 1]
    assert list(made["replicate"]) == [1, 1, 1, 2]
    joules = list(made["energy/per_image_j"])
    assert joules == [10.0, 5.0, pd.NA, 10.0]
    assert joules[2] is pd.NA
    assert made["peers"].nunique() == 1  # they differ in their tactic alone
    preset = Hardware(any_device=True, price=Price(usd_per_kwh=0.2, region="here"))
    assert {stored_run.cell: stored_run.hardware for stored_run in runs} == dict.fromkeys(
        ("c1", "c2", "c3"), preset
    )


def test_experiment_without_runs_is_an_empty_table_of_the_same_columns(tmp_path: Path) -> None:
    store = tracked(tmp_path)
    made = load(store.settings.experiment, store.settings.uri)
    assert list(made.columns) == NAMED
    assert len(made) == 0
    assert (str(made["block"].dtype), str(made["model"].dtype)) == ("Int64", "string")
