"""Runs that were tracked before `run.json` was written beside them: made of tags and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from greenexp.runs.run import Run
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.tracking.fields import VALID
from greenexp.tracking.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

TAG = "greenexp."  # what our tags begin with
CHOICES = ("model", "tactic", "dataset", "hardware", "workload")
OF_THE_RUN = ("effect.", "provenance.")  # parameters that a run found, and no settings

Params = Mapping[str, str]


def runs_of(tables: Tables) -> Iterator[Run]:
    """Yields the runs of the tables, in their order.

    Figures have the six digits, and settings the 500 characters, that MLflow was given.
    """
    configurations = {cell: configuration_of(params) for cell, params in tables.params.items()}
    tags = _rows(tables.tags)
    metrics = _rows(tables.metrics)
    for run_id, started in tables.runs["started"].items():
        tagged = {name.removeprefix(TAG): value for name, value in tags[str(run_id)].items()}
        params = tables.params.get(tagged["cell"], {})
        place = {
            name: int(tagged[name]) if tagged.get(name) else None for name in ("block", "replicate")
        }
        validity = str(tagged.get("validity", VALID))
        yield Run(
            id=tagged.get("id", str(run_id)),
            title=params.get("title", ""),
            cell=tagged["cell"],
            peers=tagged.get("peers"),
            block=place["block"],
            replicate=place["replicate"] or 1,
            sweep=tagged.get("sweep"),
            machine=tagged.get("machine"),
            conditions=tagged.get("conditions"),
            choices={name: params[name] for name in CHOICES if name in params},
            configuration=configurations.get(tagged["cell"], {}),
            started=_iso(started),
            ended="",
            outcome=tagged.get("outcome", "unknown"),
            reason=tagged.get("reason"),
            device=tagged.get("device"),
            cpu=tagged.get("cpu"),
            gpus=[name for name in tagged.get("gpus", "").split(", ") if name],
            metrics=metrics[str(run_id)],
            doubts=[doubt for doubt in validity.split(", ") if doubt != VALID],
            energy_source=tagged.get("energy_source"),
            cost_holds=tagged.get("cost_holds"),
            predictions=True,  # as far as can be told before they are asked for
            version=tagged.get("version"),
            schema=0,
            tracked=str(run_id),
        )


def configuration_of(params: Params) -> dict[str, Any]:
    """Returns the configuration that flattened parameters are of; its values are texts."""
    nested: dict[str, Any] = {}
    for key, value in params.items():
        if key in CHOICES or key.startswith(OF_THE_RUN):
            continue
        *path, last = key.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                break
        else:
            place[last] = value
    return nested


def hardware_of(params: Params) -> Hardware:
    """Returns the preset that a run's flattened parameters hold."""
    return typed(configuration_of(params), "hardware", Hardware)


def _rows(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Returns what each run has, by name; what it has not has no entry."""
    rows: dict[str, dict[str, Any]] = {str(run_id): {} for run_id in frame.index}
    for name in frame.columns:
        column = frame[name].dropna()
        for run_id, value in column.items():
            rows[str(run_id)][str(name)] = value
    return rows


def _iso(started: Any) -> str:
    import pandas as pd

    if pd.isna(started):
        return datetime.fromtimestamp(0, UTC).isoformat()
    return str(started.isoformat())
