"""How often does greenexp see a difference where there is none?

    python benchmarks/aa.py [--families 40] [--blocks 4]

A/A: each family compares every embedded model's baseline with itself. Each comparison is made as a
sweep makes it: in every block both runs, each in a fresh process, in the block's seeded random
order; then the paired t test on the logarithms of energy per image over the blocks, and Holm's
procedure over the family at 5 %. A pair with a disturbed run is left out and counted. The last line
is a JSON object: `comparisons`, and `false_wins`, the fraction of families with any difference.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

from cells import MODELS, configuration, disturbed_by, last_line, say

from greenexp import isolation, metrics
from greenexp.config import Hardware
from greenexp.runner import isolated
from greenexp.stats import family_wise, paired_ratio
from greenexp.sweep.plan import Cell, Planned, blocks

FIGURE = "energy/per_image_j"
SHORT = (  # as many runs as this needs would take hours otherwise
    "workload.batch_size=32",
    "workload.idle_seconds=0.1",
    "workload.warmup_min_seconds=0.05",
    "workload.min_seconds=0.1",
    "workload.min_windows=3",
    "workload.max_windows=3",
)
Pair = dict[int, float]
"""Replicate to energy per image."""


def main() -> None:
    """Prints a line a family and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, default=40)
    parser.add_argument("--blocks", type=int, default=4)
    given = parser.parse_args()
    configurations = {model: configuration(f"model={model}", *SHORT) for model in MODELS}
    hardware = Hardware(any_device=True)
    isolation.prepare()
    false_wins, comparisons, left_out, ratios = 0, 0, 0, []
    for family in range(given.families):
        began_s = time.monotonic()
        measured: dict[str, dict[int, Pair]] = {model: defaultdict(dict) for model in MODELS}
        for run in plan(given.blocks, seed=family):
            model = run.cell.id
            result = isolated(configurations[model])
            if disturbed_by(result, configurations[model]):
                left_out += 1
                continue
            figures = metrics.evaluate(result, hardware)
            measured[model][run.block][run.replicate] = figures[FIGURE]
        compared = []
        for by_block in measured.values():
            pairs = [pair for pair in by_block.values() if len(pair) == 2]
            compared.append(paired_ratio([pair[2] for pair in pairs], [pair[1] for pair in pairs]))
        found = [ratio for ratio in compared if ratio is not None]
        comparisons += len(found)
        ratios += [ratio.ratio for ratio in found]
        won = any(family_wise([ratio.p_value for ratio in found]))
        false_wins += won
        say(
            f"family {family + 1}: {len(found)} comparisons, ratios "
            f"{', '.join(f'{ratio.ratio:.3f}' for ratio in found)}"
            f"{', A DIFFERENCE' if won else ''}, {time.monotonic() - began_s:.0f} s"
        )
    low, middle, high = statistics.quantiles(ratios, n=4)
    last_line(
        {
            "comparisons": comparisons,
            "false_wins": false_wins / given.families,
            "families": given.families,
            "disturbed_runs_left_out": left_out,
            "ratio_median": middle,
            "ratio_quartile_low": low,
            "ratio_quartile_high": high,
        }
    )


def plan(repetitions: int, seed: int) -> list[Planned]:
    """Returns the runs of a family: each model's baseline twice in each block, in random order.

    A cell beside each baseline makes the plan hold the A/A pair; it is not run.
    """
    cells = []
    for model in MODELS:
        cells.append(Cell((), model, model, peers=model, is_baseline=True))
        cells.append(Cell((), model, "", peers=model, is_baseline=False))
    return [run for run in blocks(cells, repetitions, seed) if run.cell.is_baseline]


if __name__ == "__main__":
    main()
