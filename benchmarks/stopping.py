"""How much time does stopping at a known precision save against a fixed number of windows?

    python benchmarks/stopping.py [--seconds 5] [--half-width 0.01]

For each embedded model one run of 30 fixed windows with `workload=steady`, but for the windows'
length. On the very same windows the stopping rule of `workload=steady` (10 windows at least) tells
when it would have stopped. The last line is a JSON object: `median_ratio` is the median over the
models of the seconds up to there by the seconds of all 30; a run that never gets as narrow as asked
counts as 1.
"""

from __future__ import annotations

import argparse
import statistics

from cells import MODELS, configuration, last_line, say

from greenexp.measuring import isolation
from greenexp.measuring.isolated import isolated
from greenexp.measuring.windows import half_width_of

FIXED_WINDOWS = 30


def main() -> None:
    """Prints a line a model and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of a window")
    parser.add_argument("--half-width", type=float, default=0.01)
    given = parser.parse_args()
    isolation.prepare()
    ratios = []
    for model in MODELS:
        cell = configuration(
            f"model={model}",
            "workload=steady",
            f"workload.min_seconds={given.seconds}",
            f"workload.min_windows={FIXED_WINDOWS}",
            f"workload.max_windows={FIXED_WINDOWS}",
            "workload.half_width=null",
        )
        at_least = configuration("workload=steady")["workload"]["min_windows"]
        result = isolated(cell)
        if result.outcome != "ok":
            raise RuntimeError(f"{result.outcome}: {result.reason}")
        windows = result.windows
        stop = next(
            (
                count
                for count in range(at_least, FIXED_WINDOWS + 1)
                if (half_width_of(windows[:count], result.components) or 1.0) <= given.half_width
            ),
            FIXED_WINDOWS,
        )
        needed_s = sum(window.duration_s for window in windows[:stop])
        fixed_s = sum(window.duration_s for window in windows)
        ratios.append(needed_s / fixed_s)
        say(
            f"{model}: {stop} windows, {needed_s:.0f} s of {fixed_s:.0f} s, half-width "
            f"{half_width_of(windows[:stop], result.components):.2%}, after all 30 "
            f"{half_width_of(windows, result.components):.2%}"
        )
    last_line({"median_ratio": statistics.median(ratios), "min": min(ratios), "max": max(ratios)})


if __name__ == "__main__":
    main()
