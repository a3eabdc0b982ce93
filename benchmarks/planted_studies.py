"""Made-up studies whose truth is planted, and the effects that the report finds in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greenexp.quantities import ENERGY
from greenexp.runs.identity import BASELINE
from greenexp.settings.hardware import Hardware
from greenexp.settings.report import Report
from greenexp.stats.paired import locations
from greenexp.study.claims import claims
from greenexp.study.economics import Prices
from greenexp.study.effects import compare
from greenexp.study.estimates import Effect
from greenexp.study.select import PricedRun
from greenexp.study.study import Setting

SAVINGS = (0.0, 0.0, 0.02, 0.05, 0.2)
SKEWS = {"normal": 0.0, "skewed": 0.3, "more skewed": 0.5, "very skewed": 1.0}
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
    compared = compare(_runs(plan, study), lambda run_id: None, Report())
    models: dict[str, dict[str, Effect]] = {}
    for cell in compared.cells:
        if not cell.is_baseline:
            models.setdefault(cell.model, {})[cell.tactic] = cell.effects[ENERGY]
    return {line.tactic: line.effects[ENERGY] for line in compared.overall}, list(models.values())


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
