"""What may be claimed of tactics that were measured together with their baselines.

Two levels: within a block the rounds tell a ratio sharply; what a process has by itself (memory
layout, say) only another process tells. That spread is pooled over the A/A pairs and the repeated
blocks of all models of a setting, so that one block of a few models can make claims, with the
degrees of freedom that it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from greenexp.runs.identity import BASELINE
from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.power import POWER, holm
from greenexp.stats.two_levels import Spread, contrast_error
from greenexp.study.estimates import Effect, Interval
from greenexp.study.pairs import Contrast, Group, contrast
from greenexp.study.verdicts import Verdict

LEVEL = 1 - CONFIDENCE
TWO_LEVELS = "t with pooled spread between processes"
Layout = list[tuple[int, str, float]]


def layout(group: Group, metric: str) -> Layout:
    """Returns the runs of a group as (block, arm, logarithm relative to the block's baselines)."""
    rows: Layout = []
    for number, place in enumerate(group.places):
        bases = group.baselines(place)
        for base in bases:
            log_ratio = contrast([base], bases, metric)
            if log_ratio is not None:
                rows.append((number, BASELINE, log_ratio.value))
        for tactic, by_place in group.tactics.items():
            for run in by_place.get(place, ()):
                log_ratio = contrast([run], bases, metric)
                if log_ratio is not None:
                    rows.append((number, tactic, log_ratio.value))
    return rows


def effects(
    contrasts: Mapping[str, Sequence[Contrast]], between: Spread | None, margin: float
) -> dict[str, Effect]:
    """Returns the effect of each tactic of a family, with what may be claimed of it.

    A tactic takes less (or more) where Holm's procedure over the family shows it at 5 %. It is
    equal within the margin where two one-sided tests at 5 % show that.

    Args:
        contrasts: by tactic, in each block.
        between: the spread between processes; None: nothing is claimed.
        margin: as a fraction of the baseline's.
    """
    means = {
        tactic: math.fsum(c.value for c in each) / len(each) for tactic, each in contrasts.items()
    }
    if between is None:
        return {
            tactic: Effect(math.exp(means[tactic]), len(contrasts[tactic]), margin=margin)
            for tactic in contrasts
        }
    from scipy import stats

    errors = {tactic: _Error.of(each, between) for tactic, each in contrasts.items()}
    laws = stats.t(between.freedom), stats.norm()
    p_values = {
        tactic: max(
            float(2 * law.sf(abs(means[tactic]) / part)) if part > 0 else float(means[tactic] == 0)
            for law, part in zip(laws, errors[tactic], strict=True)
        )
        for tactic in contrasts
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    level = 1 - LEVEL / (2 * len(contrasts))  # Holm's first step
    reaches = {
        share: tuple(float(law.ppf(share)) for law in laws)
        for share in ((1 + CONFIDENCE) / 2, CONFIDENCE, level, POWER)
    }

    def reach(tactic: str, *shares: float) -> float:
        """Returns how far the errors of a tactic reach, by the laws' quantiles added up."""
        quantiles = [sum(each) for each in zip(*(reaches[share] for share in shares), strict=True)]
        return float(max(q * part for q, part in zip(quantiles, errors[tactic], strict=True)))

    def effect(tactic: str) -> Effect:
        mean, half = means[tactic], reach(tactic, (1 + CONFIDENCE) / 2)
        return Effect(
            ratio=math.exp(mean),
            units=len(contrasts[tactic]),
            interval=Interval(math.exp(mean - half), math.exp(mean + half)),
            p_value=p_values[tactic],
            adjusted_p=adjusted[tactic],
            test=TWO_LEVELS,
            detectable=-math.expm1(-reach(tactic, level, POWER)),
            margin=margin,
            verdict=_verdict(mean, adjusted[tactic], abs(mean) + reach(tactic, CONFIDENCE), margin),
        )

    return {tactic: effect(tactic) for tactic in contrasts}


def blocks_needed(effect: Effect, margin: float | None = None) -> int | None:
    """Returns how many blocks in all decide what an effect is; None where that can't be told.

    Its interval narrows with the root of the blocks. It is decided where the interval no longer
    holds 1, or lies within the margin.

    Args:
        effect: of one model.
        margin: as a fraction of the baseline's; None: the effect's own.
    """
    margin = effect.margin if margin is None else margin
    if effect.interval is None or margin is None or effect.interval.low <= 0:
        return None
    half = math.log(effect.interval.high / effect.interval.low) / 2
    mean = abs(math.log(effect.ratio))
    enough = max(mean, math.log1p(margin) - mean)
    return math.ceil(effect.units * max(1.0, (half / enough) ** 2))


class _Error(NamedTuple):
    """The standard errors of a mean over blocks; the interval is the wider of the two that follow.

    Attributes:
        between: of processes, which the rounds are part of; Student's law.
        within: of the rounds alone, of which there are many; the normal law.
    """

    between: float
    within: float

    @classmethod
    def of(cls, each: Sequence[Contrast], between: Spread) -> _Error:
        """Returns the errors of contrasts, a block each."""
        within = math.sqrt(sum((log_ratio.error or 0.0) ** 2 for log_ratio in each)) / len(each)
        sizes = [(log_ratio.processes, log_ratio.baselines) for log_ratio in each]
        return cls(contrast_error(between, sizes), within)


def _verdict(mean: float, adjusted: float, reach: float, margin: float) -> Verdict:
    if adjusted <= LEVEL:
        return Verdict.LOWER if mean < 0 else Verdict.HIGHER
    return Verdict.EQUAL if reach < math.log1p(margin) else Verdict.NOT_SHOWN
