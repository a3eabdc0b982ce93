"""Whatever happens to the tracker, no result is lost and none stands twice."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenexp.runs import journal
from greenexp.tracking.delivery import Delivery
from tests.support.command import QUICK, said, start
from tests.support.loopback_tracker import Proxy, mlflow_server
from tests.support.tracked import run

pytestmark = pytest.mark.slow

SWEEP = [
    *("-m", "model=digits_resnet", "tactic=baseline,local_pruning", "report.after_sweep=false"),
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
]
RUNS = 3  # the baseline twice


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as port:
        yield port


@pytest.fixture
def proxy(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    return re.sub(r"\W", "_", request.node.name)


def records(folder: Path) -> list[Path]:
    return sorted((folder / "multirun").rglob(journal.RECORD))


def tracked(uri: str, experiment: str) -> Counter[str]:
    """Returns how many whole runs the server has of each record."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    mlflow_experiment = client.get_experiment_by_name(experiment)
    if mlflow_experiment is None:
        return Counter()
    runs = client.search_runs([mlflow_experiment.experiment_id])
    return Counter(
        mlflow_run.data.tags["greenexp.id"]
        for mlflow_run in runs
        if mlflow_run.info.status != "RUNNING" and "greenexp.id" in mlflow_run.data.tags
    )


def ids(folder: Path) -> Counter[str]:
    return Counter(json.loads(path.read_bytes())["id"] for path in records(folder))


def to(uri: str, experiment: str, *more: str) -> list[str]:
    return [f"tracking.uri={uri}", f"tracking.experiment={experiment}", *QUICK, *more]


def test_server_that_is_down_costs_one_line_and_no_run(
    proxy: Proxy, port: int, tmp_path: Path, experiment: str
) -> None:
    proxy.stop()
    command = start(tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment))
    text = said(command)
    assert command.returncode == 1
    assert "does not answer: connection refused" in text
    assert "tracking.offline=true" in text
    assert records(tmp_path) == []
    offline = start(
        tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment, "tracking.offline=true")
    )
    text = said(offline)
    assert offline.returncode == 0, text
    assert "local_pruning" in text
    assert f"3 runs of {RUNS}; python -m greenexp.store" in text
    again = start(
        tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment, "tracking.offline=true")
    )
    assert f"skipped {RUNS} of {RUNS} runs" in said(again)
    proxy.start()
    assert "MLflow run" in said(start(tmp_path, "greenexp.store"))
    assert tracked(f"http://127.0.0.1:{port}", experiment) == ids(tmp_path)
    assert len(ids(tmp_path)) == RUNS


def test_server_that_hangs_from_the_start_is_told_of(
    proxy: Proxy, tmp_path: Path, experiment: str
) -> None:
    proxy.fault = "hangs"
    command = start(
        tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment, "tracking.timeout_s=7")
    )
    text = said(command)
    assert command.returncode == 1
    assert "waiting for MLflow at http://127.0.0.1" in text
    assert "no answer within 7 s" in text
    assert records(tmp_path) == []


@pytest.mark.parametrize("fault", ["refuses", "hangs"])
def test_server_that_fails_in_the_middle_loses_and_doubles_nothing(
    proxy: Proxy, port: int, tmp_path: Path, experiment: str, fault: str
) -> None:
    more = ["repetitions=2", "tracking.timeout_s=6"]
    command = start(tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment, *more))
    direct = f"http://127.0.0.1:{port}"
    while command.poll() is None and not tracked(direct, experiment):
        time.sleep(0.2)
    if fault == "refuses":
        proxy.stop()
    else:
        proxy.fault = "hangs"
    text = said(command)
    assert command.returncode == 1
    assert "[6/6]" in text, "the sweep went on"
    assert "local_pruning" in text.partition("[6/6]")[2], "its table comes from the journal"
    assert "does not answer" in text
    assert "in the journal alone, not in MLflow" in text
    assert len(records(tmp_path)) == 2 * RUNS
    proxy.stop()
    proxy.fault = "none"
    proxy.start()
    store = start(tmp_path, "greenexp.store")
    assert said(store).count("MLflow run") == 2 * RUNS
    assert store.returncode == 0
    assert tracked(direct, experiment) == ids(tmp_path)


def test_server_that_answers_500_at_random_loses_and_doubles_nothing(
    proxy: Proxy, port: int, tmp_path: Path, experiment: str
) -> None:
    proxy.fault, proxy.share = "fails", 0.2
    command = start(tmp_path, "greenexp", *SWEEP, *to(proxy.address, experiment))
    text = said(command)
    assert proxy.requests > 20, text
    for _ in range(10):  # what is left is sent as often as it takes
        if tracked(f"http://127.0.0.1:{port}", experiment) == ids(tmp_path):
            break
        said(start(tmp_path, "greenexp.store"))
    assert len(records(tmp_path)) == RUNS, text
    assert tracked(f"http://127.0.0.1:{port}", experiment) == ids(tmp_path)


def test_server_that_is_slow_by_5_s_gets_the_run(
    proxy: Proxy, port: int, tmp_path: Path, experiment: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.fault, proxy.delay_s = "slow", 5.0
    record = run("slow", 1)
    record.configuration["tracking"].update(uri=proxy.address, experiment=experiment)
    (receipt,) = Delivery().send([journal.write(record, tmp_path / "run")])
    assert receipt.run_id is not None, receipt.failure
    assert tracked(f"http://127.0.0.1:{port}", experiment) == {"slow": 1}
    assert any("waiting for MLflow" in line for line in caplog.messages)
