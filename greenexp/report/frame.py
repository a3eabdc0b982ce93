"""The runs of an experiment as one typed table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from greenexp.runs.merged import merged
from greenexp.runs.run import Run
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.study.labels import Labels, of_runs
from greenexp.study.pairs import versus_baseline
from greenexp.study.select import priced

if TYPE_CHECKING:
    import pandas as pd

COUNTED = ("block", "replicate")  # columns that hold whole numbers
TEXTS = (
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
)


def load(experiment: str | None = None, uri: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Returns the runs of an experiment, one row each whatever its outcome, oldest first.

    Columns: `run_id`; `started` (UTC); `model`, `tactic`, `dataset`, `hardware`, `workload`,
    `setting_varied` as in `Labels`; `block` and `replicate` (Int64); `cell`, `peers`, `machine`,
    `sweep`, `outcome`, `validity`, `reason`, `energy_source`, `cost_holds`, `device`, `cpu`,
    `gpus`; then every metric by its MLflow name, which holds its unit (Float64). Texts are of dtype
    string. What is absent is `pd.NA`.

    Args:
        experiment: name of the MLflow experiment; None: `MLFLOW_EXPERIMENT_NAME`, else greenexp.
        uri: address of the MLflow store; several are read as one, in which each run stands once.
            None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlruns/mlflow.db`.

    Raises:
        BadInput: where store or experiment is missing, or the store can't be read.
    """
    return frame(fetched(uri, experiment))


def fetched(uri: str | Sequence[str] | None, experiment: str | None) -> list[Run]:
    """Returns the runs that stores have of an experiment, each once, oldest first; see `load`.

    Raises:
        BadInput: where a store or its experiment is missing, or a store can't be read.
    """
    from greenexp.tracking.opening import reader  # whoever draws needs no database

    named = uri or os.environ.get("MLFLOW_TRACKING_URI") or Tracking.uri
    of = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or Tracking.experiment
    uris = [named] if isinstance(named, str) else named
    opened = {each: reader(Tracking(uri=each, experiment=of)) for each in uris}
    return merged(
        replace(run, origin=without_secrets(each))
        for each, store in opened.items()
        for run in store.runs()
    )


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Returns the runs as a table, see `load`."""
    import pandas as pd

    def text(values: Iterable[str | None]) -> Any:
        return pd.array(list(values), dtype="string")

    names = of_runs(runs)
    columns: dict[str, Any] = {
        "run_id": text(run.tracked or run.id for run in runs),
        "started": pd.to_datetime([run.started for run in runs], utc=True, format="ISO8601"),
    }
    for label in fields(Labels):
        columns[label.name] = text(getattr(names[run.cell], label.name) for run in runs)
    for name in COUNTED:
        columns[name] = pd.array([getattr(run, name) for run in runs], dtype="Int64")
    for name in TEXTS:
        columns[name] = text(_text(run, name) for run in runs)
    used, _ = priced(runs, names, keep_flagged=True)
    versus = versus_baseline(used)
    measured = [{**run.metrics, **versus.get(run.tracked or run.id, {})} for run in runs]
    for name in sorted({name for metrics in measured for name in metrics}):
        columns[name] = pd.array([metrics.get(name) for metrics in measured], dtype="Float64")
    return pd.DataFrame(columns)


def _text(run: Run, name: str) -> str | None:
    match name:
        case "validity":
            return ", ".join(run.doubts) or "valid"
        case "gpus":
            return ", ".join(run.gpus) or None
        case _:
            value: str | None = getattr(run, name)
            return value
