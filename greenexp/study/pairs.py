"""Runs side by side: those of one model in one setting, tactics beside the baseline by block."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from greenexp.quantities import COST, ENERGY, TOP1, compared
from greenexp.runs.rounds import ROUND, SECONDS
from greenexp.stats import in_turn
from greenexp.stats.in_turn import Member, Share
from greenexp.stats.robust import Center
from greenexp.study.select import PricedRun
from greenexp.study.study import Setting

VERSUS = {quantity.name: f"{quantity.slug}_ratio" for quantity in compared()}

RunPair = tuple[PricedRun, PricedRun]  # of a tactic, and of the baseline


@dataclass(frozen=True)
class Contrast:
    """How the runs of a tactic in one place compare with baselines, on the logarithm.

    Attributes:
        value: of the ratio; below 0 the run took less.
        error: standard error within the runs, over rounds; None where they were measured apart.
        baselines: how many it is held against.
        processes: how many of the tactic are averaged.
    """

    value: float
    error: float | None
    baselines: int
    processes: int = 1


@dataclass(frozen=True)
class Group:
    """The runs of one model in one setting.

    A place is what runs are compared in: a block, or what was measured together.

    Attributes:
        setting: what else is the same.
        model: label.
        tactics: the runs of each tactic by place, a process each.
        baseline: by place; the first that counts where all were measured together.
        repeats: the further baselines (A/A) by place, in their order.
    """

    setting: Setting
    model: str
    tactics: Mapping[str, Mapping[str, Sequence[PricedRun]]]
    baseline: Mapping[str, PricedRun]
    repeats: Mapping[str, Sequence[PricedRun]]

    @property
    def together(self) -> bool:
        """Whether all its runs were measured together with what they are compared with."""
        several = [*self.repeats.values(), *self.every_process()]
        return all(run.together for run in [*self.baseline.values(), *itertools.chain(*several)])

    @property
    def places(self) -> list[str]:
        """Where a baseline is, in order of their blocks."""
        return list(self.baseline)

    def every_process(self) -> list[Sequence[PricedRun]]:
        """Returns the runs of each tactic in each place."""
        return [processes for by_place in self.tactics.values() for processes in by_place.values()]

    def baselines(self, place: str) -> list[PricedRun]:
        """Returns the baselines of a place: all where its runs were measured together."""
        first = self.baseline.get(place)
        if first is None:
            return []
        return [first, *(self.repeats.get(place, ()) if first.together else ())]

    def pairs(self, tactic: str) -> list[RunPair]:
        """Returns a tactic's first run of each place with the first baseline there."""
        own = self.tactics[tactic].items()
        return [(runs[0], self.baseline[place]) for place, runs in own if place in self.baseline]

    def aa_pairs(self) -> list[RunPair]:
        """Returns pairs of baselines of one place; no run is in two, so they are independent."""
        every = [[first, *self.repeats.get(place, ())] for place, first in self.baseline.items()]
        return [pair for runs in every for pair in zip(runs[1::2], runs[::2], strict=False)]

    def every_pair(self) -> list[RunPair]:
        """Returns every run of a tactic with the first baseline of its place, and those of A/A."""
        own = [
            (run, self.baseline[run.place])
            for run in itertools.chain(*self.every_process())
            if run.place in self.baseline
        ]
        return own + self.aa_pairs()

    def contrasts(self, tactic: str, metric: str) -> dict[str, Contrast]:
        """Returns how a tactic compares with the baselines of each place where it can."""
        contrasts = {
            place: contrast(runs, self.baselines(place), metric)
            for place, runs in self.tactics[tactic].items()
        }
        return {place: log_ratio for place, log_ratio in contrasts.items() if log_ratio is not None}

    def slow_share(self) -> float:
        """Returns the most of a comparison's rounds that do not count, as a fraction."""
        shares = [
            slow_share(runs, self.baselines(runs[0].place))
            for runs in self.every_process()
            if runs[0].place in self.baseline
        ]
        return max((share for share in shares if share is not None), default=0.0)

    def first_runs(self) -> list[PricedRun]:
        """Returns one run of the baseline and of each tactic, and those that `judged` names."""
        first = [next(iter(runs.values()))[0] for runs in self.tactics.values() if runs]
        first = [*itertools.islice(self.baseline.values(), 1), *first]
        judged = itertools.chain.from_iterable(self.judged(tactic) or () for tactic in self.tactics)
        return list({run.id: run for run in [*first, *judged]}.values())

    def judged(self, tactic: str) -> RunPair | None:
        """Returns the runs whose predictions are held together: the first, of one store.

        A module is right about the same images in each block of a store.
        """
        if not self.baseline:
            return None
        run, base = next(iter(self.tactics[tactic].values()))[0], next(iter(self.baseline.values()))
        return (run, base) if run.origin == base.origin else next(iter(self.pairs(tactic)), None)


