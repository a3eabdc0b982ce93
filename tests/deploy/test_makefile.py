"""The tracking server without containers: what it refuses, and its life on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import postgresql
from tests.support.command import QUICK, ROOT, greenexp

PASSWORD = """p@ss:w/or $(id) `x` "q"' #%&$HOME"""  # that a shell, make or an address would read
SECRETS = {
    "MLFLOW_DB_PASSWORD": PASSWORD,
    "MLFLOW_AUTH_ADMIN_PASSWORD": "not-a-secret-either",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "nor-this",
}
NOBODY = "65534"
# Root in a namespace where it is nobody: PostgreSQL runs, and files are reached as before.
UNSHARED = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
LIMIT_S = 600.0


def ordinary() -> list[str] | None:
    """Returns the words before a command of an ordinary account; None: there is none to be."""
    if os.getuid() != 0:
        return []
    if shutil.which(UNSHARED[0]) is None:
        return None
    return None if subprocess.run([*UNSHARED, "true"], check=False).returncode else UNSHARED


AS = ordinary()
needs_an_account = pytest.mark.skipif(AS is None, reason="root can't be an ordinary account here")
needs_postgresql = pytest.mark.skipif(
    postgresql.programs() is None, reason="PostgreSQL is not installed"
)


def environment() -> dict[str, str]:
    """Returns the environment without secrets, and without what a make around the tests says."""
    apart = (*SECRETS, "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "GNUMAKEFLAGS")
    return {name: value for name, value in os.environ.items() if name not in apart}


class Deployment:
    """`make` in deploy/, with a folder, ports and passwords of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        ports = [str(_free_port()) for _ in range(2)]
        self.uri = f"http://127.0.0.1:{ports[0]}"
        self._variables = {
            "FOLDER": str(folder),
            "PORT": ports[0],
            "DATABASE_PORT": ports[1],
            "WORKERS": "1",
            "PYTHON": sys.executable,
            **variables,
        }

    def make(self, *words: str, **secrets: str) -> subprocess.CompletedProcess[str]:
        """Runs targets with the secrets given in the environment, or all that there are."""
        command = [*(AS or []), "make", "-sC", str(ROOT / "deploy"), *words]
        return subprocess.run(
            command,
            env=environment() | self._variables | (secrets or SECRETS),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def made(self, *words: str) -> str:
        """Returns what targets say, which must not fail."""
        done = self.make(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


# What it refuses, before it does anything


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Returns a folder that passes as that of PostgreSQL's programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "initdb").touch()
    return folder


@needs_an_account
@pytest.mark.parametrize(
    ("words", "secrets", "refusal"),
    [
        pytest.param(
            ["database"], {"MLFLOW_DB_PASSWORD": ""}, "MLFLOW_DB_PASSWORD is not set", id="none"
        ),
        pytest.param(
            ["database", "MLFLOW_DB_PASSWORD=x"],
            {},
            "give MLFLOW_DB_PASSWORD in the environment",
            id="on the command line",
        ),
        pytest.param(["start"], {}, "make database first", id="no database"),
        pytest.param(["backup"], {}, "make database first", id="nothing to back up"),
        pytest.param(["database", "FOLDER=here"], {}, "is not absolute", id="relative"),
        pytest.param(["database", "FOLDER=/a b"], {}, "has a space", id="space"),
        pytest.param(["database", "POSTGRESQL=/nowhere"], {}, "no PostgreSQL here", id="none here"),
    ],
)
def test_what_is_missing_costs_one_line(
    words: list[str], secrets: dict[str, str], refusal: str, programs: Path, tmp_path: Path
) -> None:
    done = Deployment(tmp_path / "tracker", POSTGRESQL=str(programs)).make(*words, **secrets)
    assert done.returncode == 2
    assert refusal in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "tracker").exists()


@needs_an_account
@pytest.mark.parametrize(
    ("words", "left_out", "refusal"),
    [
        *(
            pytest.param([], [secret], f"{secret} is not set; export it", id=secret)
            for secret in SECRETS
        ),
        pytest.param(["PYTHON=/nowhere"], [], "does not have all of: mlflow psycopg", id="mlflow"),
        pytest.param(["AUTH=none"], [], "AUTH=none is unknown; allowed: basic, off", id="AUTH"),
    ],
)
def test_server_does_not_start_without_what_it_needs(
    words: list[str], left_out: list[str], refusal: str, programs: Path, tmp_path: Path
) -> None:
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "PG_VERSION").write_text("15\n")
    deployment = Deployment(tmp_path, POSTGRESQL=str(programs))
    given = {name: value for name, value in SECRETS.items() if name not in left_out}
    done = deployment.make("start", *words, **given)
    assert done.returncode == 2
    assert refusal in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.getuid() != 0, reason="is not root")
def test_root_is_refused(programs: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "-sC", str(ROOT / "deploy"), "database", f"POSTGRESQL={programs}"],
        env=environment() | {"FOLDER": str(tmp_path / "tracker")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PostgreSQL does not run as root" in done.stderr
    assert not (tmp_path / "tracker").exists()


def test_help_names_every_target(tmp_path: Path) -> None:
    output = Deployment(tmp_path).made()
    text = (ROOT / "deploy" / "Makefile").read_text("utf-8")
    (targets,) = [line for line in text.splitlines() if line.startswith(".PHONY:")]
    assert [line.split()[0] for line in output.split("\n\n")[0].splitlines()] == targets.split()[1:]


# Its life


@contextmanager
def deployed(**variables: str) -> Iterator[Deployment]:
    """Yields a deployment in a folder with a short path, for a socket's; what runs is stopped."""
    with tempfile.TemporaryDirectory(prefix="greenexp-", dir="/tmp") as folder:
        deployment = Deployment(Path(folder) / "tracker", **variables)
        try:
            yield deployment
        finally:
            stopped = deployment.make("stop")
            assert stopped.returncode == 0, stopped.stderr


def command_lines() -> str:
    """Returns the command lines of all processes."""
    return subprocess.run(
        ["ps", "-eww", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout


def known(deployment: Deployment) -> list[tuple[str, list[str]]]:
    """Returns status and artifacts of the runs that the server has."""
    from mlflow import MlflowClient

    client = MlflowClient(deployment.uri)
    experiment = client.get_experiment_by_name("greenexp")
    assert experiment is not None
    return [
        (run.info.status, sorted(file.path for file in client.list_artifacts(run.info.run_id)))
        for run in client.search_runs([experiment.experiment_id])
    ]


@pytest.mark.slow
@needs_an_account
@needs_postgresql
def test_runs_outlive_a_stop_and_a_move_by_backup(tmp_path: Path) -> None:
    with deployed(AUTH="off") as deployment:
        assert "does not run" in deployment.make("status").stdout
        for _ in range(2):
            deployment.made("database")
        deployment.made("start")
        assert "the server runs already" in deployment.made("start")
        output = deployment.made("status")
        assert "database: runs on 127.0.0.1:" in output
        assert f"server: answers at {deployment.uri}" in output
        assert PASSWORD not in command_lines()
        done = greenexp(tmp_path, f"tracking.uri={deployment.uri}", *QUICK)
        assert done.returncode == 0, done.stderr
        runs = known(deployment)
        assert [status for status, _ in runs] == ["FINISHED"]
        assert "record.json" in runs[0][1]
        deployment.made("stop")
        assert deployment.make("status").returncode != 0
        deployment.made("start")
        assert known(deployment) == runs
        backup = Path(deployment.made("backup").split()[-1])
        assert {path.name for path in backup.iterdir()} == {"artifacts.tar", "database.dump"}
        assert "the server runs" in deployment.make("restore", f"FROM={backup}").stderr
        deployment.made("upgrade")
        assert "is not empty" in deployment.make("restore", f"FROM={backup}").stderr
        deployment.made("stop")
        for name in ("database", "artifacts"):
            (deployment.folder / name).rename(deployment.folder / f"old-{name}")
        deployment.made("database")
        deployment.made("restore", f"FROM={backup}")
        deployment.made("start")
        assert known(deployment) == runs
        kept = [path for path in deployment.folder.rglob("*") if path.is_file()]
        assert len(kept) > 100
        assert [path for path in kept if PASSWORD.encode() in path.read_bytes()] == []
        assert deployment.folder.stat().st_mode & 0o077 == 0


@pytest.mark.slow
@needs_an_account
@needs_postgresql
@pytest.mark.skipif(find_spec("flask_wtf") is None, reason="mlflow[auth] is not installed")
def test_server_asks_for_accounts_and_another_password_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deployed() as deployment:
        deployment.made("database")
        other = SECRETS | {"MLFLOW_DB_PASSWORD": "another"}
        done = deployment.make("start", **other)
        assert "the database does not take MLFLOW_DB_PASSWORD" in done.stderr
        deployment.make("database", **other)
        done = deployment.make("start", **other)
        assert done.returncode == 0, done.stderr
        command = (f"tracking.uri={deployment.uri}", *QUICK)
        done = greenexp(tmp_path, *command)
        assert done.returncode == 1
        assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in done.stderr
        assert not list(tmp_path.rglob("record.json"))
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["MLFLOW_AUTH_ADMIN_PASSWORD"])
        done = greenexp(tmp_path, *command)
        assert done.returncode == 0, done.stderr
        assert [status for status, _ in known(deployment)] == ["FINISHED"]
