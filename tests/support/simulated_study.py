"""A study on a cluster of simulated nodes, given again until it is whole, and what came of it.

    python -m tests.support.simulated_study NODES BLOCKS

gives one, of blocks of three runs in 50 settings, to an MLflow server on PostgreSQL. A fiftieth of
the jobs lose their node, and the first two commands are killed. The last line is a JSON object: the
fields of `Outcome`, and `study_s`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow import MlflowClient

from tests.support.command import ROOT
from tests.support.loopback_tracker import mlflow_server
from tests.support.postgresql import postgresql

PAGE = 1000
# A node that was lost while it sent a run is not waited for as long as a real one.
SEND = """
import sys
from greenexp.cli.store import main
from greenexp.tracking import claim
claim.ABANDONED_S = 5.0
sys.exit(main())
"""
KILLED = 0.02  # of the jobs
INTERRUPTED_AFTER_S = (60.0, 60.0)
SWEEP = [
    *("-m", "tactic=baseline,local_pruning"),
    *("sweep.baselines=2", "report.after_sweep=false"),
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
]
MANY_SETTINGS = ["model=all", f"workload.batch_size={','.join(map(str, range(1, 11)))}"]
SETTINGS = 50  # of those: five models, ten sizes of a batch
COMMANDS = 12  # at most, until all is there
WORKERS = 4  # of the server, as MLflow starts it unless told otherwise


@dataclass(frozen=True)
class Outcome:
    """What came of a study.

    Attributes:
        planned: runs of it.
        lost: that the tracker does not have as finished.
        doubled: that it has more than once.
        commands: that were given until all was there.
    """

    planned: int
    lost: int
    doubled: int
    commands: int


def study(
    folder: Path,
    words: Sequence[str],
    uri: str,
    *,
    nodes: int,
    killed: float,
    interrupted_after_s: Sequence[float] = (),
    seed: int = 0,
) -> Outcome:
    """Gives a sweep to a cluster until every run has ended well.

    Args:
        folder: in which the command is given.
        words: of the sweep.
        uri: of the tracker.
        nodes: of the cluster.
        killed: share of the jobs that lose their node.
        interrupted_after_s: the first commands are killed so long after their first block began.
        seed: of what happens.
    """
    dice = random.Random(seed)
    code, commands = 1, 0
    while code != 0 and commands < COMMANDS:
        command = _start(folder, words, uri, nodes, killed, dice.randrange(10**6))
        if commands < len(interrupted_after_s):
            _kill(command, folder, interrupted_after_s[commands])
        code = command.wait()
        commands += 1
    sent = subprocess.run(
        [sys.executable, "-c", SEND, "multirun", f"tracking.uri={uri}"],
        cwd=folder,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if sent.returncode:
        raise RuntimeError("records are not in the tracker")
    planned = _planned(folder)
    finished = Counter(key for key in _finished(uri) if key in planned)
    return Outcome(
        planned=len(planned),
        lost=len(planned - finished.keys()),
        doubled=sum(count - 1 for count in finished.values()),
        commands=commands,
    )


def _start(
    folder: Path, words: Sequence[str], uri: str, nodes: int, killed: float, seed: int
) -> subprocess.Popen[bytes]:
    cluster = ["tests.support.simulated_cluster", str(nodes), str(killed), str(seed)]
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *cluster, *words, f"tracking.uri={uri}"],
            cwd=folder,
            env=_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def _kill(command: subprocess.Popen[bytes], folder: Path, after_s: float) -> None:
    """Kills a command some time after the first block of its sweep has begun."""
    before = set(folder.glob("multirun/*/*/blocks/*.begun.json"))
    while command.poll() is None:
        if set(folder.glob("multirun/*/*/blocks/*.begun.json")) - before:
            time.sleep(after_s)
            command.kill()
            return
        time.sleep(0.1)


def _planned(folder: Path) -> set[tuple[str, str, str]]:
    """Returns the runs of the first plan: cell, block, replicate."""
    first = min(folder.glob("multirun/*/*/plan.json"))
    runs = json.loads(first.read_bytes())["runs"]
    return {(run["cell"], str(run["block"]), str(run["replicate"])) for run in runs}


def _finished(uri: str) -> list[tuple[str, str, str]]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("greenexp")
    if experiment is None:
        return []
    keys, token = [], None
    while token != "":
        page = client.search_runs(
            [experiment.experiment_id],
            "attributes.status = 'FINISHED'",
            max_results=PAGE,
            page_token=token,
        )
        keys += [
            tuple(
                run.data.tags.get(f"greenexp.{name}", "") for name in ("cell", "block", "replicate")
            )
            for run in page
        ]
        token = page.token or ""
    return keys


def main() -> None:
    """Runs a study of as many blocks, a multiple of `SETTINGS`, on as many nodes, as asked for."""
    nodes, blocks = map(int, sys.argv[1:3])
    with (
        tempfile.TemporaryDirectory() as work,
        tempfile.TemporaryDirectory() as served,
        postgresql() as database,
        mlflow_server(Path(served), database, workers=WORKERS) as port,
    ):
        began_s = time.monotonic()
        outcome = study(
            Path(work),
            [*SWEEP, *MANY_SETTINGS, f"repetitions={blocks // SETTINGS}"],
            f"http://127.0.0.1:{port}",
            nodes=nodes,
            killed=KILLED,
            interrupted_after_s=INTERRUPTED_AFTER_S,
        )
        took_s = time.monotonic() - began_s
    sys.stdout.write(f"{json.dumps({**asdict(outcome), 'study_s': took_s})}\n")


if __name__ == "__main__":
    main()
