"""How often does greenexp see a difference where there is none?

    python benchmarks/aa.py [--families 50] [--tactics 4] [--blocks 8]

A/A, built like a study of one model: in every block its baseline and several "tactics" that are the
baseline in disguise, each run in a fresh process, in the block's seeded random order. Each of them
is compared with the baseline: the paired permutation test on the logarithms of energy per image
over the blocks, and Holm's procedure over the tactics at 5 %. With 8 blocks a family of 4 can show
a difference (p is at least 2 / 2**8, and 0.05 / 4 is asked); with fewer it could not, and the
benchmark would prove nothing, so it refuses. A disturbed run is left out with its pairs and
counted. The last line is a JSON object: `comparisons`, and `false_wins`, the fraction of families
with any difference.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

from cells import configuration, disturbed_by, last_line, say

from greenexp.measuring import isolation
from greenexp.measuring.isolated import isolated
from greenexp.runs import metrics
from greenexp.settings.hardware import Hardware
from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import PairedRatio, paired_ratio
from greenexp.stats.power import family_wise
from greenexp.sweep.plan import Cell, blocks

FIGURE = "energy/per_image_j"
MODELS = ("digits_convnext", "digits_resnet", "digits_vit")  # the quicker ones, in turn
SHORT = (  # as many runs as this needs would take hours otherwise
    "workload.batch_size=8",
    "workload.pool_images=16",
    "workload.idle_seconds=0.05",
    "workload.warmup_min_seconds=0.05",
    "workload.steady_batches=3",
    "workload.min_seconds=0.05",
    "workload.min_windows=3",
    "workload.max_windows=3",
)
BASELINE = "baseline"


def main() -> None:
    """Prints a line a family and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, default=50)
    parser.add_argument("--tactics", type=int, default=4, help="comparisons in a family")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--raw", type=Path, help="file for every run's figure, as JSON lines")
    given = parser.parse_args()
    if 2 / 2**given.blocks > (1 - CONFIDENCE) / given.tactics:
        parser.error("no difference could be shown; give more --blocks or fewer --tactics")
    isolation.prepare()
    false_wins, left_out = 0, 0
    ratios: list[PairedRatio] = []
    for family in range(given.families):
        began_s = time.monotonic()
        model = MODELS[family % len(MODELS)]
        by_block, dropped = measure(model, family, given.tactics, given.blocks, given.raw)
        left_out += dropped
        found = compare(by_block, given.tactics)
        ratios += found
        won = any(family_wise([ratio.p_value for ratio in found])) if found else False
        false_wins += won
        say(
            f"family {family + 1}, {model}: ratios "
            f"{', '.join(f'{ratio.ratio:.3f} (p {ratio.p_value:.3f})' for ratio in found)}"
            f"{', A DIFFERENCE' if won else ''}, {time.monotonic() - began_s:.0f} s"
        )
    low, middle, high = statistics.quantiles([ratio.ratio for ratio in ratios], n=4)
    last_line(
        {
            "comparisons": len(ratios),
            "false_wins": false_wins / given.families,
            "families": given.families,
            "disturbed_runs_left_out": left_out,
            "single_p_below_5_pct": statistics.mean(
                ratio.p_value <= 1 - CONFIDENCE for ratio in ratios
            ),
            "ratio_median": middle,
            "ratio_quartile_low": low,
            "ratio_quartile_high": high,
        }
    )


def measure(
    model: str, family: int, tactics: int, repetitions: int, raw: Path | None
) -> tuple[dict[int, dict[str, float]], int]:
    """Returns the energy per image by block and disguise, and how many runs were disturbed."""
    cell = configuration(f"model={model}", *SHORT)
    names = [BASELINE, *(f"disguise {number}" for number in range(1, tactics + 1))]
    cells = [Cell((), name, name, peers=model, is_baseline=False) for name in names]
    by_block: dict[int, dict[str, float]] = defaultdict(dict)
    dropped = 0
    for run in itertools.chain.from_iterable(blocks(cells, repetitions, seed=family)):
        result = isolated(cell)
        causes = disturbed_by(result, cell)
        figure = metrics.evaluate(result, Hardware(any_device=True))[FIGURE]
        if raw is not None:
            with raw.open("a", encoding="utf-8") as file:
                line = [family, model, run.block, run.cell.id, figure, causes]
                file.write(json.dumps(line) + "\n")
        if causes:
            dropped += 1
        else:
            by_block[run.block][run.cell.id] = figure
    return by_block, dropped


def compare(by_block: dict[int, dict[str, float]], tactics: int) -> list[PairedRatio]:
    """Returns each disguise's ratio to the baseline over the blocks that have both."""
    found = []
    for number in range(1, tactics + 1):
        name = f"disguise {number}"
        both = [
            (figures[name], figures[BASELINE])
            for figures in by_block.values()
            if name in figures and BASELINE in figures
        ]
        if len(both) > 1:
            ratio = paired_ratio(*zip(*both, strict=True))
            if ratio is not None:
                found.append(ratio)
    return found


if __name__ == "__main__":
    main()
