"""What a server is asked before its runs are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.tracking.database import UNENDED
from greenexp.tracking.fields import CELL_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient


def experiments(uri: str) -> dict[str, str]:
    """Returns the ids of the experiments by name."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    ids: dict[str, str] = {}
    page_token: str | None = None
    while page_token != "":
        page = client.search_experiments(page_token=page_token)
        ids |= {str(experiment.name): str(experiment.experiment_id) for experiment in page}
        page_token = page.token or ""
    return ids


def is_empty(client: MlflowClient, experiment_id: str) -> bool:
    """Tells whether no run of an experiment has ended that greenexp measured."""
    ours = f"attributes.status != '{UNENDED}' and tags.`{CELL_TAG}` LIKE '%'"
    return not client.search_runs([experiment_id], ours, max_results=1)
