"""Runs of before `run.json`, made of the tags, metrics and parameters that MLflow has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from greenexp.runs.result import Result
from greenexp.runs.run import RUN, Run
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Carbon, Hardware, Power, Price
from greenexp.study.labels import of_runs
from greenexp.tracking.artifacts import local_path
from greenexp.tracking.fields import parameters_of
from greenexp.tracking.legacy import hardware_of, runs_of
from greenexp.tracking.opening import reader
from greenexp.tracking.tables import Tables, wide
from tests.support.builders import record
from tests.support.tracked import finished, run, tracked

CHOICES = {
    "model": "digits_vit",
    "tactic": "baseline",
    "dataset": "digits",
    "hardware": "local",
    "workload": "quick",
}


def params(**given: str) -> dict[str, str]:
    """Returns parameters as MLflow holds them; a double underscore stands for a dot."""
    return CHOICES | {key.replace("__", "."): value for key, value in given.items()}


def one_run(tags: dict[str, str], metrics: dict[str, float], start_ms: int | None = 0) -> Tables:
    """Returns tables that hold a run `a` of cell `c`."""
    index = pd.Index(["a"], name="run_id", dtype="string")
    started = pd.to_datetime([start_ms], unit="ms", utc=True)
    status = pd.array(["FINISHED"], dtype="string")
    return Tables(
        runs=pd.DataFrame({"started": started, "status": status}, index=index),
        tags=wide(
            ["a"], [("a", *tag) for tag in ({"greenexp.cell": "c"} | tags).items()], "string"
        ),
        metrics=wide(["a"], [("a", *metric) for metric in metrics.items()], "Float64"),
        params={"c": params()},
    )


@pytest.mark.parametrize(
    "path", sorted((config_dir() / "hardware").glob("*.yaml")), ids=lambda path: path.stem
)
def test_every_preset_comes_back_from_its_parameters(path: Path) -> None:
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    whole = record(Result("ok"), title="a", configuration={"hardware": preset})
    assert hardware_of(parameters_of(whole)) == typed({"hardware": preset}, "hardware", Hardware)


def test_preset_without_parameters_has_its_defaults() -> None:
    assert hardware_of(params()) == Hardware()


def test_types_of_the_preset_are_restored() -> None:
    given = params(
        hardware__gpu="L4",
        hardware__gpu_count="2",
        hardware__any_device="False",
        hardware__price__usd_per_hour="1e-3",
        hardware__price__electricity_included="True",
        hardware__carbon__g_per_kwh="90",
        hardware__power__cpu_idle_w="1.5",
        hardware__power__cpu_rated_w="6",
        hardware__invented__later="1",
    )
    assert hardware_of(given) == Hardware(
        gpu="L4",
        gpu_count=2,
        price=Price(usd_per_hour=0.001, electricity_included=True),
        carbon=Carbon(g_per_kwh=90.0),
        power=Power(cpu_idle_w=1.5, cpu_rated_w=6.0),
    )


def test_run_is_made_of_tags_and_metrics() -> None:
    tags = {"greenexp.block": "3", "greenexp.peers": "p", "greenexp.gpus": "A, B"}
    tags |= {"greenexp.outcome": "ok", "greenexp.validity": "cpu_steal, replayed"}
    (made,) = runs_of(one_run(tags, {"latency/p50_ms": 2.5}))
    assert (made.tracked, made.cell, made.peers, made.block, made.replicate) == (
        "a", "c", "p", 3, 1,
    )  # fmt: skip
    assert made.metrics == {"latency/p50_ms": 2.5}
    assert (made.gpus, made.doubts) == (["A", "B"], ["cpu_steal", "replayed"])
    assert made.choices == CHOICES
    assert made.started == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("start_ms", [0, None])
def test_what_is_absent_is_none(start_ms: int | None) -> None:
    (made,) = runs_of(one_run({}, {}, start_ms))
    absent = (made.peers, made.block, made.machine, made.sweep, made.reason, made.device, made.cpu)
    assert set(absent) == {None}
    assert (made.outcome, made.doubts, made.metrics) == ("unknown", [], {})


def test_runs_without_the_artifact_are_those_with_it_but_for_rounding(tmp_path: Path) -> None:
    failed = Result("unsupported", reason="no kernel")
    store = tracked(
        tmp_path,
        run("base", 1, "c1"),
        run("pruned", 2, "c2", choices={"tactic": "local_pruning"}, result=finished(1000 / 7)),
        run("failed", 3, "c3", choices={"tactic": "int4_weight_only"}, result=failed),
    )
    opened = reader(store.settings)
    whole = opened.runs()
    for made in whole:
        uri = opened.client.get_run(str(made.tracked)).info.artifact_uri
        (local_path(uri) / RUN).unlink()  # type: ignore[operator] # it is a folder
    old = opened.runs()
    assert [stored_run.metrics for stored_run in old] == [
        {name: float(f"{value:.6g}") for name, value in stored_run.metrics.items()}
        for stored_run in whole
    ]
    assert whole[1].metrics["energy/per_image_j"] == 100 / 7
    kept = ("id", "cell", "peers", "block", "replicate", "machine", "outcome", "reason", "tracked")
    assert [_fields(stored_run, kept) for stored_run in old] == [
        _fields(stored_run, kept) for stored_run in whole
    ]
    assert [stored_run.hardware for stored_run in old] == [
        stored_run.hardware for stored_run in whole
    ]
    assert of_runs(old) == of_runs(whole)


def test_a_half_written_artifact_is_read_from_the_tags(tmp_path: Path) -> None:
    store = tracked(tmp_path, run("base", 1))
    opened = reader(store.settings)
    (whole,) = opened.runs()
    uri = opened.client.get_run(str(whole.tracked)).info.artifact_uri
    path = local_path(uri) / RUN  # type: ignore[operator] # it is a folder
    path.write_text(path.read_text(encoding="utf-8")[:100], encoding="utf-8")
    (old,) = opened.runs()
    assert old == replace(old, id=whole.id, cell=whole.cell, schema=0)


def _fields(made: Run, names: tuple[str, ...]) -> list[object]:
    return [getattr(made, name) for name in names]