def contrast(runs: Sequence[PricedRun], bases: Sequence[PricedRun], metric: str) -> Contrast | None:
    """Returns how the processes of a tactic compare with baselines; None where they can't be.

    Of runs that were measured together the trimmed mean, over the rounds that they share in the
    machine's fast state, of the mean logarithm of what the processes took in undisturbed batches
    less that of the baselines. Of others the logarithm of the ratio of the first of both.
    """
    own = [run for run in runs if comparable([(run, base) for base in bases], metric)]
    alike = [
        base for _, base in comparable([(run, base) for run in own[:1] for base in bases], metric)
    ]
    if not alike:
        return None
    middle = in_rounds(own, alike, metric)
    if middle is not None:
        return Contrast(middle.value, middle.error, len(alike), len(own))
    return Contrast(math.log(own[0].figures[metric] / alike[0].figures[metric]), None, 1)


def in_rounds(runs: Sequence[PricedRun], bases: Sequence[PricedRun], metric: str) -> Center | None:
    """Returns what `contrast` says of runs that were measured together; None of others."""
    return in_turn.log_ratio(*_by_round(runs, bases, metric))


def slow_share(runs: Sequence[PricedRun], bases: Sequence[PricedRun]) -> float | None:
    """Returns how many of the rounds that runs share with baselines do not count, as a fraction.

    None where they were not measured together.
    """
    counting = list(in_turn.shared_rounds(*_by_round(runs, bases, SECONDS)).values())
    return counting.count(False) / len(counting) if counting else None


def _by_round(
    runs: Sequence[PricedRun], bases: Sequence[PricedRun], metric: str
) -> tuple[list[Member], list[Member]]:
    """Returns what runs and baselines took in each round; nothing where they were apart."""
    if len({run.place for run in (*runs, *bases)}) != 1:
        return [], []
    return [_rounds(run, metric) for run in runs], [_rounds(base, metric) for base in bases]


def _rounds(run: PricedRun, metric: str) -> Member:
    if metric not in run.rounds or SECONDS not in run.rounds:
        return {}
    rounds = (run.rounds[name] for name in (ROUND, SECONDS, metric))
    return {
        int(number): Share(math.log(seconds), math.log(value))
        for number, seconds, value in zip(*rounds, strict=True)
        if value > 0
    }


def groups(used: Iterable[PricedRun]) -> list[Group]:
    """Returns the runs by what they are compared with, in the order they come in."""
    members: dict[tuple[str, ...], list[PricedRun]] = defaultdict(list)
    for run in used:
        members[run.peers, run.machine, run.conditions].append(run)
    return [_group(of_one) for of_one in members.values()]


def _group(members: Sequence[PricedRun]) -> Group:
    tactics: dict[str, dict[str, list[PricedRun]]] = defaultdict(lambda: defaultdict(list))
    baseline: dict[str, PricedRun] = {}
    repeats: dict[str, list[PricedRun]] = defaultdict(list)
    for run in sorted(members, key=lambda member: (member.block, member.replicate)):
        if not run.is_baseline:
            tactics[run.tactic][run.place].append(run)
        elif not run.is_repeat or (run.together and run.place not in baseline):
            baseline[run.place] = run
        else:
            repeats[run.place].append(run)
    first = members[0]
    by_place = {tactic: dict(of_tactic) for tactic, of_tactic in sorted(tactics.items())}
    return Group(first.setting, first.model, by_place, baseline, repeats)


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
    contrasts = [contrast([run], [base], metric) for run, base in pairs]
    return [log_ratio.value for log_ratio in contrasts if log_ratio is not None]


def versus_baseline(used: Iterable[PricedRun]) -> dict[str, dict[str, float]]:
    """Returns by run id how each run compares with the baseline of its place.

    Ratios of energy, latency and cost, and the difference of top-1, by their metrics' names.
    """
    comparisons: dict[str, dict[str, float]] = {}
    for group in groups(used):
        for run, base in group.every_pair():
            bases = [base] if run.is_baseline else group.baselines(run.place)
            contrasts = {name: contrast([run], bases, metric) for metric, name in VERSUS.items()}
            values = {
                f"vs_baseline/{name}": math.exp(log_ratio.value)
                for name, log_ratio in contrasts.items()
                if log_ratio is not None
            }
            if TOP1 in run.figures and TOP1 in base.figures:
                values["vs_baseline/top1_delta"] = run.figures[TOP1] - base.figures[TOP1]
            comparisons[run.id] = values
    return comparisons
