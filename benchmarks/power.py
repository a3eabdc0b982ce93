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
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from greenexp.quantities import ENERGY
from greenexp.runs.identity import BASELINE
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.stats import paired as comparison
from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.paired import LEVEL, locations
from greenexp.study.claims import claims
from greenexp.study.economics import Prices
from greenexp.study.effects import compare
from greenexp.study.estimates import Effect
from greenexp.study.select import PricedRun
from greenexp.study.study import Setting
from greenexp.study.verdicts import Verdict

SAVINGS = (0.0, 0.0, 0.02, 0.05, 0.2)
UNITS = (10, 15, 20, 25, 30, 42)
SKEWS = {"normal": 0.0, "skewed": 0.3, "more skewed": 0.5, "very skewed": 1.0}
# From how many units on the bootstrap is used, and at which level.
INTERVALS = {
    "Student": (10**6, comparison._widened),
    "BCa": (2, comparison._widened),
    "BCa, not widened": (2, lambda units: CONFIDENCE),
}
CHUNK = 250  # samples worked on at a time, for memory
SETTING = Setting("made up", "made up", "made up", "made up")

FloatArray = NDArray[np.float64]
Effects = Mapping[str, Effect]  # by tactic


@dataclass(frozen=True)
class Plan:
    """A study to be made up.

    Attributes:
        models: how many.
        blocks: of each.
        savings: the fraction of energy that each tactic saves on average over models.
        between: standard deviation over models of the logarithm of what a tactic does.
        law: of that logarithm, see SKEWS.
        noise: standard deviation of the logarithm of a run's energy.
        drift: the same of what the runs of a block share.
        hiccups: share of runs that take a fifth more.
    """

    models: int = 42
    blocks: int = 10
    savings: Sequence[float] = SAVINGS
    between: float = 0.03
    law: str = "normal"
    noise: float = 0.01
    drift: float = 0.05
    hiccups: float = 0.0

    @property
    def tactics(self) -> dict[str, float]:
        """The planted mean logarithm of each tactic's ratio, by its name."""
        return {
            f"{place}, saves {saving:.0%}": float(np.log1p(-saving))
            for place, saving in enumerate(self.savings)
        }


@dataclass(frozen=True)
class Study:
    """A study made up.

    Attributes:
        energies: (models, blocks, 2 + tactics) J; baseline, second baseline, then the tactics.
        true: (models, tactics): the logarithms of the ratios, without noise.
    """

    energies: FloatArray
    true: FloatArray


def standardized(rng: np.random.Generator, law: str, size: tuple[int, ...]) -> FloatArray:
    """Returns draws of mean 0 and variance 1: normal, or the exponentials of a normal law."""
    normal = rng.standard_normal(size)
    sigma = SKEWS[law]
    if sigma == 0.0:
        return normal
    mean = np.exp(sigma**2 / 2)
    drawn: FloatArray = (np.exp(sigma * normal) - mean) / (mean * np.sqrt(np.expm1(sigma**2)))
    return drawn


def made_up(plan: Plan, rng: np.random.Generator) -> Study:
    """Returns a study in which the plan's savings are planted."""
    shape = (plan.models, plan.blocks, 2 + len(plan.savings))
    planted = np.array(list(plan.tactics.values()))
    varied = standardized(rng, plan.law, (plan.models, len(planted)))
    true = planted + plan.between * varied
    logs = rng.normal(0.0, plan.noise, shape) + np.log(1.2) * (rng.random(shape) < plan.hiccups)
    logs += rng.normal(0.0, 1.0, (plan.models, 1, 1))  # a model's own size
    logs += rng.normal(0.0, plan.drift, (1, plan.blocks, 1))
    logs[:, :, 2:] += true[:, None, :]
    return Study(np.exp(logs), true)


def by_report(plan: Plan, study: Study) -> tuple[Effects, list[Effects]]:
    """Returns the effects over models, and of each model, as the report finds them in its runs."""
    found = compare(_runs(plan, study), lambda run_id: None, Report())
    models: dict[str, dict[str, Effect]] = {}
    for cell in found.cells:
        if not cell.is_baseline:
            models.setdefault(cell.model, {})[cell.tactic] = cell.effects[ENERGY]
    return {line.tactic: line.effects[ENERGY] for line in found.overall}, list(models.values())


def over_models(plan: Plan, study: Study) -> Effects:
    """Returns the same effects over models as `by_report`, and leaves out the models'."""
    logs = np.log(study.energies)
    means = (logs[:, :, 1:] - logs[:, :, :1]).mean(axis=1).T  # (A/A and tactics, models)
    noise, *of_tactics = locations(means.tolist())
    return claims(dict(zip(plan.tactics, of_tactics, strict=True)), noise)


