"""How often does greenexp see a difference where there is none?

    python benchmarks/aa.py [--studies 10] [--tactics 4] [--rows FILE] [override …]

A/A, built like a sweep over the models: a block of each has its baseline twice and several
"tactics" that are the baseline in disguise, measured together in rounds, each in a fresh process.
Five blocks, one of each model, are a study. They are judged as the report judges a sweep: Holm's
procedure over the tactics of a model at 5 %. `--rows` keeps each study in a file, and a later call
with that file goes on from there. The last line is a JSON object: `comparisons`; `false_wins`, the
fraction of families (the tactics of a model in its block) with any difference; and the same of
single comparisons.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from cells import last_line, say
from trials import CLAIMS, Design, studies

from greenexp.measuring import isolation


def main() -> None:
    """Prints a line a family and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--tactics", type=int, default=4, help="comparisons in a family")
    parser.add_argument("--rows", type=Path, help="a file that keeps the studies")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    isolation.prepare()
    design = Design([0.0] * given.tactics, given.overrides)
    measured = studies(given.studies, design, given.rows, apart=False)
    families = [family for study in measured for family in study.effects]
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
            "dates": sorted({study.date for study in measured}),
            "machines": sorted({f"{study.cpu}, {study.cpu_threads} CPUs" for study in measured}),
        }
    )


if __name__ == "__main__":
    main()
