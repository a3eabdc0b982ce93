"""How often are planted savings found, how often one that is not there, and do intervals hold?

    python benchmarks/power.py [--studies 500] [--trials 10000]

Made-up studies, judged as `greenexp.report` judges real ones: the energy of each run is the
model's, times what a tactic does to this model, times what the runs of a block share, times noise.
What the tactic does on average is planted, so each claim is known to be right or wrong. Beside it:
how often intervals of n units hold the mean, by Student's t and by the bootstrap, widened or not,
for units that follow a normal law and laws ever more skewed. No seconds and no joules are measured.
The last line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from unittest import mock

import numpy as np

from benchmarks.claim_tally import tallies, tally_over_models
from benchmarks.planted_studies import SAVINGS, SKEWS, Plan, standardized
from greenexp.stats import paired as comparison
from greenexp.stats.intervals import CONFIDENCE

UNITS = (10, 15, 20, 25, 30, 42)
# From how many units on the bootstrap is used, and at which level.
INTERVALS = {
    "Student": (10**6, comparison._widened),
    "BCa": (2, comparison._widened),
    "BCa, not widened": (2, lambda units: CONFIDENCE),
}
CHUNK = 250  # samples worked on at a time, for memory


def coverage(units: int, law: str, interval: str, trials: int, *, seed: int = 0) -> float:
    """Returns how often the interval of the mean of some units holds it.

    Args:
        units: in each sample.
        law: of the units, see SKEWS.
        interval: see INTERVALS.
        trials: samples drawn.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, units])
    rows = standardized(rng, law, (trials, units))
    means, spreads = rows.mean(axis=1), rows.std(axis=1, ddof=1)
    first, level = INTERVALS[interval]
    held = 0
    with mock.patch.multiple(comparison, BOOTSTRAP_FROM=first, _widened=level):
        for start in range(0, trials, CHUNK):
            part = slice(start, start + CHUNK)
            lows, highs = comparison._intervals(rows[part], means[part], spreads[part])
            held += int(((lows <= 0.0) & (highs >= 0.0)).sum())
    return held / trials


def main() -> None:
    """Prints a line a study and a law, and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--trials", type=int, default=10_000, help="samples for each coverage")
    given = parser.parse_args()
    nothing = (0.0,) * len(SAVINGS)
    plans = {
        "42 models x 10 blocks, nothing planted": Plan(savings=nothing, between=0.0),
        "42 models x 10 blocks": Plan(),
        "5 models x 8 blocks, nothing planted": Plan(5, 8, savings=nothing, between=0.0),
        "5 models x 8 blocks": Plan(5, 8),
    }
    by_case: dict[str, object] = {}

    def say(name: str, figures: Mapping[str, float]) -> None:
        by_case[name] = {key: round(value, 4) for key, value in figures.items()}
        sys.stdout.write(f"{name}: {by_case[name]}\n")
        sys.stdout.flush()

    for name, plan in plans.items():
        overall, models = tallies(plan, given.studies)
        say(f"{name}, over models", overall.shares())
        say(f"{name}, of each model", models.shares())
    for law in SKEWS:
        tally = tally_over_models(Plan(savings=nothing, law=law), given.studies)
        say(f"42 models that differ about no saving, {law}, over models", tally.shares())
    for law in SKEWS:
        for interval in INTERVALS:
            row = {str(units): coverage(units, law, interval, given.trials) for units in UNITS}
            say(f"coverage, {law}, {interval}", row)
    sys.stdout.write(f"{json.dumps(by_case)}\n")


if __name__ == "__main__":
    main()
