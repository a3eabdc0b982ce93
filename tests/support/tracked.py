"""A store with a few runs, for what reads it and what writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.protocols import Series
from greenexp.runs import journal
from greenexp.runs.journal import Record
from greenexp.runs.result import Predictions, Result
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.tracker import connect
from tests.support.builders import cpu_run, energy, record, window

EXPERIMENT = "test"
BEGAN_MS = 1_767_225_600_000  # the first of 2026


@dataclass(frozen=True)
class Store:
    """Where the runs are, and MLflow's ids of them by ours."""

    settings: Tracking
    run_ids: dict[str, str]


def sent(path: Path) -> str:
    """Sends a record to the tracker that it names, and returns MLflow's run id."""
    (receipt,) = Delivery(again=True).send([path])
    assert receipt.run_id is not None, receipt.failure
    return receipt.run_id


def tracked(folder: Path, *runs: Record) -> Store:
    """Sends runs, made by `run`, to a new SQLite store in a folder."""
    settings = Tracking(uri=f"sqlite:///{folder}/mlflow.db", experiment=EXPERIMENT)
    connect(settings)
    run_ids = {}
    for run_record in runs:
        run_record.configuration["tracking"].update(uri=settings.uri, experiment=EXPERIMENT)
        run_ids[run_record.id] = sent(journal.write(run_record, folder / "journal" / run_record.id))
    return Store(settings, run_ids)


def run(name: str, day: int, cell: str = "vit", **fields: Any) -> Record:
    """Returns a run that began on a day of January 2026; finished unless its result is given."""
    choices = {
        "model": "digits_vit",
        "tactic": "baseline",
        "dataset": "digits",
        "hardware": "local",
        "workload": "quick",
    }
    place = {"block": day, "replicate": 1}
    configuration = {
        "hardware": {"any_device": True, "price": {"usd_per_kwh": 0.2, "region": "here"}},
        "model": {"_target_": "greenexp.models.Any", "labels": None},
        "tracking": {},
        "workload": {"batch_size": 1, "threads": None},
        "sweep": place | fields.pop("sweep", {}),
    }
    given: dict[str, Any] = {
        "id": name,
        "cell": cell,
        "machine": "here",
        "title": name,
        "choices": choices | fields.pop("choices", {}),
        "configuration": configuration | fields.pop("configuration", {}),
        "started": f"2026-01-{day:02}T00:00:00+00:00",
        "ended": f"2026-01-{day:02}T00:01:00+00:00",
    }
    return record(fields.pop("result", finished()), **(given | fields))


def finished(joules: float = 100.0, **fields: Any) -> Result:
    """Returns a result with energy, two predictions, one of them right, and power over time."""
    given: dict[str, Any] = {
        "predictions": Predictions(["a", "b"], [0, 1], [[0, 1], [0, 1]]),
        "series": [Series("power_w", "cpu", "model", "cpu_estimate", [0.5, 0.0], [4.0, 3.0])],
    }
    return cpu_run(window(energy("cpu", joules)), **(given | fields))
