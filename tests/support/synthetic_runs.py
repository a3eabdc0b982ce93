"""Runs with what is true of them planted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import Run
from greenexp.settings.hardware import Carbon, Hardware, Price
from greenexp.settings.report import Report
from greenexp.study.effects import Comparison, compare
from greenexp.study.labels import Labels
from greenexp.study.select import PricedRun, priced
from greenexp.study.study import Cell, Overall

Row = dict[str, Any]
Predictions = Callable[[str], ImageOutcomes | None]

IMAGES = tuple(f"image-{number}" for number in range(400))
RIGHT = 300  # of them, under the baseline
JOULES = 0.5  # an image of the first model; the second takes twice as much, and so on
MS = 10.0  # latency of the first model, likewise
CHOICES = ("model", "tactic", "dataset", "hardware", "workload")
START = pd.Timestamp("2026-01-01", tz="UTC")
LOCAL = Hardware(
    description="any machine",
    any_device=True,
    price=Price(usd_per_kwh=0.2, pue=1.5),
    carbon=Carbon(g_per_kwh=400.0),
)


@dataclass(frozen=True)
class Planted:
    """What is true of a tactic: its ratios to the baseline, images, and what applying it takes."""

    energy: float = 1.0
    latency: float = 1.0
    lost: int = 0
    gained: int = 0
    seconds: float = 2.0
    joules: float = 20.0


BASELINE = Planted(seconds=0.0, joules=0.0)
QUANTIZED = {"quantized": Planted(energy=0.6, latency=0.7, lost=2, gained=1)}
STUDY = {
    "quantized": Planted(energy=0.6, latency=0.7, lost=2, gained=1),
    "compiled": Planted(energy=0.8, latency=0.75, seconds=60.0, joules=900.0),
    "pruned": Planted(lost=12, seconds=0.5, joules=6.0),
    "slowed": Planted(energy=1.3, latency=1.4, gained=1),
    "harmed": Planted(energy=0.3, latency=0.3, lost=40),
}


def rows(
    models: Sequence[str] = ("vit",),
    tactics: Mapping[str, Planted] = QUANTIZED,
    blocks: int = 8,
    *,
    noise: float = 0.002,
    drift: float = 0.1,
    aa: bool = True,
    seed: int = 0,
    **columns: Any,
) -> list[Row]:
    """Returns the runs of a sweep, a mapping each, to be changed before `frame`.

    Args:
        models: labels.
        tactics: beside the baseline.
        blocks: complete ones.
        noise: standard deviation of the logarithm of each run's joules and latency.
        drift: the same of what all runs of a block have in common.
        aa: whether the baseline stands twice in each block.
        seed: of both.
        columns: of all runs, as they are.
    """
    random = np.random.default_rng(seed)
    made: list[Row] = []
    for block in range(1, blocks + 1):
        pace = math.exp(random.normal(0.0, drift))
        for number, model in enumerate(models, start=1):
            for tactic, replicate in [("baseline", 1), *([("baseline", 2)] if aa else [])]:
                made.append(_row(model, number, tactic, BASELINE, block, replicate))
            for tactic, planted in tactics.items():
                made.append(_row(model, number, tactic, planted, block, 1))
            for row in made[-len(tactics) - 1 - aa :]:
                row["energy/per_image_j"] *= pace * math.exp(random.normal(0.0, noise))
                slower = pace * math.exp(random.normal(0.0, noise))
                row["latency/p50_ms"] *= slower
                row["throughput/images_per_s"] /= slower
    return [_placed(row | columns, age) for age, row in enumerate(made)]


def _row(model: str, number: int, tactic: str, planted: Planted, block: int, replicate: int) -> Row:
    milliseconds = MS * number * planted.latency
    return {
        "model": model,
        "tactic": tactic,
        "dataset": "digits",
        "hardware": "local",
        "workload": "steady",
        "setting_varied": None,
        "block": block,
        "replicate": replicate,
        "machine": "f00d",
        "outcome": "ok",
        "validity": "valid",
        "energy_source": "cpu:counter",
        "device": "cpu",
        "cpu": "Made-up CPU",
        "gpus": None,
        "accuracy/top1": float(right(planted).mean()),
        "latency/p50_ms": milliseconds,
        "throughput/images_per_s": 1000 / milliseconds,
        "energy/per_image_j": JOULES * number * planted.energy,
        "optimization/time_s": planted.seconds,
        "optimization/energy_j": planted.joules,
        "complexity/parameters": 1e6 * number,
    }


def _placed(row: Row, age: int) -> Row:
    """Returns the row with what follows from the others, unless it is given."""
    peers = "/".join(
        str(row[name]) for name in ("model", "dataset", "hardware", "workload", "setting_varied")
    )
    cell = f"{peers}/{row['tactic']}"
    run_id = f"{cell}/{row['machine']}/{row['block']}/{row['replicate']}"
    started = START + pd.Timedelta(minutes=age)
    return {"run_id": run_id, "cell": cell, "peers": peers, "started": started} | row


def runs_of(made: Iterable[Row], preset: Hardware = LOCAL) -> list[Run]:
    """Returns the runs of the rows, made with a preset."""
    return [_run(row, preset) for row in made]


def labels_of(made: Iterable[Row]) -> dict[str, Labels]:
    """Returns what the cell of each row is called."""
    return {
        row["cell"]: Labels(*(row[name] or "" for name in CHOICES), row.get("setting_varied") or "")
        for row in made
    }


def elsewhere(made: Iterable[Row], name: str, **columns: Any) -> list[Row]:
    """Returns the rows as another measured them: other runs, measured an hour later."""
    return [
        row
        | {"run_id": f"{name}/{row['run_id']}", "started": row["started"] + pd.Timedelta(hours=1)}
        | columns
        for row in made
    ]


def _run(row: Row, preset: Hardware) -> Run:
    started = row.get("started")
    validity = row.get("validity") or "valid"
    return Run(
        id=row["run_id"],
        title=f"{row['model']} · {row['tactic']}",
        cell=row["cell"],
        peers=row["peers"],
        block=row["block"],
        replicate=row["replicate"] or 1,
        sweep=row.get("sweep"),
        machine=row["machine"],
        choices={name: row[name] or "" for name in CHOICES},
        configuration={"hardware": asdict(preset)},
        started=(pd.Timestamp(0, tz="UTC") if started is None else started).isoformat(),
        ended="",
        outcome=row["outcome"] or "unknown",
        device=row["device"],
        cpu=row["cpu"],
        gpus=[name for name in (row["gpus"] or "").split(", ") if name],
        metrics={name: row[name] for name in row if "/" in name and row[name] is not None},
        doubts=[doubt for doubt in validity.split(", ") if doubt != "valid"],
        energy_source=row.get("energy_source"),
        together=row.get("together"),
        host=row.get("host"),
        origin=row.get("origin"),
    )


def used(made: Sequence[Row], preset: Hardware = LOCAL, **options: Any) -> list[PricedRun]:
    """Returns the runs that count."""
    return priced(runs_of(made, preset), labels_of(made), **options)[0]


def right(planted: Planted) -> NDArray[np.bool_]:
    """Returns which images are right under a tactic."""
    correct = np.arange(len(IMAGES)) < RIGHT
    correct[: planted.lost] = False
    correct[RIGHT : RIGHT + planted.gained] = True
    return correct


def predictions(made: Iterable[Row], tactics: Mapping[str, Planted]) -> Predictions:
    """Returns what reads which images a run had right, by its id."""
    return {
        row["run_id"]: ImageOutcomes(IMAGES, right(tactics.get(row["tactic"], BASELINE)))
        for row in made
    }.get


def no_predictions(run_id: str) -> None:
    """Stands for a store whose artifacts are gone."""
    del run_id


def compared(
    made: Sequence[Row],
    tactics: Mapping[str, Planted] = QUANTIZED,
    preset: Hardware = LOCAL,
    *,
    judged: Predictions | None = None,
    **options: Any,
) -> Comparison:
    """Returns what the comparison says of the runs, each right about what its tactic leaves it."""
    return compare(used(made, preset), judged or predictions(made, tactics), Report(**options))


def cell_of(comparison: Comparison, tactic: str, model: str = "vit") -> Cell:
    """Returns a tactic's cell of a model in the one setting there is."""
    (cell,) = [cell for cell in comparison.cells if (cell.model, cell.tactic) == (model, tactic)]
    return cell


def line_of(comparison: Comparison, tactic: str) -> Overall:
    """Returns a tactic's line over the models of the one setting there is."""
    (line,) = [line for line in comparison.overall if line.tactic == tactic]
    return line


def without(made: Iterable[Row], *names: str) -> list[Row]:
    """Returns the rows as if some columns had not been measured."""
    return [{key: value for key, value in row.items() if key not in names} for row in made]


def without_energy(made: Iterable[Row]) -> list[Row]:
    """Returns the rows as if no meter had read energy."""
    return without(made, "energy/per_image_j", "optimization/energy_j", "energy_source")
