"""What may be claimed of tactics that were measured together with their baselines.

Two levels: within a block the rounds tell a ratio sharply; what a process has by itself (memory
layout, say) only another process tells. That spread is pooled over the A/A pairs and the repeated
blocks of all models of a setting, so that one block of a few models can make claims, with the
degrees of freedom that it has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
            one = contrast(base, bases, metric)
            if one is not None:
                rows.append((number, BASELINE, one.value))
        for tactic in group.tactics:
            one = group.contrasts(tactic, metric).get(place)
            if one is not None:
                rows.append((number, tactic, one.value))
    return rows


def effects(
    found: Mapping[str, Sequence[Contrast]], between: Spread | None, margin: float
) -> dict[str, Effect]:
    """Returns the effect of each tactic of a family, with what may be claimed of it.

    A tactic takes less (or more) where Holm's procedure over the family shows it at 5 %. It is
    equal within the margin where two one-sided tests at 5 % show that.

    Args:
        found: by tactic, in each block.
        between: the spread between processes; None: nothing is claimed.
        margin: as a fraction of the baseline's.
    """
    means = {tactic: math.fsum(c.value for c in each) / len(each) for tactic, each in found.items()}
    if between is None:
        return {tactic: Effect(math.exp(means[tactic]), len(found[tactic])) for tactic in found}
    from scipy import stats

    law = stats.t(between.freedom)
    errors = {tactic: _error(each, between) for tactic, each in found.items()}
    p_values = {tactic: float(2 * law.sf(abs(means[tactic]) / errors[tactic])) for tactic in found}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    reach = float(law.ppf((1 + CONFIDENCE) / 2))
    one_sided = float(law.ppf(CONFIDENCE))
    needed = float(law.ppf(1 - LEVEL / (2 * len(found)))) + float(law.ppf(POWER))
    return {
        tactic: Effect(
            ratio=math.exp(mean),
            units=len(found[tactic]),
            interval=Interval(
                math.exp(mean - reach * errors[tactic]), math.exp(mean + reach * errors[tactic])
            ),
            p_value=p_values[tactic],
            adjusted_p=adjusted[tactic],
            test=TWO_LEVELS,
            detectable=-math.expm1(-needed * errors[tactic]),
            margin=margin,
            verdict=_verdict(
                mean, adjusted[tactic], abs(mean) + one_sided * errors[tactic], margin
            ),
        )
        for tactic, mean in means.items()
    }


def blocks_needed(effect: Effect) -> int | None:
    """Returns how many blocks in all decide what an effect is; None where that can't be told.

    Its interval narrows with the root of the blocks. It is decided where the interval no longer
    holds 1, or lies within the margin.
    """
    if effect.interval is None or effect.margin is None or effect.interval.low <= 0:
        return None
    half = math.log(effect.interval.high / effect.interval.low) / 2
    mean = abs(math.log(effect.ratio))
    enough = max(mean, math.log1p(effect.margin) - mean)
    return math.ceil(effect.units * max(1.0, (half / enough) ** 2))


def _error(each: Sequence[Contrast], between: Spread) -> float:
    """Returns the standard error of the mean over blocks: never less than the rounds alone give."""
    within = math.sqrt(sum((one.error or 0.0) ** 2 for one in each)) / len(each)
    return max(contrast_error(between, [one.baselines for one in each]), within)


def _verdict(mean: float, adjusted: float, reach: float, margin: float) -> Verdict:
    if adjusted <= LEVEL:
        return Verdict.LOWER if mean < 0 else Verdict.HIGHER
    return Verdict.EQUAL if reach < math.log1p(margin) else Verdict.NOT_SHOWN
