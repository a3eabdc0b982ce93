"""How long do planning, looking up and recording take in a study of weeks?

    python benchmarks/scale.py [--runs 20] [--nodes 64] [--blocks 10000]

Nothing is measured: results are made up (see `tests/support/unmeasured.py`), all else is real. The
last line is a JSON object:

- `planning_s`: of a dry run over every model, tactic and eight data sets in ten blocks, in a
  process of its own, `planned_runs` of them;
- `lookup_s`: what a sweep takes to find out which of its runs 10,080 in a SQLite store are, the
  median of five;
- `record_s`: that a record of 300 predictions takes into a SQLite store, the median of `--runs`;
- `parent_mib_per_1000`: memory that a sweep of 1,000 runs takes more at its last block than at its
  tenth;
- `lost` and `doubled`: of a study of `--blocks` blocks of three runs on a cluster of `--nodes`
  simulated nodes (see `tests/support/simulated_cluster.py`), with an MLflow server on PostgreSQL.
  A fiftieth of the jobs lose their node, and the first two commands are killed. `study_s` and
  `commands` are what it takes until all is there. 0 blocks: it is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cells import MODELS, configuration, last_line, say
from synthetic_runs import fill

from greenexp.runs import journalled
from greenexp.runs.journal import RECORD, Record
from greenexp.runs.result import Predictions, Result, Window
from greenexp.sweep.known import known_runs
from greenexp.tracking.delivery import Delivery

ROOT = Path(__file__).resolve().parents[1]
DATASETS = (
    "imagenet_1k,imagenette_full,imagenette_320,imagenette_160,mini_imagenet,tiny_imagenet,"
    "digits,cifar10"
)
PLAN = [
    *("-m", "model=all", "tactic=all", f"dataset={DATASETS}", "repetitions=10", "device=cpu"),
    "sweep.dry_run=true",
]
BLOCKS, MODELS_FILLED = 12, 42
LOOKUPS = 5
PREDICTED = 300
SWEEP = [
    *("-m", f"model={','.join(MODELS)}", "tactic=baseline,local_pruning,global_pruning"),
    *("repetitions=50", "sweep.baselines=2", "tracking.offline=true"),
]
SETTLED = 10  # blocks


def main() -> None:
    """Prints the figures as they come, and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = planning(Path(folder))
        say(f"planning: {figures}")
        figures["lookup_s"] = lookup(Path(folder))
        say(f"looking up: {figures['lookup_s']:.2f} s")
        figures["record_s"] = recording(Path(folder), given.runs)
        say(f"recording: {figures['record_s']:.2f} s")
        figures["parent_mib_per_1000"] = memory(Path(folder))
        say(f"memory: {figures['parent_mib_per_1000']:.0f} MiB")
        if given.blocks:
            figures |= cluster(Path(folder), given.nodes, given.blocks)
    last_line(figures)


def command(folder: Path, module: str, *words: str) -> str:
    """Runs a module in a folder of its own; returns what it prints on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def planning(folder: Path) -> dict[str, float]:
    """Returns the seconds of a dry run, and how many runs it plans."""
    began_s = time.monotonic()
    command(folder, "greenexp", *PLAN)
    took_s = time.monotonic() - began_s
    (plan,) = folder.glob("multirun/*/*/plan.json")
    return {"planning_s": took_s, "planned_runs": len(json.loads(plan.read_bytes())["runs"])}


def lookup(folder: Path) -> float:
    """Returns the seconds that a sweep takes to learn what is in a full store."""
    store, runs = fill(folder, BLOCKS, MODELS_FILLED, PREDICTED)
    took_s = []
    for _ in range(LOOKUPS):
        began_s = time.monotonic()
        known, _ = known_runs(store)
        took_s.append(time.monotonic() - began_s)
        if len(known) != runs:
            raise RuntimeError(f"{len(known)} of {runs} runs are found")
    return statistics.median(took_s)


def recording(folder: Path, runs: int) -> float:
    """Returns the seconds that MLflow takes for a record."""
    made = configuration(f"tracking.uri=sqlite:///{folder}/recorded/mlflow.db")
    windows = [Window(0.0, 1.0, 100, [0.01] * 100, []) for _ in range(100)]
    images = range(PREDICTED)
    judged = Predictions(
        [f"{image}.png" for image in images], [0] * PREDICTED, [[0, 1]] * PREDICTED
    )
    result = Result("ok", device="cpu", windows=windows, predictions=judged, duration_s=1.0)
    delivery, took_s = Delivery(), []
    for number in range(runs):
        record = Record(
            id=str(number),
            title="digits_vit · baseline",
            cell="0",
            sweep=None,
            choices={"model": "digits_vit", "tactic": "baseline", "dataset": "digits"},
            configuration=made,
            started="2026-01-01T00:00:00+00:00",
            ended="2026-01-01T00:01:00+00:00",
            result=result,
        )
        place = folder / "records" / str(number)
        began_s = time.monotonic()
        journalled.write(record, place)
        (receipt,) = delivery.send([place / RECORD])
        took_s.append(time.monotonic() - began_s)
        if receipt.run_id is None:
            raise RuntimeError(receipt.failure)
    return statistics.median(took_s)


def memory(folder: Path) -> float:
    """Returns the MiB that 1,000 runs of a sweep leave behind in its process."""
    told = command(folder, "tests.support.unmeasured", str(PREDICTED), *SWEEP)
    resident_mib = json.loads(told.splitlines()[-1])["resident_mib"]
    return float(resident_mib[-1] - resident_mib[SETTLED])


def cluster(folder: Path, nodes: int, blocks: int) -> dict[str, float]:
    """Returns what came of a study on a simulated cluster, and how long it took."""
    told = command(folder, "tests.support.simulated_study", str(nodes), str(blocks))
    outcome: dict[str, float] = json.loads(told.splitlines()[-1])
    return outcome


if __name__ == "__main__":
    main()
