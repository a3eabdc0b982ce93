"""What MLflow holds of a record: tags, parameters, points of metrics, artifacts. No MLflow here."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from greenexp.runs.identity import dataset_name, flattened, model_name
from greenexp.runs.journal import Record, record_json
from greenexp.runs.run import RUN, Run, to_json
from greenexp.runs.texts import spreadsheet_cell
from greenexp.tracking.described import description
from greenexp.tracking.view import run_color_tag

CELL_TAG = "greenexp.cell"
PEERS_TAG = "greenexp.peers"
BLOCK_TAG = "greenexp.block"
REPLICATE_TAG = "greenexp.replicate"
MACHINE_TAG = "greenexp.machine"
CONDITIONS_TAG = "greenexp.conditions"
ID_TAG = "greenexp.id"
NOTE_TAG = "mlflow.note.content"  # what the page of a run says first, Markdown
VALID = "valid"
PARAMETER_LENGTH = 500  # characters; servers before MLflow 2.8 refuse more
MS_PER_S = 1000
SERIES = ("power_w", "utilization_pct", "temperature_c")


@dataclass(frozen=True)
class Point:
    """A value of a metric at a time; `step` is milliseconds into the run, 0 for its end."""

    name: str
    value: float
    epoch_ms: int
    step: int


def tags(record: Record, run: Run) -> dict[str, str]:
    """Returns the tags of a record's run."""
    environment = record.result.environment
    named = {
        ID_TAG: run.id,
        CELL_TAG: run.cell,
        PEERS_TAG: run.peers,
        BLOCK_TAG: None if run.block is None else str(run.block),
        REPLICATE_TAG: str(run.replicate),
        MACHINE_TAG: run.machine,
        CONDITIONS_TAG: run.conditions,
        "greenexp.device": run.device,
        "greenexp.cpu": run.cpu,
        "greenexp.gpus": ", ".join(run.gpus) or None,
        "greenexp.sweep": run.sweep,
        "greenexp.version": run.version,
        "greenexp.energy_source": run.energy_source,
        "greenexp.cost_holds": run.cost_holds,
        "greenexp.validity": ", ".join(run.doubts) or VALID,
        "greenexp.outcome": run.outcome,
        "greenexp.reason": run.reason,
        "greenexp.host": environment.get("host"),
        "mlflow.user": environment.get("user"),
        "mlflow.source.name": "greenexp",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": environment.get("git_commit"),
        "mlflow.source.git.branch": environment.get("git_branch"),
        "mlflow.source.git.repoURL": environment.get("git_repository"),
    }
    named[NOTE_TAG] = description(run)
    color_key, color = run_color_tag(run.choices["tactic"])
    named[color_key] = color
    return {key: value for key, value in named.items() if value is not None}


def parameters_of(record: Record) -> dict[str, str]:
    """Returns the choices and the flattened configuration; None has no entry.

    `model` and `dataset` say what these are where the choice, `local` or `hub`, does not.
    """
    flat = flattened(record.choices, record.configuration)
    named = {"model": model_name(flat), "dataset": dataset_name(flat)}
    flat |= {key: name for key, name in named.items() if name}
    for key, value in record.result.effect.items():
        flat[f"effect.{key}"] = str(value)
    for when, complexity in (("before", record.result.before), ("after", record.result.after)):
        if complexity is not None:
            known = {key: value for key, value in asdict(complexity).items() if value is not None}
            flat |= {f"effect.{key}_{when}": value for key, value in known.items()}
    for key, value in record.result.provenance.items():
        flat[f"provenance.{key}"] = str(value)
    return {key: str(value)[:PARAMETER_LENGTH] for key, value in flat.items()}


def artifacts(record: Record, run: Run) -> dict[str, str]:
    """Returns the run's artifacts: file name to text."""
    from omegaconf import OmegaConf

    files = {
        "config.yaml": OmegaConf.to_yaml(OmegaConf.create(dict(record.configuration))),
        "environment.json": json.dumps(record.result.environment, indent=2),
        "record.json": record_json(record),
        RUN: to_json(run),
    }
    if record.result.windows:
        files["latencies.csv"] = _csv(
            ("window", "batch", "latency_s"),
            (
                (number, batch, latency_s)
                for number, window in enumerate(record.result.windows)
                for batch, latency_s in enumerate(window.latencies_s)
            ),
        )
    predictions = record.result.predictions
    if predictions is not None:
        files["predictions.csv"] = _csv(
            ("image", "target", "predicted", "correct"),
            (
                (identifier, target, ranked[0], int(ranked[0] == target))
                for identifier, target, ranked in zip(
                    predictions.identifiers, predictions.targets, predictions.ranked, strict=True
                )
            ),
        )
    if record.result.traceback is not None:
        files["traceback.txt"] = record.result.traceback
    return files


def points_of(record: Record, run: Run) -> list[Point]:
    """Returns the run's metrics and what its meters sampled over time."""
    started_ms, ended_ms = epoch_ms(record.started), epoch_ms(record.ended)
    points = [Point(name, rounded(value), ended_ms, 0) for name, value in run.metrics.items()]
    followed = {*SERIES, *(own.reads for own in record.result.quantities)}
    for series in record.result.series:
        if series.quantity not in followed:
            continue
        name = f"series/{series.meter}/{series.component.replace(':', '_')}_{series.quantity}"
        points += [
            Point(name, rounded(value), started_ms + int(t_s * MS_PER_S), int(t_s * MS_PER_S))
            for t_s, value in zip(series.t_s, series.values, strict=True)
        ]
    return points


def epoch_ms(iso: str) -> int:
    """Returns a time in ISO form as MLflow counts it."""
    return int(datetime.fromisoformat(iso).timestamp() * MS_PER_S)


def rounded(value: float) -> float:
    """Returns the value as the UI's table can show it; the journal keeps every digit."""
    return float(f"{value:.6g}")


def _csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(
        [cell if not isinstance(cell, str) else spreadsheet_cell(cell) for cell in row]
        for row in rows
    )
    return text.getvalue()
