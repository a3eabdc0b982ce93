"""Does a run notice that something else burned the CPU?

    python benchmarks/neighbour.py [--quiet 60] [--disturbed 30]

Runs cells of the embedded models with `workload=quick` as it is shipped, in fresh processes and in
seeded random order; beside some of them one other process burns one CPU. The last line is a JSON
object: `flagged_disturbed` and `flagged_quiet`, the fractions of runs whose `greenexp.validity`
names a disturbance.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from cells import MODELS, configuration, disturbed_by, last_line, say

from greenexp.measuring import isolation
from greenexp.measuring.isolated import isolated
from greenexp.runs import metrics
from greenexp.settings.hardware import Hardware


def main() -> None:
    """Prints a line a run and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quiet", type=int, default=60)
    parser.add_argument("--disturbed", type=int, default=30)
    given = parser.parse_args()
    order = [False] * given.quiet + [True] * given.disturbed
    random.Random(0).shuffle(order)
    isolation.prepare()
    isolated(configuration())  # waits for the fork server's imports
    flagged: dict[bool, list[bool]] = {False: [], True: []}
    shares: dict[bool, list[float]] = {False: [], True: []}
    for number, disturbed in enumerate(order):
        cell = configuration(f"model={MODELS[number % len(MODELS)]}")
        if disturbed:
            with burning():
                result = isolated(cell)
        else:
            result = isolated(cell)
        causes = disturbed_by(result, cell)
        figures = metrics.evaluate(result, Hardware(any_device=True))
        share = figures["interference/other_processes_pct"]
        flagged[disturbed].append(bool(causes))
        shares[disturbed].append(share)
        say(
            f"{'disturbed' if disturbed else 'quiet'}: others {share:.1f} % of a CPU, "
            f"{figures['interference/involuntary_switches_per_s']:.0f} switches/s, steal "
            f"{figures.get('interference/steal_pct', 0.0):.2f} %, p50 "
            f"{figures['latency/p50_ms']:.3f} ms: {', '.join(causes) or 'valid'}"
        )
    last_line(
        {
            "flagged_disturbed": statistics.mean(flagged[True]),
            "flagged_quiet": statistics.mean(flagged[False]),
            "runs_disturbed": given.disturbed,
            "runs_quiet": given.quiet,
            "others_pct_disturbed_min": min(shares[True]),
            "others_pct_quiet_max": max(shares[False]),
        }
    )


@contextmanager
def burning() -> Iterator[None]:
    """Burns one CPU inside the context."""
    process = multiprocessing.get_context("fork").Process(target=burn, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def burn() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
