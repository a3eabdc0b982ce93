"""What is read of a store: which runs, what of them, and that reading changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from greenexp.protocols import Series
from greenexp.runs.result import Predictions, Result
from greenexp.runs.run import of
from greenexp.settings.sweep import Tracking
from greenexp.tracking import tables as run_tables
from greenexp.tracking.artifacts import local_path
from greenexp.tracking.fields import artifacts
from greenexp.tracking.opening import reader
from greenexp.tracking.predictions import PredictionFiles
from greenexp.tracking.reader import Reader
from greenexp.tracking.tables import Tables, read_database, read_server, wide
from tests.support.tracked import BEGAN_MS, Store, finished, run, tracked

DAY_MS = 86_400_000
OF_TWO_METERS = [
    Series("power_w", "cpu", "model", "cpu_estimate", [0.0], [9.0]),
    Series("power_w", "cpu", "sampled", "a_meter", [0.0, 0.25], [3.0, 4.0]),
    Series("power_w", "gpu:0", "sampled", "nvml", [0.5], [70.0]),
    Series("utilization_pct", "gpu:0", "sampled", "nvml", [0.5], [50.0]),
]
OURS = ["failed", "other", "second", "third"]  # oldest first


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with the runs in OURS, and others that are not to be read."""
    made = tracked(
        tmp_path_factory.mktemp("store"),
        run("failed", 1, result=Result("oom", reason="out of memory")),
        run("third", 4, result=finished(300.0, effect={"graphs": 3})),
        run("second", 3, result=finished(200.0, effect={"graphs": 2}, series=OF_TWO_METERS)),
        run("other", 2, "swin", result=finished(predictions=None)),
        run("deleted", 5),
    )
    add_others(made)
    return made


def add_others(store: Store) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(store.settings.uri)
    experiment_id = client.get_experiment_by_name(store.settings.experiment).experiment_id
    client.delete_run(store.run_ids["deleted"])
    client.log_metric(store.run_ids["other"], "energy/net_per_image_j", float("nan"))
    ended = [
        client.create_run(experiment_id, tags={"another": "tool"}, start_time=BEGAN_MS),
        client.create_run(experiment_id, tags={"greenexp.kind": "summary"}),
        client.create_run(client.create_experiment("elsewhere"), tags={"greenexp.cell": "vit"}),
    ]
    for mlflow_run in ended:
        client.log_batch(
            mlflow_run.info.run_id, metrics=[Metric("accuracy/top1", 1.0, BEGAN_MS, 0)]
        )
        client.set_terminated(mlflow_run.info.run_id)
    client.create_run(experiment_id, tags={"greenexp.cell": "vit"})  # is still running
    client.delete_experiment(client.create_experiment("thrown_away"))


@pytest.fixture
def opened(store: Store) -> Reader:
    return reader(store.settings)


@pytest.fixture(params=["database", "server", "server, two runs a page"])
def tables(request: pytest.FixtureRequest, opened: Reader) -> Tables:
    """What is read, by each way that there is."""
    if request.param == "database":
        assert opened.engine is not None
        return read_database(opened.engine, opened.experiment_id)
    pages = {"server": 1000, "server, two runs a page": 2}
    return read_server(opened.client, opened.experiment_id, pages[request.param])


