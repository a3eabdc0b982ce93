"""How small a difference does one block find?

    python benchmarks/sharpness.py [--studies 20] [--rows FILE] [override …]

A trial is a block: the baseline, and disguises of it that do 0, 2 and 5 % more work, known by
construction (images of a batch of 100 that are computed twice); each in three processes, as
`sweep.processes=3` has it. Five trials, a block of each model, are a study. It is judged as the
report judges a sweep over the models: each block by its own rounds, and by the spread between
processes that this study and those before it on the machine tell. With each trial a pair of
baselines is measured one run after the other as well, for contrast. A study of 60 rounds takes
about 10 minutes; `--rows` keeps each in a file, and a later call with that file goes on from
there. The last line is a JSON object:

- `found_2_pct`, `found_5_pct`: fraction of trials that say "takes more" of that disguise;
- `false_claims`: fraction that say "takes less" or "takes more" of the one that does 0 % more;
- `median_half_width`: of the 95 % intervals of the ratios;
- `seconds_per_tactic`: of a block's rounds for each of its three disguises, so with the
  baselines' share and without loading and warm-up;
- `parent_cpu_pct`: of a core, that the process which leads a block uses in the rounds;
- `aa_sd`, `aa_worst`: of the logarithm of the ratio of the two baselines; `apart_aa_sd`,
  `apart_aa_worst`: the same of runs measured one after the other, in as much time;
- `dates`, `machines`: on which and where they were measured.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from cells import last_line, say
from trials import CLAIMS, Design, Study, studies

from greenexp.measuring import isolation
from greenexp.study.estimates import Effect
from greenexp.study.verdicts import Verdict

SHARES = (0.0, 0.02, 0.05)
PROCESSES = 3  # of the baseline and of each disguise in a block


def main() -> None:
    """Prints a line a study and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--rows", type=Path, help="a file that keeps the studies")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    isolation.prepare()
    design = Design(list(SHARES), given.overrides, PROCESSES, PROCESSES)
    measured = studies(given.studies, design, given.rows, apart=True)
    last_line(figures(measured))


def figures(measured: Sequence[Study]) -> dict[str, object]:
    """Returns what the JSON object says of studies."""
    trials = [effects for study in measured for effects in study.effects]
    by_share = {share: [each[place] for each in trials] for place, share in enumerate(SHARES)}
    widths = [
        (effect.interval.high - effect.interval.low) / 2 / effect.ratio
        for each in by_share.values()
        for effect in each
        if effect.interval is not None
    ]
    for share, each in by_share.items():
        ratios = [effect.ratio for effect in each]
        say(f"{share:.0%} more: median ratio {statistics.median(ratios):.4f}, {verdicts(each)}")
    rounds_s = sum(study.rounds_s for study in measured)
    return {
        "found_2_pct": fraction(by_share[0.02], [Verdict.HIGHER]),
        "found_5_pct": fraction(by_share[0.05], [Verdict.HIGHER]),
        "false_claims": fraction(by_share[0.0], CLAIMS),
        "median_half_width": statistics.median(widths) if widths else math.nan,
        "seconds_per_tactic": rounds_s / (len(trials) * len(SHARES)),
        "parent_cpu_pct": 100 * sum(study.parent_cpu_s for study in measured) / rounds_s,
        "trials": len(trials),
        **spread("aa", [log for study in measured for log in study.aa_logs]),
        **spread("apart_aa", [log for study in measured for log in study.apart_logs]),
        "dates": sorted({study.date for study in measured}),
        "machines": sorted({f"{study.cpu}, {study.cpu_threads} CPUs" for study in measured}),
    }


def fraction(effects: Sequence[Effect], verdicts: Sequence[Verdict]) -> float:
    """Returns how many of the effects have one of the verdicts."""
    return statistics.mean(effect.verdict in verdicts for effect in effects)


def verdicts(effects: Sequence[Effect]) -> str:
    """Returns how often each verdict is among the effects."""
    each = [effect.verdict for effect in effects]
    return ", ".join(f"{each.count(verdict)} {verdict}" for verdict in dict.fromkeys(each))


def spread(prefix: str, logs: Sequence[float]) -> dict[str, float]:
    """Returns standard deviation and farthest of logarithms; nothing for fewer than two."""
    if len(logs) < 2:
        return {}
    return {f"{prefix}_sd": statistics.stdev(logs), f"{prefix}_worst": max(map(abs, logs))}


if __name__ == "__main__":
    main()
