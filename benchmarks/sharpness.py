"""How small a difference does one block find?

    python benchmarks/sharpness.py [--trials 100] [--apart 100] [override …]

A trial is a block: the baseline twice, and disguises of it that do 0, 2 and 5 % more work, known by
construction (images of a batch of 100 that are computed twice). The models take turns. Five trials,
a block of each model, are judged as the report judges a sweep over the models: each by its own
rounds, and by the spread between processes that the A/A pairs of the five tell. `--apart` pairs of
baselines are measured one run after the other as well, for contrast. The last line is a JSON
object:

- `found_2_pct`, `found_5_pct`: fraction of trials that say "takes more" of that disguise;
- `false_claims`: fraction that say "takes less" or "takes more" of the one that does 0 % more;
- `median_half_width`: of the 95 % intervals of the ratios;
- `seconds_per_tactic`: in rounds, without loading and warm-up;
- `parent_cpu_pct`: of a core, that the process which leads a block uses in the rounds;
- `aa_sd`, `aa_worst`: of the logarithm of the ratio of the two baselines; `apart_aa_sd`,
  `apart_aa_worst`: the same of runs measured one after the other, in as much time.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from cells import MODELS, last_line, say
from trials import CLAIMS, Trial, aa_logs, judged, name, requests_of, trial

from greenexp.measuring import isolation
from greenexp.quantities import ENERGY
from greenexp.study.estimates import Effect
from greenexp.study.verdicts import Verdict
from greenexp.sweep.record import measure

SHARES = (0.0, 0.02, 0.05)


def main() -> None:
    """Prints a line a trial and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--apart", type=int, default=100)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    isolation.prepare()
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.trials):
            trials.append(trial(number, SHARES, given.overrides, Path(folder)))
            aa = math.exp(aa_logs(trials[-1:])[0])
            say(f"trial {number + 1}: {trials[-1].rounds_s:.0f} s of rounds, A/A {aa:.4f}")
        apart = [aa_apart(number, given.overrides, Path(folder)) for number in range(given.apart)]
    last_line(figures(trials) | spread("apart_aa", apart))


def aa_apart(number: int, overrides: Sequence[str], folder: Path) -> float:
    """Returns the logarithm of the ratio of two baselines, one run after the other."""
    request = requests_of(MODELS[number % len(MODELS)], [], overrides)[0]
    first, second = (
        measure(request, folder / uuid.uuid4().hex)[0].metrics[ENERGY] for _ in range(2)
    )
    return math.log(second / first)


def figures(trials: Sequence[Trial]) -> dict[str, float]:
    """Returns what the JSON object says of trials that were measured together."""
    effects = judged(trials)
    found = {
        share: [one[name(place, share)][ENERGY] for one in effects]
        for place, share in enumerate(SHARES)
    }
    widths = [
        (effect.interval.high - effect.interval.low) / 2 / effect.ratio
        for each in found.values()
        for effect in each
        if effect.interval is not None
    ]
    for share, each in found.items():
        ratios = [effect.ratio for effect in each]
        say(f"{share:.0%} more: median ratio {statistics.median(ratios):.4f}, {verdicts(each)}")
    rounds_s = sum(one.rounds_s for one in trials)
    runs = sum(len(one.runs) for one in trials)
    return {
        "found_2_pct": fraction(found[0.02], [Verdict.HIGHER]),
        "found_5_pct": fraction(found[0.05], [Verdict.HIGHER]),
        "false_claims": fraction(found[0.0], CLAIMS),
        "median_half_width": statistics.median(widths) if widths else math.nan,
        "seconds_per_tactic": rounds_s / runs,
        "parent_cpu_pct": 100 * sum(one.parent_cpu_s for one in trials) / rounds_s,
        "trials": len(trials),
        **spread("aa", aa_logs(trials)),
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
