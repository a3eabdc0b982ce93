"""What is claimed of planted studies, counted: how much of it is wrong, how much is found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.planted_studies import Effects, Plan, by_report, made_up, over_models
from greenexp.stats.paired import LEVEL
from greenexp.study.verdicts import Verdict


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
            effect = effects[tactic]
            assert effect.interval is not None
            assert effect.adjusted_p is not None
            lower = effect.ratio < 1
            mistaken = log >= 0 if lower else log <= 0
            claimed = effect.verdict in (Verdict.LOWER, Verdict.HIGHER)
            wrong |= mistaken and claimed
            unlikely |= mistaken and effect.adjusted_p <= LEVEL
            self.intervals += 1
            self.held += effect.interval.low <= math.exp(log) <= effect.interval.high
            self.claimed[saving] = self.claimed.get(saving, 0) + (effect.verdict == Verdict.LOWER)
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
        for of_model, true in zip(of_models, study.true.tolist(), strict=True):
            models.add(of_model, dict(zip(plan.tactics, true, strict=True)), plan.savings)
    return overall, models


def tally_over_models(plan: Plan, studies: int, *, seed: int = 0) -> Tally:
    """Returns what studies claim over models; quicker than `tallies`."""
    rng = np.random.default_rng(seed)
    overall = Tally()
    for _ in range(studies):
        overall.add(over_models(plan, made_up(plan, rng)), plan.tactics, plan.savings)
    return overall
