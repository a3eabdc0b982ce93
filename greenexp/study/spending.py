"""What an image takes under a tactic and under the baseline beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from greenexp.quantities import ENERGY
from greenexp.runs.rounds import SECONDS
from greenexp.study.economics import Expense, Pair
from greenexp.study.pairs import RunPair, in_rounds
from greenexp.study.select import PricedRun


def spent(both: Sequence[RunPair]) -> list[Pair]:
    """Returns the pairs that have speed, with what applying the tactic took."""
    return [
        Pair(_beside(run.image, run, base.image, base), base.image, run.applying)
        for run, base in both
        if run.image is not None and base.image is not None and run.applying is not None
    ]


def by_seconds(pair: Pair) -> Pair:
    """Returns a pair without joules, where those of tactic and baseline can't be compared."""
    return Pair(
        *(Expense(expense.seconds) for expense in (pair.image, pair.baseline, pair.applying))
    )


def _beside(image: Expense, run: PricedRun, of_base: Expense, base: PricedRun) -> Expense:
    """Returns what an image takes of a run, held against the baseline's in the same rounds."""
    seconds, joules = (in_rounds([run], [base], metric) for metric in (SECONDS, ENERGY))
    if seconds is None:
        return image
    taken_s = of_base.seconds * math.exp(seconds.value)
    if joules is None or of_base.joules is None:
        return Expense(taken_s, image.joules)
    return Expense(taken_s, of_base.joules * math.exp(joules.value))
