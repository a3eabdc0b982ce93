"""A tracker filled with runs that nobody measured, shaped as real ones, for what reads it.

One short run is really measured, so that names of parameters, metrics, tags and artifacts are those
of this version. Every synthetic run has its metrics with planted effects: EFFECTS says by how much
each tactic changes energy, latency and top-1, and what it takes to apply.
"""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from cells import configuration
from hydra import compose, initialize_config_dir
from sqlalchemy import Connection, Engine, insert

from greenexp.cli.compose import settings, steps_given
from greenexp.measuring import isolation
from greenexp.measuring.isolated import isolated
from greenexp.runs.identity import cell_hash, peers_hash, run_name
from greenexp.runs.journal import Record
from greenexp.runs.result import Result
from greenexp.runs.run import RUN, Run, of, to_json
from greenexp.settings.conf import config_dir
from greenexp.settings.sweep import Tracking
from greenexp.sweep.plan import Cell as PlannedRun
from greenexp.sweep.plan import blocks, choices_of, title
from greenexp.tracking.fields import Point, parameters_of, points_of, tags
from greenexp.tracking.tracker import connect

STARTED_S = 1_767_225_600  # the first of 2026
RUN_S = 180  # from one run's start to the next
COMMON = (
    "dataset=imagenet_1k",
    "workload=steady",
    "hardware.price.usd_per_hour=0.5",
    "hardware.price.electricity_included=false",
)
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
DISTURBED = 0.01  # share of the runs that neighbours disturbed
ROWS_PER_INSERT = 50_000


@dataclass(frozen=True)
class Effect:
    """What a tactic does: ratios to the baseline, change of top-1, seconds to apply."""

    energy: float = 1.0
    latency: float = 1.0
    top1: float = 0.0
    apply_s: float = 0.1
    unsupported: bool = False


EFFECTS: dict[tuple[str, ...], Effect] = {  # by overrides
    ("tactic=baseline",): Effect(),
    ("tactic=batch_size",): Effect(0.8, 4.0),
    ("tactic=channels_last",): Effect(0.98, 0.97),
    ("tactic=dynamic_quantization",): Effect(0.7, 0.75, -0.003, 2.0),
    ("tactic=global_pruning",): Effect(1.0, 1.0, -0.08, 20.0),
    ("tactic=half_precision",): Effect(0.85, 0.9, -0.001, 0.5),
    ("tactic=int4_weight_only",): Effect(unsupported=True),
    ("tactic=int8_dynamic",): Effect(0.75, 0.8, -0.004, 3.0),
    ("tactic=int8_weight_only",): Effect(1.1, 1.15, -0.002, 3.0),
    ("tactic=local_pruning",): Effect(1.0, 1.0, -0.05, 2.0),
    ("tactic=local_pruning", "tactic.amount=0.5"): Effect(1.0, 1.0, -0.2, 2.0),
    ("tactic=onnx_runtime",): Effect(0.65, 0.6, 0.0, 8.0),
    ("tactic=openvino",): Effect(0.55, 0.5, 0.0, 15.0),
    ("tactic=semi_structured_sparsity",): Effect(unsupported=True),
    ("tactic=static_quantization",): Effect(0.6, 0.65, -0.01, 60.0),
    ("tactic=structured_pruning",): Effect(0.75, 0.75, -0.15, 10.0),
    ("tactic=threads",): Effect(0.9, 1.6),
    ("tactic=torch_compile",): Effect(0.8, 0.75, 0.0, 45.0),
    ("tactic=chain", "tactic.steps=[structured_pruning,torch_compile]"): Effect(
        0.6, 0.55, -0.15, 55.0
    ),
}
UNSUPPORTED = Result("unsupported", reason="no kernel for this device")


@dataclass(frozen=True)
class Cell:
    """One tactic on one model, with what all its runs share."""

    record: Record
    overrides: tuple[str, ...]
    effect: Effect
    run: Run
    tags: Mapping[str, str]
    parameters: Mapping[str, str]


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
    cells = {cell.record.cell: cell for cell in _cells(measured, models)}
    planned = [
        PlannedRun(
            (), one.record.title, key, peers_hash(one.record.configuration), _is_baseline(one)
        )
        for key, one in cells.items()
    ]
    runs = list(itertools.chain.from_iterable(blocks(planned, repetitions, seed=0)))
    points = points_of(measured, of(measured))
    location = folder.resolve() / "artifacts"
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine: Engine = create_sqlalchemy_engine(where.uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        writer = _Writer(connection, int(tracker.experiment_id), location)
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


def _cells(measured: Record, models: int) -> Iterator[Cell]:
    """Yields every tactic on every model, composed as a sweep composes them."""
    whole = configuration(*COMMON)
    names = _models()[:models]
    sections = {name: configuration(f"model={name}", *COMMON)["model"] for name in names}
    tactics = {overrides: _tactic(overrides) for overrides in EFFECTS}
    for name, (overrides, effect) in itertools.product(names, EFFECTS.items()):
        section, tactic = tactics[overrides]
        given = whole | {"model": sections[name], "tactic": section}
        choices = {
            "model": name,
            "tactic": tactic,
            "dataset": "imagenet_1k",
            "hardware": "local",
            "workload": "steady",
        }
        result = dataclasses.replace(measured.result, doubts=[])
        record = dataclasses.replace(
            measured,
            title=title(choices, None, overrides),
            cell=cell_hash(given),
            choices=choices,
            configuration=given,
            result=UNSUPPORTED if effect.unsupported else result,
        )
        run = of(record)
        yield Cell(record, overrides, effect, run, tags(record, run), parameters_of(record))


def _models() -> list[str]:
    text = (config_dir() / "experiment" / "paper.yaml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text)["hydra"]["sweeper"]["params"]["model"]
    return [name.strip() for name in listed.split(",")]


def _tactic(overrides: Sequence[str]) -> tuple[dict[str, Any], str]:
    """Returns a tactic's section of the configuration and what it is called."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides))
        chosen = {"tactic": overrides[0].partition("=")[2]}
        return settings(cfg)["tactic"], choices_of(chosen, ["tactic"], steps_given(cfg))["tactic"]


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


class _Writer:
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
        name = run_name(cell.record.title, block, replicate)
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
