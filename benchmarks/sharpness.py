"""How small a difference does one block find?

    python benchmarks/sharpness.py [--trials 100] [--apart 100] [override …]

A trial is a block: the baseline twice, and disguises of it that do 0, 2 and 5 % more work, known by
construction (images of a batch of 100 that are computed twice). The models take turns. Each trial
is judged as the report judges a model: by its own rounds, and by the spread between processes that
the A/A pairs of all trials tell. `--apart` trials are measured one run after the other as well, for
contrast. The last line is a JSON object:

- `found_2_pct`, `found_5_pct`: fraction of trials that say "takes more" of that disguise;
- `false_claims`: fraction that say "takes less" or "takes more" of the one that does 0 % more;
- `median_half_width`: of the 95 % intervals of the ratios;
- `seconds_per_tactic`: in rounds, without loading and warm-up;
- `aa_sd`, `aa_worst`: of the logarithm of the ratio of the two baselines; `apart_aa_sd`,
  `apart_aa_worst`: the same of runs measured one after the other, in as much time.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cells import MODELS, configuration, last_line, say
from disguise import Disguise

from greenexp.measuring import isolation
from greenexp.measuring.block import Stage
from greenexp.quantities import ENERGY
from greenexp.runs.run import Run
from greenexp.study.estimates import Effect
from greenexp.study.families import Effects, family, judge
from greenexp.study.labels import of_runs
from greenexp.study.pairs import contrast, groups
from greenexp.study.select import PricedRun, priced
from greenexp.study.verdicts import Verdict
from greenexp.sweep.record import Measurement, Request, measure, measure_block

MORE = (0.0, 0.02, 0.05)
BATCH = ("workload.batch_size=100", "workload.pool_images=300")
CLAIMS = (Verdict.LOWER, Verdict.HIGHER)
MARGIN = 0.03


def main() -> None:
    """Prints a line a trial and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--apart", type=int, default=100)
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    isolation.prepare()
    together: list[list[Run]] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for trial in range(given.trials):
            requests = requests_of(MODELS[trial % len(MODELS)], given.overrides)
            clock = Clock()
            measured = measure_block(requests, Path(folder) / str(trial), clock.tell)
            together.append([own(one, trial) for one in measured])
            seconds.append(clock.rounds_s / len(MORE))
            say(f"trial {trial + 1}: {clock.rounds_s:.0f} s of rounds")
        apart = [aa_apart(trial, given.overrides, Path(folder)) for trial in range(given.apart)]
    last_line(figures(together, seconds) | spread("apart_aa", apart))


class Clock:
    """Adds up the seconds that a block spends in rounds."""

    def __init__(self) -> None:
        self.rounds_s = 0.0
        self._began_s: float | None = None

    def tell(self, stage: Stage) -> None:
        """Takes note of what the block does next."""
        now_s = time.monotonic()
        if self._began_s is not None:
            self.rounds_s += now_s - self._began_s
        self._began_s = now_s if stage.name == "measure" else None


def requests_of(model: str, overrides: Sequence[str]) -> list[Request]:
    """Returns the runs of a trial: two baselines and the disguises."""
    plain = configuration(f"model={model}", *BATCH, *overrides)
    target = f"{Disguise.__module__}.{Disguise.__name__}"
    disguised = [
        {
            **plain,
            "tactic": {"_target_": target, "more": more},
            "plugins": {"allow": [Disguise.__module__]},
        }
        for more in MORE
    ]
    names = ["baseline", *(f"more {more:g}" for more in MORE), "baseline"]
    choices = {"dataset": "digits", "hardware": "local", "workload": "quick", "model": model}
    found = []
    for number, (name, one) in enumerate(zip(names, [plain, *disguised, plain], strict=True)):
        place = {**one["sweep"], "block": 1, "replicate": 2 if number == len(names) - 1 else 1}
        chosen = {**choices, "tactic": name}
        found.append(Request({**one, "sweep": place}, chosen, f"{model} · {name}", "sharpness"))
    return found


def own(measured: Measurement, trial: int) -> Run:
    """Returns the run as one of its own trial, so that no two trials are averaged.

    Raises:
        RuntimeError: where it did not end well.
    """
    run = measured.run
    if run.outcome != "ok":
        raise RuntimeError(f"{run.title}: {run.outcome}: {run.reason}")
    return replace(run, peers=f"trial {trial}", doubts=[])


def aa_apart(trial: int, overrides: Sequence[str], folder: Path) -> float:
    """Returns the logarithm of the ratio of two baselines, one run after the other."""
    request = requests_of(MODELS[trial % len(MODELS)], overrides)[0]
    first, second = (
        measure(request, folder / uuid.uuid4().hex)[0].metrics[ENERGY] for _ in range(2)
    )
    return math.log(second / first)


def figures(trials: Sequence[Sequence[Run]], seconds: Sequence[float]) -> dict[str, float]:
    """Returns what the JSON object says of trials that were measured together."""
    runs = [run for trial in trials for run in trial]
    used, _ = priced(runs, of_runs(runs))
    families = [family(group, [ENERGY]) for group in groups(used)]
    effects = judge(families, [ENERGY], MARGIN).families
    found = {more: [one[f"more {more:g}"][ENERGY] for one in effects] for more in MORE}
    widths = [
        (effect.interval.high - effect.interval.low) / 2 / effect.ratio
        for each in found.values()
        for effect in each
        if effect.interval is not None
    ]
    for more, each in found.items():
        ratios = [effect.ratio for effect in each]
        say(f"{more:.0%} more: median ratio {statistics.median(ratios):.4f}")
    say(f"{len(effects)} trials: {_verdicts(effects)}")
    return {
        "found_2_pct": _share(found[0.02], [Verdict.HIGHER]),
        "found_5_pct": _share(found[0.05], [Verdict.HIGHER]),
        "false_claims": _share(found[0.0], CLAIMS),
        "median_half_width": statistics.median(widths),
        "seconds_per_tactic": statistics.mean(seconds),
        "trials": len(trials),
        **spread("aa", _aa(used)),
    }


def _aa(used: Sequence[PricedRun]) -> list[float]:
    found = []
    for group in groups(used):
        for run, base in group.aa_pairs():
            one = contrast(run, [base], ENERGY)
            if one is not None:
                found.append(one.value)
    return found


def _share(effects: Sequence[Effect], verdicts: Sequence[Verdict]) -> float:
    return statistics.mean(effect.verdict in verdicts for effect in effects)


def _verdicts(effects: Sequence[Effects]) -> str:
    each = [one[ENERGY].verdict for of_trial in effects for one in of_trial.values()]
    return ", ".join(f"{each.count(verdict)} {verdict}" for verdict in dict.fromkeys(each))


def spread(name: str, logs: Sequence[float]) -> dict[str, float]:
    """Returns standard deviation and farthest of logarithms; nothing for fewer than two."""
    if len(logs) < 2:
        return {}
    return {f"{name}_sd": statistics.stdev(logs), f"{name}_worst": max(map(abs, logs))}


if __name__ == "__main__":
    main()
