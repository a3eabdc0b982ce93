"""Several machines that open a new experiment of a server at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from greenexp.settings.sweep import Tracking
from greenexp.tracking.store import experiment_id

CLASH = "BAD_REQUEST: (sqlite3.IntegrityError) UNIQUE constraint failed: experiment_tags.key"


class Beaten:
    """A client whose calls reach the store just after another's that do the same."""

    def __init__(self, client: MlflowClient, *, saves: bool) -> None:
        self._client = client
        self._saves = saves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def set_experiment_tag(self, *tag: str) -> None:
        if self._saves:
            self._client.set_experiment_tag(*tag)
        raise MlflowException(CLASH)


@pytest.fixture
def client(tmp_path: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path}/server.db")


def test_view_that_another_saves_at_the_same_moment_is_no_fault(client: MlflowClient) -> None:
    where = Tracking(uri="http://127.0.0.1:9")
    beaten: Any = Beaten(client, saves=True)
    known = experiment_id(beaten, where)
    assert client.get_experiment(known).name == where.experiment
    assert client.get_experiment(known).tags


def test_view_that_can_t_be_saved_is_a_fault(client: MlflowClient) -> None:
    beaten: Any = Beaten(client, saves=False)
    with pytest.raises(MlflowException, match="UNIQUE"):
        experiment_id(beaten, Tracking(uri="http://127.0.0.1:9"))
