"""What does a fresh process for each run cost?

    python benchmarks/isolation.py [--runs 20]

Runs the same cell again and again as a sweep does: a child of the fork server, the journal, MLflow
(a new SQLite store), with the progress bar of a terminal. The last line is a JSON object:
`overhead_s` is the median of the wall time less what the run measures and loads (its timed phases
and windows); `outside_run_s` is the part of it outside the child's run; `parent_cpu_fraction` is
the parent's CPU time while the child lives, as a share of one core.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from io import StringIO
from pathlib import Path

from cells import configuration, last_line, say
from rich.console import Console

from greenexp.cli import console
from greenexp.measuring import isolation
from greenexp.runs import journal
from greenexp.runs.result import Result
from greenexp.settings.build import typed
from greenexp.settings.sweep import Tracking
from greenexp.sweep import record as runner
from greenexp.sweep.record import Naming
from greenexp.tracking import tracker as tracking

CHOICES = {
    "model": "digits_resnet",
    "tactic": "baseline",
    "dataset": "digits",
    "hardware": "local",
    "workload": "quick",
}


def main() -> None:
    """Prints a line a run and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the store is made there
        measure(given.runs, Path(folder))


def measure(runs: int, folder: Path) -> None:
    cell = configuration("model=digits_resnet")
    isolation.prepare()
    tracking.connect(typed(cell, "tracking", Tracking))
    console.out = Console(force_terminal=True, file=StringIO())
    overheads_s, outside_s, fractions = [], [], []
    child_s: list[tuple[float, float]] = []
    isolated = runner.isolated

    def watched(configuration: dict[str, object]) -> Result:
        cpu_s, began_s = cpu_time_s(), time.perf_counter()
        result = isolated(configuration)
        child_s.append((cpu_time_s() - cpu_s, time.perf_counter() - began_s))
        return result

    runner.isolated = watched
    with console.SweepProgress(runs).shown() as progress:
        for number in range(runs + 1):
            progress.start("digits_resnet · baseline")
            began_s = time.perf_counter()
            path = runner.conduct(cell, Naming("run", None, CHOICES), folder / str(number))
            wall_s = time.perf_counter() - began_s
            result = journal.read(path).result
            if number == 0:  # waits for the fork server's imports, once a sweep
                continue
            stretches = [*result.phases, *result.windows]
            overheads_s.append(wall_s - sum(stretch.duration_s for stretch in stretches))
            outside_s.append(wall_s - (result.duration_s or 0.0))
            used_s, lived_s = child_s[-1]
            fractions.append(used_s / lived_s)
            say(
                f"run {number}: {wall_s:.2f} s, overhead {overheads_s[-1]:.3f} s, of it outside "
                f"the run {outside_s[-1]:.3f} s, parent's CPU {fractions[-1]:.2%} of a core"
            )
    last_line(
        {
            "overhead_s": statistics.median(overheads_s),
            "overhead_s_max": max(overheads_s),
            "outside_run_s": statistics.median(outside_s),
            "parent_cpu_fraction": statistics.median(fractions),
            "parent_cpu_fraction_max": max(fractions),
        }
    )


def cpu_time_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
