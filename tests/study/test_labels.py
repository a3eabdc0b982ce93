"""The table of runs: its types, its labels, and the presets that come with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from greenexp.runs.result import Result
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Carbon, Hardware, Power, Price
from greenexp.study.labels import Labels, frame, hardware_of, labels, load, loaded
from greenexp.tracking.fields import parameters_of
from greenexp.tracking.reader import reader
from greenexp.tracking.tables import Tables, wide
from tests.support.builders import record
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
CHOICES = {
    "model": "digits_vit",
    "tactic": "baseline",
    "dataset": "digits",
    "hardware": "local",
    "workload": "quick",
}
LABELS = Labels("digits_vit", "baseline", "digits", "local", "quick", "")


def params(**given: str) -> dict[str, str]:
    """Returns parameters as MLflow holds them; a double underscore stands for a dot."""
    return CHOICES | {key.replace("__", "."): value for key, value in given.items()}


def called(*cells: dict[str, str]) -> list[Labels]:
    return list(labels({str(number): cell for number, cell in enumerate(cells)}).values())


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
    ("given", "expected"),
    [
        pytest.param({}, LABELS, id="choices"),
        pytest.param(
            {"model": "local", "model__path": "/srv/models/mine/"},
            replace(LABELS, model="mine"),
            id="folder of a model",
        ),
        pytest.param(
            {"model": "local", "model__path": ".."}, replace(LABELS, model=".."), id="no last part"
        ),
        pytest.param(
            {"model": "hub", "model__checkpoint": "org/name"},
            replace(LABELS, model="org/name"),
            id="checkpoint",
        ),
        pytest.param(
            {"model": "resnet_50", "model__checkpoint": "microsoft/resnet-50"},
            replace(LABELS, model="resnet_50"),
            id="catalogued",
        ),
        pytest.param(
            {"dataset": "folder", "dataset__path": "photos/val"},
            replace(LABELS, dataset="val"),
            id="folder of images",
        ),
        pytest.param(
            {"dataset": "hub", "dataset__id": "org/data"},
            replace(LABELS, dataset="org/data"),
            id="data set of the hub",
        ),
        pytest.param(
            {"tactic": "local_pruning", "tactic__amount": "0.3"},
            replace(LABELS, tactic="local_pruning"),
            id="option that nothing else has otherwise",
        ),
    ],
)
def test_labels_of_one_cell(given: dict[str, str], expected: Labels) -> None:
    assert called(params(**given)) == [expected]


def test_label_without_choices_is_empty() -> None:
    assert called({}) == [Labels("", "", "", "", "", "")]


def test_options_of_a_tactic_are_named_where_they_differ() -> None:
    cells = [
        params(tactic="local_pruning", tactic__amount="0.3", tactic___target_="a.A"),
        params(tactic="local_pruning", tactic__amount="0.5", tactic___target_="b.B"),
        params(tactic="global_pruning", tactic__amount="0.3"),
        params(tactic="torch_compile", tactic__mode="default"),
        params(tactic="torch_compile", tactic__mode="default", tactic__dynamic="True"),
    ]
    assert [label.tactic for label in called(*cells)] == [
        "local_pruning amount=0.3",
        "local_pruning amount=0.5",
        "global_pruning",
        "torch_compile",
        "torch_compile dynamic=True",
    ]


def test_baseline_is_called_so_however_it_was_chosen() -> None:
    empty_chain = params(tactic___target_="greenexp.tactics.chain.Chain", tactic__steps="[]")
    assert [label.tactic for label in called(params(), empty_chain)] == ["baseline", "baseline"]


def test_models_of_one_name_are_told_apart() -> None:
    cells = [
        params(model="local", model__path="a/best", model__offset="0"),
        params(model="local", model__path="b/best", model__offset="0"),
        params(model="local", model__path="b/last", model__offset="1"),
        params(model="resnet_50", model__revision="main"),
        params(model="resnet_50", model__revision="v2"),
    ]
    assert [label.model for label in called(*cells)] == [
        "best path=a/best",
        "best path=b/best",
        "last",
        "resnet_50 revision=main",
        "resnet_50 revision=v2",
    ]


def test_settings_that_differ_are_named_alike_for_every_model() -> None:
    cells = [
        params(workload__batch_size="1", device="auto"),
        params(workload__batch_size="8", device="auto"),
        params(workload__batch_size="8", device="cpu", model="digits_swin"),
    ]
    assert [label.setting_varied for label in called(*cells)] == [
        "batch_size=1 device=auto",
        "batch_size=8 device=auto",
        "batch_size=8 device=cpu",
    ]


def test_settings_are_compared_within_a_place_only() -> None:
    cells = [
        params(dataset="imagenet_1k", dataset__limit="500"),
        params(dataset="imagenet_1k"),
        params(workload="steady", workload__min_seconds="10.0"),
        params(workload="quick", workload__min_seconds="0.5"),
    ]
    assert [label.setting_varied for label in called(*cells)] == ["limit=500", "", "", ""]


@pytest.mark.parametrize(
    "key",
    [
        "title",
        "repetitions",
        "sweep.block",
        "tracking.uri",
        "isolation.timeout_s",
        "effect.graphs",
        "provenance.revision",
        "hardware.description",
        "hardware.price.source",
        "hardware.price.electricity_source",
        "hardware.price.date",
        "hardware.carbon.region",
        "dataset._target_",
        "model.offset",
        "tactic.amount",
    ],
)
def test_what_is_no_setting_is_not_named(key: str) -> None:
    cells = [params() | {key: "1"}, params() | {key: "2"}]
    assert [label.setting_varied for label in called(*cells)] == ["", ""]


def test_prices_are_settings() -> None:
    cells = [params(hardware__price__usd_per_kwh=price) for price in ("0.19", "0.25")]
    assert [label.setting_varied for label in called(*cells)] == [
        "hardware.price.usd_per_kwh=0.19",
        "hardware.price.usd_per_kwh=0.25",
    ]


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


def test_columns_and_their_types() -> None:
    made = frame(one_run({"greenexp.block": "3", "greenexp.peers": "p"}, {"latency/p50_ms": 2.5}))
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


@pytest.mark.parametrize("name", ["block", "replicate", *NAMED[11:]])
def test_absent_is_na(name: str) -> None:
    assert frame(one_run({}, {})).loc[0, name] is pd.NA


def test_run_without_a_start_has_none() -> None:
    assert frame(one_run({}, {}, start_ms=None))["started"].isna().all()


def test_load_reads_every_outcome_and_its_preset(tmp_path: Path) -> None:
    failed = Result("unsupported", reason="no kernel")
    store = tracked(
        tmp_path,
        run("base", 1, "c1"),
        run("pruned", 2, "c2", choices={"tactic": "local_pruning"}, result=finished(50.0)),
        run("failed", 3, "c3", choices={"tactic": "int4_weight_only"}, result=failed),
        run("second", 4, "c1", sweep={"block": 1, "replicate": 2}),
    )
    found = loaded(reader(store.settings))
    made = found.frame
    pd.testing.assert_frame_equal(made, load(store.settings.experiment, store.settings.uri))
    assert found.experiment == store.settings.experiment
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
    assert found.hardware == dict.fromkeys(("c1", "c2", "c3"), preset)


def test_experiment_without_runs_is_an_empty_table_of_the_same_columns(tmp_path: Path) -> None:
    store = tracked(tmp_path)
    made = load(store.settings.experiment, store.settings.uri)
    assert list(made.columns) == NAMED
    assert len(made) == 0
    assert (str(made["block"].dtype), str(made["model"].dtype)) == ("Int64", "string")