def _runs(plan: Plan, study: Study) -> list[PricedRun]:
    names = [BASELINE, BASELINE, *plan.tactics]
    free = Prices(Hardware())
    return [
        PricedRun(
            id=f"{model}/{block}/{place}",
            setting=SETTING,
            model=f"model {model:02}",
            tactic=names[place],
            peers=f"model {model:02}",
            machine="simulated",
            block=block,
            replicate=2 if place == 1 else 1,
            figures={ENERGY: float(joules)},
            image=None,
            applying=None,
            prices=free,
            energy_source=None,
            mismatch=False,
        )
        for (model, block, place), joules in np.ndenumerate(study.energies)
    ]


@dataclass
class Tally:
    """What was claimed of families of tactics whose truth is known.

    Attributes:
        families: how many.
        wrong: families with a claim that is not so: a saving where none is, or the contrary.
        unlikely: families in which Holm's procedure alone says so.
        intervals: how many.
        held: those that hold the truth.
        claimed: by the planted saving, how often each tactic was.
        tried: likewise, how often it could have been.
    """

    families: int = 0
    wrong: int = 0
    unlikely: int = 0
    intervals: int = 0
    held: int = 0
    claimed: dict[float, int] = field(default_factory=dict)
    tried: dict[float, int] = field(default_factory=dict)

    def add(self, effects: Effects, true: Mapping[str, float], savings: Sequence[float]) -> None:
        """Adds a family.

        Args:
            effects: as found.
            true: the logarithms of the ratios, of the same tactics.
            savings: what was planted in them, in the order of `true`.
        """
        self.families += 1
        wrong = unlikely = False
        for (tactic, log), saving in zip(true.items(), savings, strict=True):
            one = effects[tactic]
            assert one.interval is not None
            assert one.adjusted_p is not None
            lower = one.ratio < 1
            mistaken = log >= 0 if lower else log <= 0
            claimed = one.verdict in (Verdict.LOWER, Verdict.HIGHER)
            wrong |= mistaken and claimed
            unlikely |= mistaken and one.adjusted_p <= LEVEL
            self.intervals += 1
            self.held += one.interval.low <= math.exp(log) <= one.interval.high
            self.claimed[saving] = self.claimed.get(saving, 0) + (one.verdict == Verdict.LOWER)
            self.tried[saving] = self.tried.get(saving, 0) + 1
        self.wrong += wrong
        self.unlikely += unlikely

    @property
    def false_claims(self) -> float:
        """The share of families with a claim that is not so."""
        return self.wrong / self.families

    @property
    def coverage(self) -> float:
        """The share of intervals that hold the truth."""
        return self.held / self.intervals

    @property
    def power(self) -> dict[float, float]:
        """By planted saving, how often the tactic is said to take less."""
        return {saving: self.claimed[saving] / self.tried[saving] for saving in self.tried}

    def shares(self) -> dict[str, float]:
        """Returns all of it, for a table."""
        return {
            "families": self.families,
            "false_claims": self.false_claims,
            "false_by_p_alone": self.unlikely / self.families,
            "coverage": self.coverage,
            **{f"power_{saving:g}": share for saving, share in self.power.items() if saving},
        }


def tallies(plan: Plan, studies: int, *, seed: int = 0) -> tuple[Tally, Tally]:
    """Returns what studies claim over models, and of each model."""
    rng = np.random.default_rng(seed)
    overall, models = Tally(), Tally()
    for _ in range(studies):
        study = made_up(plan, rng)
        together, of_models = by_report(plan, study)
        overall.add(together, plan.tactics, plan.savings)
        for one, true in zip(of_models, study.true.tolist(), strict=True):
            models.add(one, dict(zip(plan.tactics, true, strict=True)), plan.savings)
    return overall, models


def tally_over_models(plan: Plan, studies: int, *, seed: int = 0) -> Tally:
    """Returns what studies claim over models; quicker than `tallies`."""
    rng = np.random.default_rng(seed)
    overall = Tally()
    for _ in range(studies):
        overall.add(over_models(plan, made_up(plan, rng)), plan.tactics, plan.savings)
    return overall


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
    found: dict[str, object] = {}

    def say(name: str, figures: Mapping[str, float]) -> None:
        found[name] = {key: round(value, 4) for key, value in figures.items()}
        sys.stdout.write(f"{name}: {found[name]}\n")
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
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
