"""Files of runs whose artifacts are not on this machine, several at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

AT_ONCE = 8  # requests; MLflow's client keeps ten connections


def download(uri: str, name: str, tracking_uri: str) -> bytes:
    """Returns a file of a run, in one request.

    MLflow's own function asks for the run first, and then whether the file is a folder.

    Args:
        uri: of the run's artifacts.
        name: of the file.
        tracking_uri: of the server, through which the artifacts may be reached.

    Raises:
        FileNotFoundError: where it is gone or can't be reached.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        path = Path(folder) / name
        try:
            repository: Any = get_artifact_repository(uri, tracking_uri)
            repository._download_file(name, str(path))
            return path.read_bytes()
        except Exception as error:  # each kind of store raises its own library's
            raise FileNotFoundError(f"{name} of {uri}: {error}") from None


def begin(uris: Mapping[str, str], name: str, tracking_uri: str) -> dict[str, Future[bytes]]:
    """Begins to download a file of each run; returns what will be there, by the runs' ids.

    Args:
        uris: of the runs' artifacts, by the runs' ids.
        name: of the file.
        tracking_uri: as of `download`.
    """
    pool = ThreadPoolExecutor(AT_ONCE, "greenexp-downloading")
    begun = {run_id: pool.submit(download, uri, name, tracking_uri) for run_id, uri in uris.items()}
    pool.shutdown(wait=False)
    return begun
