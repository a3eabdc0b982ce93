"""MLflow's server: several machines' first sweeps at once, and one with TLS and accounts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest

from greenexp.runs import journal
from greenexp.tracking.view import VIEW_TAG
from tests.support import postgresql
from tests.support.certificates import self_signed
from tests.support.command import QUICK, ROOT, greenexp
from tests.support.loopback_tracker import mlflow_server
from tests.support.tracked import run

pytestmark = pytest.mark.slow

MACHINES = 6
EXPERIMENTS = ("first", "second", "third")  # each is new to all of them
SENDER = """
import sys
from pathlib import Path
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.store import quiet
quiet()
for line in sys.stdin:
    (receipt,) = Delivery().send([Path(line.strip())])
    print(receipt.failure or receipt.run_id, flush=True)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        postgresql.postgresql() as database,
        mlflow_server(tmp_path_factory.mktemp("server"), database, workers=2) as port,
    ):
        yield f"http://127.0.0.1:{port}"


def sender() -> subprocess.Popen[str]:
    """Starts a machine: it sends the record of each path that it is told, and tells what came."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SENDER]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1)


@pytest.mark.skipif(postgresql.programs() is None, reason="PostgreSQL is not installed")
def test_machines_that_make_an_experiment_at_once_all_send_their_first_run(
    address: str, tmp_path: Path
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(address)
    with ExitStack() as machines:
        senders = [machines.enter_context(sender()) for _ in range(MACHINES)]
        for name in EXPERIMENTS:
            for number, machine in enumerate(senders):
                record = run(f"{name} {number}", number + 1)
                record.configuration["tracking"].update(uri=address, experiment=name)
                path = journal.write(record, tmp_path / name / str(number))
                assert machine.stdin is not None
                machine.stdin.write(f"{path}\n")
            told = [machine.stdout.readline().strip() for machine in senders if machine.stdout]
            experiment = client.get_experiment_by_name(name)
            assert experiment is not None, told
            taken = client.search_runs([experiment.experiment_id])
            assert sorted(mlflow_run.info.run_id for mlflow_run in taken) == sorted(told)
            assert VIEW_TAG in experiment.tags


@pytest.mark.skipif(find_spec("flask_wtf") is None, reason="mlflow[auth] is not installed")
def test_run_goes_to_a_server_with_tls_and_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    certificate = self_signed(tmp_path)
    accounts = {
        "MLFLOW_AUTH_ADMIN_PASSWORD": "not-a-secret",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "nor-this",
        "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "accounts.ini"),
    }
    settings = (ROOT / "deploy" / "basic_auth.ini").read_text("utf-8")
    file = f"sqlite:///{tmp_path}/accounts.db"
    (tmp_path / "accounts.ini").write_text(settings.replace("postgresql+psycopg://", file))
    with mlflow_server(tmp_path, certificate=certificate, accounts=accounts) as port:
        uri = f"https://127.0.0.1:{port}"

        def refused() -> str:
            done = greenexp(tmp_path, f"tracking.uri={uri}", *QUICK)
            assert done.returncode == 1
            assert not list(tmp_path.rglob(journal.RECORD))
            (line,) = done.stderr.splitlines()
            return line

        assert "name the file of the one to trust in MLFLOW_TRACKING_SERVER_CERT_PATH" in refused()
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in refused()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
        assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in refused()
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", accounts["MLFLOW_AUTH_ADMIN_PASSWORD"])
        done = greenexp(tmp_path, f"tracking.uri={uri}", *QUICK)
        assert done.returncode == 0, done.stderr
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name("greenexp")
        assert experiment is not None
        (taken,) = client.search_runs([experiment.experiment_id])
        assert taken.info.status == "FINISHED"
        assert journal.RECORD in [file.path for file in client.list_artifacts(taken.info.run_id)]
