"""Writes synthetic runs into MLflow's tables, and the artifacts that they are read from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert
from synthetic_cells import Cell

from greenexp.runs.identity import run_name
from greenexp.runs.run import RUN, to_json
from greenexp.tracking.fields import Point

STARTED_S = 1_767_225_600  # the first of 2026
RUN_S = 180  # from one run's start to the next
DISTURBED = 0.01  # share of the runs that neighbours disturbed
ROWS_PER_INSERT = 50_000


class RunWriter:
    """Inserts runs into MLflow's tables, many at once."""

    def __init__(self, connection: Connection, experiment_id: int, location: Path) -> None:
        self._connection = connection
        self._experiment_id = experiment_id
        self._location = location
        self._rows: dict[type, list[dict[str, Any]]] = {}

    def add(
        self,
        number: int,
        cell: Cell,
        block: int,
        replicate: int,
        points: Sequence[Point],
        rng: np.random.Generator,
    ) -> str:
        """Adds a run and returns its id; power over time only in the first block."""
        from mlflow.store.tracking.dbmodels.models import (
            SqlLatestMetric,
            SqlMetric,
            SqlParam,
            SqlRun,
            SqlTag,
        )

        run_id = rng.bytes(16).hex()
        name = run_name(cell.record.title, block, replicate, cell.run.is_baseline)
        start_ms = (STARTED_S + number * RUN_S) * 1000
        self._put(
            SqlRun,
            run_uuid=run_id,
            name=name,
            source_type="UNKNOWN",
            user_id="synthetic",
            status="FAILED" if cell.effect.unsupported else "FINISHED",
            start_time=start_ms,
            end_time=start_ms + RUN_S * 1000,
            lifecycle_stage="active",
            artifact_uri=(self._location / run_id / "artifacts").as_uri(),
            experiment_id=self._experiment_id,
        )
        placed = {
            "greenexp.id": run_id,
            "greenexp.block": str(block),
            "greenexp.replicate": str(replicate),
            "mlflow.runName": name,
        }
        if not cell.effect.unsupported:
            disturbed = block > 1 and rng.random() < DISTURBED  # the first has predictions
            placed["greenexp.validity"] = "cpu_steal" if disturbed else "valid"
        self._write(run_id, cell, placed, points, start_ms)
        for key, value in {**cell.tags, **placed}.items():
            self._put(SqlTag, key=key, value=value, run_uuid=run_id)
        place = {"sweep.block": str(block), "sweep.replicate": str(replicate)}
        for key, value in {**cell.parameters, **place}.items():
            self._put(SqlParam, key=key, value=value, run_uuid=run_id)
        latest = {point.name: point for point in points}
        # The template is a real run, whose samples may fall on one millisecond.
        sampled = {(point.name, point.step, point.epoch_ms): point for point in points}
        for point in sampled.values() if block == 1 else latest.values():
            self._put(SqlMetric, **_metric(point, run_id))
        for point in latest.values():
            self._put(SqlLatestMetric, **_metric(point, run_id))
        return run_id

    def _write(
        self,
        run_id: str,
        cell: Cell,
        placed: Mapping[str, str],
        points: Sequence[Point],
        start_ms: int,
    ) -> None:
        """Writes the artifact that a run is read from."""
        validity = placed.get("greenexp.validity", "valid")
        started = datetime.fromtimestamp(start_ms / 1000, UTC)
        run = dataclasses.replace(
            cell.run,
            id=run_id,
            block=int(placed["greenexp.block"]),
            replicate=int(placed["greenexp.replicate"]),
            started=started.isoformat(),
            ended=(started + timedelta(seconds=RUN_S)).isoformat(),
            metrics={p.name: p.value for p in points if not p.name.startswith("series/")},
            doubts=[] if validity == "valid" else [validity],
        )
        folder = self._location / run_id / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RUN).write_text(to_json(run), encoding="utf-8")

    def flush(self) -> None:
        """Inserts what is left."""
        for table in list(self._rows):
            self._insert(table)

    def _put(self, table: type, **row: Any) -> None:
        rows = self._rows.setdefault(table, [])
        rows.append(row)
        if len(rows) >= ROWS_PER_INSERT:
            self._insert(table)

    def _insert(self, table: type) -> None:
        self._connection.execute(insert(table), self._rows.pop(table))


def _metric(point: Point, run_id: str) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "key": point.name,
        "value": point.value,
        "timestamp": point.epoch_ms,
        "step": point.step,
        "is_nan": False,
    }
