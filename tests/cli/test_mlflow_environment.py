"""MLflow's own environment names the store and the experiment where nothing else is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

import greenexp
from greenexp.cli.compose import register, settings
from greenexp.errors import BadInput
from greenexp.settings.conf import config_dir

ELSEWHERE = "sqlite:////elsewhere/mlflow.db"
COMMANDS = ("config", "report", "export", "doctor")


def tracking(command: str, *overrides: str) -> dict[str, Any]:
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        plain = settings(compose(command, overrides=list(overrides)))
    section: dict[str, Any] = plain["tracking"]
    return section


@pytest.mark.parametrize("command", COMMANDS)
def test_environment_stands_where_nothing_is_given(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tracking(command)
    assert (usual["uri"], usual["experiment"]) == ("sqlite:///mlruns/mlflow.db", "greenexp")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", ELSEWHERE)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    section = tracking(command)
    assert (section["uri"], section["experiment"]) == (ELSEWHERE, "mine")
    given = tracking(command, "tracking.uri=sqlite:///own.db", "tracking.experiment=own")
    assert (given["uri"], given["experiment"]) == ("sqlite:///own.db", "own")


@pytest.mark.parametrize("command", COMMANDS)
def test_password_of_the_environment_s_address_is_taken_out(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # put back in the end
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://bob:hunter2@tracker:5000")
    assert tracking(command)["uri"] == "http://tracker:5000"


def test_python_reads_the_environment_s_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(BadInput, match=r"none\.db"):
        greenexp.fetch()
    with pytest.raises(BadInput, match=r"given\.db"):
        greenexp.fetch(uri=f"sqlite:///{tmp_path}/given.db")
