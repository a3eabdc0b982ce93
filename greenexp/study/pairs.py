"""Runs side by side: those of one model in one setting, tactics beside the baseline by block."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from greenexp.quantities import COST, ENERGY, TOP1, compared
from greenexp.study.select import PricedRun
from greenexp.study.study import Setting

VERSUS = {quantity.name: f"{quantity.slug}_ratio" for quantity in compared()}

RunPair = tuple[PricedRun, PricedRun]  # of a tactic, and of the baseline


@dataclass(frozen=True)
class Group:
    """The runs of one model in one setting.

    Attributes:
        setting: what else is the same.
        model: label.
        tactics: the runs of each tactic by block.
        baseline: by block.
        second: the second baseline (A/A) by block.
    """

    setting: Setting
    model: str
    tactics: Mapping[str, Mapping[int, PricedRun]]
    baseline: Mapping[int, PricedRun]
    second: Mapping[int, PricedRun]

    def pairs(self, tactic: str) -> list[RunPair]:
        """Returns a tactic's runs with the baseline of their block."""
        return self._beside_baseline(self.tactics[tactic])

    def aa_pairs(self) -> list[RunPair]:
        """Returns the second baselines with the first of their block."""
        return self._beside_baseline(self.second)

    def every_pair(self) -> list[RunPair]:
        """Returns the pairs of all tactics, and those of A/A."""
        return [pair for tactic in self.tactics for pair in self.pairs(tactic)] + self.aa_pairs()

    def _beside_baseline(self, own: Mapping[int, PricedRun]) -> list[RunPair]:
        return [(own[b], self.baseline[b]) for b in sorted(own) if b in self.baseline]

    def first_runs(self) -> list[PricedRun]:
        """Returns one run of the baseline and of each tactic."""
        every = [self.baseline, *self.tactics.values()]
        return [blocks[min(blocks)] for blocks in every if blocks]


def groups(used: Iterable[PricedRun]) -> list[Group]:
    """Returns the runs by what they are compared with, in the order they come in."""
    members: dict[tuple[str, str], list[PricedRun]] = defaultdict(list)
    for run in used:
        members[run.peers, run.machine].append(run)
    return [_group(of_one) for of_one in members.values()]


def _group(members: Sequence[PricedRun]) -> Group:
    tactics: dict[str, dict[int, PricedRun]] = defaultdict(dict)
    baseline: dict[int, PricedRun] = {}
    second: dict[int, PricedRun] = {}
    for run in members:
        if not run.is_baseline:
            tactics[run.tactic][run.block] = run
        elif run.is_second:
            second[run.block] = run
        else:
            baseline[run.block] = run
    first = members[0]
    return Group(first.setting, first.model, dict(sorted(tactics.items())), baseline, second)


def comparable(pairs: Iterable[RunPair], metric: str) -> list[RunPair]:
    """Returns the pairs that both have the figure, above 0 and made of the same parts.

    Joules of a counter are not held against those of an estimate, nor dollars of the machine
    against dollars of machine and electricity.
    """
    return [
        (run, base)
        for run, base in pairs
        if run.figures.get(metric, 0) > 0
        and base.figures.get(metric, 0) > 0
        and _made_of(run, metric) == _made_of(base, metric)
    ]


def _made_of(run: PricedRun, metric: str) -> tuple[str | None, str | None]:
    """Returns which parts dollars hold, and where joules are from if the figure holds them."""
    holds = run.prices.holds(run.image) if metric == COST and run.image is not None else None
    metered = metric == ENERGY or (holds is not None and "electricity" in holds)
    return holds, run.energy_source if metered else None


def logs(pairs: Iterable[RunPair], metric: str) -> list[float]:
    """Returns the logarithms of the ratios of the pairs that can be compared."""
    return [
        math.log(run.figures[metric] / base.figures[metric])
        for run, base in comparable(pairs, metric)
    ]


def versus_baseline(used: Iterable[PricedRun]) -> dict[str, dict[str, float]]:
    """Returns by run id how each run compares with the baseline of its block.

    Ratios of energy, latency and cost, and the difference of top-1, by their metrics' names.
    """
    found: dict[str, dict[str, float]] = {}
    for group in groups(used):
        for run, base in group.every_pair():
            values = {
                f"vs_baseline/{name}": math.exp(of_pair[0])
                for metric, name in VERSUS.items()
                if (of_pair := logs([(run, base)], metric))
            }
            if TOP1 in run.figures and TOP1 in base.figures:
                values["vs_baseline/top1_delta"] = run.figures[TOP1] - base.figures[TOP1]
            found[run.id] = values
    return found
