"""What would decide between a tactic and the baseline: how many more blocks, and how long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from greenexp.stats.intervals import mean
from greenexp.stats.power import units_needed
from greenexp.study.blocks import blocks_needed
from greenexp.study.estimates import Effect
from greenexp.study.select import PricedRun
from greenexp.study.study import Setting
from greenexp.study.verdicts import Verdict


@dataclass(frozen=True)
class BlockPace:
    """The blocks of one model in one setting.

    Attributes:
        last: the highest number of a block.
        block_s: what one took, in s, without what its runs slept; None where that is not known.
    """

    last: int
    block_s: float | None


def paces(used: Iterable[PricedRun]) -> dict[tuple[Setting, str], BlockPace]:
    """Returns the pace of each model of each setting."""
    places: dict[tuple[Setting, str], dict[str, list[PricedRun]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in used:
        places[run.setting, run.model][run.place].append(run)
    return {key: _pace(list(of_model.values())) for key, of_model in places.items()}


def _pace(blocks: list[list[PricedRun]]) -> BlockPace:
    sums = [
        sum(known)
        for runs in blocks
        if (known := [run.seconds for run in runs if run.seconds is not None])
        and len(known) == len(runs)
    ]
    return BlockPace(
        max(run.block for runs in blocks for run in runs), mean(sums) if sums else None
    )


def is_settled(effect: Effect, margin: float) -> bool:
    """Tells whether a tactic is shown not to save more than the margin.

    Where two baselines differ by more than the margin, nothing within it is shown.
    """
    if effect.verdict in (Verdict.HIGHER, Verdict.EQUAL):
        return True
    if effect.verdict is not Verdict.NOT_SHOWN or effect.interval is None:
        return False
    within = effect.floor is None or effect.floor <= margin
    return within and effect.interval.low * (1 + margin) >= 1


def more_blocks(undecided: Mapping[str, Effect], tactics: int, margin: float) -> int | None:
    """Returns about how many more blocks decide on a model; None where that can't be told.

    One tactic that is shown to save decides; where none looks as if it did, all must be settled.

    Args:
        undecided: effects of allowed tactics.
        tactics: how many are compared together.
        margin: fraction by which nothing else is better where the baseline is kept.
    """
    missing = {tactic: _missing(effect, tactics, margin) for tactic, effect in undecided.items()}
    promising = [
        blocks
        for tactic, blocks in missing.items()
        if blocks is not None and undecided[tactic].ratio * (1 + margin) < 1
    ]
    if promising:
        return min(promising)
    known = [blocks for blocks in missing.values() if blocks is not None]
    return max(known) if known and len(known) == len(missing) else None


def _missing(effect: Effect, tactics: int, margin: float) -> int | None:
    if effect.verdict is Verdict.TOO_FEW:
        # Those that were measured together need but another process, which tells the spread.
        return 1 if effect.margin is not None else max(units_needed(tactics) - effect.units, 1)
    needed = blocks_needed(effect, margin)
    return None if needed is None else max(needed - effect.units, 1)