def named(store: Store, table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table with our names of the runs in place of MLflow's."""
    ours = {run_id: name for name, run_id in store.run_ids.items()}
    return table.set_axis([ours[run_id] for run_id in table.index])


def test_ended_runs_that_greenexp_measured_are_read_oldest_first(
    store: Store, tables: Tables
) -> None:
    runs = named(store, tables.runs)
    assert list(runs.index) == OURS
    assert list(runs["status"]) == ["FAILED", "FINISHED", "FINISHED", "FINISHED"]
    began = pd.to_datetime([BEGAN_MS + day * DAY_MS for day in range(4)], unit="ms", utc=True)
    assert list(runs["started"]) == list(began)
    assert isinstance(runs["started"].dtype, pd.DatetimeTZDtype)


def test_metrics_are_wide_and_absent_is_na(store: Store, tables: Tables) -> None:
    metrics = named(store, tables.metrics)
    joules = metrics["energy/per_image_j"]
    assert joules.dropna().to_dict() == {"other": 10.0, "second": 20.0, "third": 30.0}
    assert joules["failed"] is pd.NA
    assert "energy/net_per_image_j" not in metrics  # NaN was logged
    assert not [name for name in metrics if name.startswith("series/")]
    assert {str(dtype) for dtype in metrics.dtypes} == {"Float64"}


def test_tags_are_wide_and_absent_is_na(store: Store, tables: Tables) -> None:
    tags = named(store, tables.tags)
    assert tags["greenexp.outcome"].to_dict() == dict.fromkeys(OURS, "ok") | {"failed": "oom"}
    assert list(tags["greenexp.block"]) == ["1", "2", "3", "4"]
    assert tags.loc["failed", "greenexp.reason"] == "out of memory"
    assert tags.loc["second", "greenexp.reason"] is pd.NA


def test_the_earliest_finished_run_speaks_for_its_cell(tables: Tables) -> None:
    assert sorted(tables.params) == ["swin", "vit"]
    assert tables.params["vit"]["effect.graphs"] == "2"
    assert tables.params["vit"]["hardware.price.usd_per_kwh"] == "0.2"
    assert "workload.threads" not in tables.params["vit"]


def test_both_ways_read_the_same(opened: Reader) -> None:
    fast, slow = opened.tables(), read_server(opened.client, opened.experiment_id)
    for name in ("runs", "tags", "metrics"):
        pd.testing.assert_frame_equal(getattr(fast, name), getattr(slow, name))
    assert fast.params == slow.params


def test_a_servers_runs_are_told_by_its_pages_where_digits_do_not_matter(opened: Reader) -> None:
    server = Reader(opened.settings, opened.experiment_id, None)
    exact, told = opened.runs(), server.runs(exact=False)
    assert [run.key for run in told] == [run.key for run in exact]
    for name in ("outcome", "machine", "version", "choices"):
        assert [getattr(run, name) for run in told] == [getattr(run, name) for run in exact]
    for stored_run, other in zip(told, exact, strict=True):
        assert stored_run.metrics == pytest.approx(other.metrics, rel=1e-5)
    assert opened.runs(exact=False) == exact


def test_params_are_asked_for_in_pieces(opened: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = opened.tables().params
    monkeypatch.setattr(run_tables, "IDS_PER_QUERY", 1)
    assert opened.tables().params == whole


def test_what_comes_in_while_reading_is_left_for_the_next_time() -> None:
    table = wide(["a", "b"], [("b", "x", 2.0), ("new", "x", 3.0), ("new", "y", 4.0)], "Float64")
    assert list(table.columns) == ["x"]
    assert (table.loc["a", "x"], table.loc["b", "x"]) == (pd.NA, 2.0)


def test_experiment_without_runs_is_read_as_empty(opened: Reader) -> None:
    none = reader(Tracking(uri=opened.settings.uri, experiment="Default"))
    read, slow = none.tables(), read_server(none.client, none.experiment_id)
    assert (len(read.runs), len(read.tags), len(read.metrics), read.params) == (0, 0, 0, {})
    pd.testing.assert_frame_equal(read.runs, slow.runs)


def test_predictions_of_a_run(store: Store, opened: Reader) -> None:
    judged = opened.predictions(store.run_ids["second"])
    assert judged is not None
    assert judged.images == ("a", "b")
    assert judged.correct.dtype == np.bool_
    assert judged.correct.tolist() == [True, False]
    again = opened.predictions(store.run_ids["third"])
    assert again is not None
    assert again.images is judged.images  # else the names of all runs would fill the memory


def test_predictions_are_none_where_there_are_none(store: Store, opened: Reader) -> None:
    assert opened.predictions(store.run_ids["other"]) is None


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.write_text("image,target\na,0\n"), id="another table"),
        pytest.param(lambda path: path.write_text("image,correct\na,maybe\n"), id="not a boolean"),
    ],
)
def test_predictions_that_cannot_be_read_are_none(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("image,correct\na,1\n")
    assert PredictionFiles().read(path) is not None
    damage(path)
    assert PredictionFiles().read(path) is None


def test_names_of_images_stay_texts(tmp_path: Path) -> None:
    names = ["007", "NA", "", 'a "b", c', "größer.png"]
    judged = Predictions(names, [0] * 5, [[0]] * 5)
    path = tmp_path / "predictions.csv"
    whole = run("one", 1, result=finished(predictions=judged))
    path.write_text(artifacts(whole, of(whole))[path.name])
    outcomes = PredictionFiles().read(path)
    assert outcomes is not None
    assert list(outcomes.images) == names


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///srv/a%20b/1/artifacts", Path("/srv/a b/1/artifacts")),
        ("/srv/1/artifacts", Path("/srv/1/artifacts")),
        ("mlflow-artifacts:/0/1/artifacts", None),
        ("s3://bucket/1/artifacts", None),
    ],
)
def test_local_path_of_an_artifact_location(uri: str, path: Path | None) -> None:
    assert local_path(uri) == path


