"""How often does greenexp see a difference where there is none?

    python benchmarks/aa.py [--families 50] [--tactics 4] [override …]

A/A, built like a sweep over the models: a block of each has its baseline twice and several
"tactics" that are the baseline in disguise, measured together in rounds, each in a fresh process.
They are judged as the report judges a sweep: Holm's procedure over the tactics of a model at 5 %.
The last line is a JSON object: `comparisons`; `false_wins`, the fraction of families (the tactics
of a model in its block) with any difference; and the same of single comparisons.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from cells import last_line, say
from trials import CLAIMS, Trial, judged, trial

from greenexp.measuring import isolation
from greenexp.quantities import ENERGY


def main() -> None:
    """Prints a line a family and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", type=int, default=50)
    parser.add_argument("--tactics", type=int, default=4, help="comparisons in a family")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    isolation.prepare()
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.families):
            began_s = time.monotonic()
            trials.append(trial(number, [0.0] * given.tactics, given.overrides, Path(folder)))
            say(f"family {number + 1}: {time.monotonic() - began_s:.0f} s")
    families = [[effects[ENERGY] for effects in one.values()] for one in judged(trials)]
    for number, family in enumerate(families, 1):
        each = ", ".join(f"×{effect.ratio:.4f} {effect.verdict}" for effect in family)
        say(f"family {number}: {each}")
    claims = [[effect.verdict in CLAIMS for effect in family] for family in families]
    singles = [claim for family in claims for claim in family]
    ratios = [effect.ratio for family in families for effect in family]
    low, middle, high = statistics.quantiles(ratios, n=4)
    last_line(
        {
            "comparisons": len(singles),
            "false_wins": statistics.mean(any(family) for family in claims),
            "families": len(families),
            "false_comparisons": statistics.mean(singles),
            "ratio_median": middle,
            "ratio_quartile_low": low,
            "ratio_quartile_high": high,
            "ratio_lowest": min(ratios),
            "ratio_highest": max(ratios),
        }
    )


if __name__ == "__main__":
    main()
