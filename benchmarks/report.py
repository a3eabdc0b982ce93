"""How long does the report over 10,000 runs take, and how much memory?

    python benchmarks/report.py [--blocks 12] [--models 42] [--images 1000] [--loading]

Fills a temporary SQLite store with synthetic runs (see `synthetic_runs`): 42 models x 19 tactics x
12 blocks, and the second baseline of each block. Then runs `python -m greenexp.report` over it.
`--loading` runs only the reading of the runs into a table. The last line is a JSON object:
`seconds` of wall time, `seconds_again` of the same command when nothing has changed, and
`peak_mib`, the most memory that the process and its children held.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from cells import last_line, say
from synthetic_runs import fill

BYTES_PER_MIB = 2**20
LOOK_EVERY_S = 0.25  # rarely, for looking takes time of the machine that is measured
LOADING = "import sys; from greenexp.report import load; print(load(uri=sys.argv[1]).shape)"


def main() -> None:
    """Prints what is filled in, the report's own output, and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--models", type=int, default=42)
    parser.add_argument("--images", type=int, default=1000, help="in each file of predictions")
    parser.add_argument("--loading", action="store_true", help="read the runs, make no report")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        store, runs = fill(Path(folder), given.blocks, given.models, given.images)
        size_mib = (Path(folder) / "mlflow.db").stat().st_size / BYTES_PER_MIB
        say(f"{runs} runs filled in, {size_mib:.0f} MiB, {time.monotonic() - began_s:.0f} s")
        command = (
            ["-c", LOADING, store.uri]
            if given.loading
            else ["-m", "greenexp.report", f"tracking.uri={store.uri}"]
        )
        os.sync()  # the disk has what was filled in, and writes no more
        seconds, peak_mib = watched([sys.executable, *command], Path(folder))
        seconds_again, _ = watched([sys.executable, *command], Path(folder))
    figures = {"seconds": seconds, "seconds_again": seconds_again, "peak_mib": peak_mib}
    last_line({**figures, "runs": runs})


def watched(command: list[str], folder: Path) -> tuple[float, float]:
    """Runs a command in a folder; returns its seconds and the MiB that it and its children held.

    Raises:
        RuntimeError: where it fails.
    """
    began_s = time.monotonic()
    with subprocess.Popen(command, cwd=folder) as process:
        peak = 0
        watching = psutil.Process(process.pid)
        while True:
            peak = max(peak, held(watching))
            try:
                process.wait(LOOK_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                continue
    seconds = time.monotonic() - began_s
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, peak / BYTES_PER_MIB


def held(process: psutil.Process) -> int:
    """Returns the bytes that a process and its children hold now; 0 once it has ended."""
    try:
        family = [process, *process.children(recursive=True)]
        return sum(int(process.memory_info().rss) for process in family)
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