def test_power_over_time_by_component(store: Store, opened: Reader) -> None:
    estimated = opened.power_series(store.run_ids["third"])
    assert estimated == {"cpu": [(0.0, 3.0), (0.5, 4.0)]}
    sampled = opened.power_series(store.run_ids["second"])
    assert sampled == {"cpu": [(0.0, 3.0), (0.25, 4.0)], "gpu_0": [(0.5, 70.0)]}
    assert opened.power_series(store.run_ids["failed"]) == {}


def test_a_missing_store_is_told_and_not_made(
    tmp_path: Path, refusal: Callable[[Callable[[], object]], str]
) -> None:
    settings = Tracking(uri=f"sqlite:///{tmp_path}/deep/mlflow.db")
    message = refusal(lambda: reader(settings))
    assert message.startswith(f"there are no runs yet at {settings.uri}")
    assert "python -m greenexp -m model=all tactic=all" in message
    assert list(tmp_path.iterdir()) == []


def test_a_missing_experiment_is_told_with_those_that_are_there(
    store: Store, refusal: Callable[[Callable[[], object]], str]
) -> None:
    message = refusal(lambda: reader(Tracking(uri=store.settings.uri, experiment="tset")))
    assert "tset" in message
    assert "allowed: Default, elsewhere, test. Did you mean test?" in message
    gone = refusal(lambda: reader(Tracking(uri=store.settings.uri, experiment="thrown_away")))
    assert "allowed: Default, elsewhere, test." in gone


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"no database" * 99, id="a text")]
)
def test_a_file_that_is_no_store_is_told_and_left_as_it_is(
    tmp_path: Path, content: bytes, refusal: Callable[[Callable[[], object]], str]
) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    message = refusal(lambda: reader(Tracking(uri=f"sqlite:///{path}")))
    assert message.startswith(f"the runs at sqlite:///{path} can't be read: ")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("nonsense://here", "is no address that runs are kept at"),
        ("./mlruns", "is no address that runs are kept at"),
        ("postgresql+pg8000://127.0.0.1:1/db", "its driver is not installed"),
    ],
)
def test_an_address_that_is_no_store_is_told(
    uri: str, words: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    message = refusal(lambda: reader(Tracking(uri=uri)))
    assert words in message
    assert uri in message


def test_a_store_that_went_away_is_told(
    store: Store, tmp_path: Path, refusal: Callable[[Callable[[], object]], str]
) -> None:
    database = Path(store.settings.uri.removeprefix("sqlite:///"))
    copy = shutil.copy(database, tmp_path)
    opened = reader(Tracking(uri=f"sqlite:///{copy}", experiment="test"))
    Path(copy).write_bytes(b"no database" * 99)
    assert "can't be read" in refusal(opened.tables)


def test_reading_changes_nothing(store: Store) -> None:
    database = Path(store.settings.uri.removeprefix("sqlite:///"))
    before = database.read_bytes()
    opened = reader(store.settings)
    opened.tables()
    opened.predictions(store.run_ids["second"])
    opened.power_series(store.run_ids["second"])
    assert database.read_bytes() == before
