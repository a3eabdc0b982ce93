"""A tracker filled with runs that nobody measured, shaped as real ones, for what reads it.

One short run is really measured, so that names of parameters, metrics, tags and artifacts are those
of this version. Every synthetic run has its metrics with the effects planted by `synthetic_cells`.
"""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from cells import configuration
from run_writer import RunWriter
from sqlalchemy import Engine
from synthetic_cells import Cell, Effect, every_cell

from greenexp.measuring import isolation
from greenexp.measuring.isolated import isolated
from greenexp.runs.identity import peers_hash
from greenexp.runs.journal import Record
from greenexp.runs.run import of
from greenexp.settings.sweep import Tracking
from greenexp.sweep.plan import Cell as PlannedRun
from greenexp.sweep.plan import blocks
from greenexp.tracking.fields import Point, points_of
from greenexp.tracking.tracker import connect

SHORT = (  # of the one run that is measured
    "workload.idle_seconds=0.5",
    "workload.warmup_min_seconds=0.05",
    "workload.min_seconds=0.2",
    "workload.min_windows=3",
    "workload.max_windows=3",
    "workload.half_width=null",
    "hardware.price.usd_per_hour=0.5",
)
NOISE = 0.01  # of a run's energy and latency


def fill(folder: Path, repetitions: int, models: int, images: int) -> tuple[Tracking, int]:
    """Fills a new SQLite store in a folder and returns where it is and how many runs it has.

    Args:
        folder: of the store.
        repetitions: complete blocks.
        models: of the experiment `paper`, its first ones.
        images: that each cell's first run has predictions of.
    """
    where = Tracking(uri=f"sqlite:///{folder}/mlflow.db")
    tracker = connect(where)
    measured = _measured()
    rng = np.random.default_rng(0)
    cells = {cell.record.cell: cell for cell in every_cell(measured, models)}
    planned = [
        PlannedRun(
            (), cell.record.title, key, peers_hash(cell.record.configuration), _is_baseline(cell)
        )
        for key, cell in cells.items()
    ]
    runs = list(itertools.chain.from_iterable(blocks(planned, repetitions, seed=0)))
    points = points_of(measured, of(measured))
    location = folder.resolve() / "artifacts"
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine: Engine = create_sqlalchemy_engine(where.uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        writer = RunWriter(connection, int(tracker.experiment_id), location)
        for number, run in enumerate(runs):
            cell = cells[run.cell.id]
            own = _points(points, cell, rng)
            run_id = writer.add(number, cell, run.block, run.replicate, own, rng)
            if run.block == 1 and not cell.effect.unsupported:
                _predict(location / run_id / "artifacts", cell, images, rng)
        writer.flush()
    engine.dispose()
    return where, len(runs)


def _is_baseline(cell: Cell) -> bool:
    return cell.record.choices["tactic"] == "baseline"


def _measured() -> Record:
    """Returns a real run, as short as it can be."""
    isolation.prepare()
    given = configuration(*SHORT)
    result = isolated(given)
    if result.outcome != "ok":
        raise RuntimeError(f"{result.outcome}: {result.reason}")
    return Record(
        id="0",
        title="measured",
        cell="0",
        sweep="synthetic",
        choices={"model": "digits_vit", "tactic": "baseline"},
        configuration=given,
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:03:00+00:00",
        result=result,
        machine="synthetic",
    )


def _points(points: Iterable[Point], cell: Cell, rng: np.random.Generator) -> list[Point]:
    """Returns a run's metrics: the measured ones, scaled by what was planted, and noise."""
    if cell.effect.unsupported:
        return []
    size = 0.3 + zlib.crc32(cell.record.choices["model"].encode()) % 1000 / 100
    energy = size * cell.effect.energy * rng.lognormal(0.0, NOISE)
    latency = size * cell.effect.latency * rng.lognormal(0.0, NOISE)
    scales = {"energy": energy, "cost": energy, "carbon": energy, "latency": latency, "run": 1.0}
    return [
        dataclasses.replace(point, value=_value(point, cell.effect, scales)) for point in points
    ]


def _value(point: Point, effect: Effect, scales: Mapping[str, float]) -> float:
    group = point.name.partition("/")[0]
    if group == "accuracy":
        return max(0.0, point.value - 0.2 + effect.top1)
    if group == "optimization":
        return effect.apply_s * (1.0 if point.name.endswith("_s") else 8.0)
    if group == "throughput":
        return point.value / scales["latency"]
    return point.value * scales.get(group, 1.0)


def _predict(folder: Path, cell: Cell, images: int, rng: np.random.Generator) -> None:
    """Writes which images a run had right: the model's baseline, with some lost and few gained."""
    own = np.random.default_rng(zlib.crc32(cell.record.choices["model"].encode()))
    right = own.random(images) < 0.8
    right &= rng.random(images) >= max(0.0, -cell.effect.top1) / 0.8
    right |= rng.random(images) < 0.001
    lines = [
        f"ILSVRC2012_val_{number:08}.JPEG,{number % 1000},{(number + (not ok)) % 1000},{int(ok)}"
        for number, ok in enumerate(right)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(["image,target,predicted,correct", *lines, ""])
    (folder / "predictions.csv").write_text(text, encoding="utf-8")
