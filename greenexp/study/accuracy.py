"""Top-1 of a tactic against the baseline's, image by image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from greenexp.quantities import TOP1
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.stats.proportions import combined, mcnemar, paired_proportion, proportions_above
from greenexp.study.estimates import Accuracy, Interval
from greenexp.study.pairs import Group
from greenexp.study.pareto import BoolMatrix
from greenexp.study.study import Cell, Setting

ROUNDING = 1e-9  # of a mean of equal top-1s; one image of a billion is more
Predictions = Callable[[str], ImageOutcomes | None]  # by the run's id


def counted(
    group: Group, tactic: str, judged: Mapping[str, ImageOutcomes | None]
) -> Accuracy | None:
    """Returns the change of top-1 of one model, not `tested` yet; None where it is unknown.

    The first block speaks for all: a module is right about the same images in each.
    """
    both = group.judged(tactic)
    if both is None:
        return None
    run, base = both
    if TOP1 not in run.figures or TOP1 not in base.figures:
        return None
    own, others = judged.get(run.id), judged.get(base.id)
    if own is None or others is None or own.images != others.images or not own.images:
        return Accuracy(run.figures[TOP1] - base.figures[TOP1], top1=run.figures[TOP1])
    lost = int((others.correct & ~own.correct).sum())
    gained = int((own.correct & ~others.correct).sum())
    images = len(own.images)
    delta = (gained - lost) / images
    return Accuracy(delta, top1=run.figures[TOP1], images=images, lost=lost, gained=gained)


def tested(counts: Accuracy) -> Accuracy:
    """Returns a change with its interval and its test, which it lacks without predictions."""
    if counts.lost is None or counts.gained is None or not counts.images:
        return counts
    change = paired_proportion(counts.lost, counts.gained, counts.images)
    return replace(
        counts,
        interval=Interval(change.low, change.high),
        p_value=mcnemar(counts.lost, counts.gained),
    )


@dataclass(frozen=True)
class Changes:
    """The changes of top-1 of one model's tactics.

    Attributes:
        setting: what else is the same.
        of_tactics: by tactic, where known.
        compared: the tactics that stand among others over models.
    """

    setting: Setting
    of_tactics: Mapping[str, Accuracy]
    compared: Collection[str]


@dataclass(frozen=True)
class JudgedChanges:
    """What the tests say of changes of top-1.

    Attributes:
        of_models: of each model, by tactic.
        overall: by setting and tactic, over models.
    """

    of_models: Sequence[Mapping[str, Accuracy]]
    overall: Mapping[tuple[Setting, str], Accuracy | None]


def judge(changes: Sequence[Changes]) -> JudgedChanges:
    """Returns what the tests say of each model's changes and of the changes over models."""
    of_models = [
        {tactic: tested(counts) for tactic, counts in model.of_tactics.items()} for model in changes
    ]
    models: dict[tuple[Setting, str], list[Accuracy]] = defaultdict(list)
    for model, known in zip(changes, of_models, strict=True):
        for tactic in model.compared:
            if tactic in known:
                models[model.setting, tactic].append(known[tactic])
    return JudgedChanges(
        of_models, {key: over_models(accuracies) for key, accuracies in models.items()}
    )


def over_models(accuracies: Sequence[Accuracy]) -> Accuracy | None:
    """Returns the mean change of top-1 over models, by `combined`; None without any.

    Where a model lacks its predictions, or there is one model, there is no interval.
    """
    if not accuracies:
        return None
    changes = [
        paired_proportion(accuracy.lost, accuracy.gained, accuracy.images)
        for accuracy in accuracies
        if accuracy.lost is not None and accuracy.gained is not None and accuracy.images
    ]
    mixed = combined(
        [change.difference for change in changes], [change.variance for change in changes]
    )
    if mixed is None or len(changes) < len(accuracies):
        return Accuracy(
            float(np.mean([accuracy.delta for accuracy in accuracies])), models=len(accuracies)
        )
    return Accuracy(
        delta=mixed.mean,
        interval=Interval(max(mixed.low, -1.0), min(mixed.high, 1.0)),  # no top-1 changes by more
        lost=sum(accuracy.lost or 0 for accuracy in accuracies),
        gained=sum(accuracy.gained or 0 for accuracy in accuracies),
        p_value=mixed.p_value,
        models=len(changes),
    )


def relations(
    cells: Sequence[Cell], judged: Mapping[str, ImageOutcomes | None]
) -> tuple[BoolMatrix, BoolMatrix]:
    """Returns whether each cell is shown right more often than each other, or equally often.

    Cells judged on the same images are compared image by image; others are left open unless their
    top-1 is the same.

    Args:
        cells: that have a top-1.
        judged: by run id.
    """
    better = np.zeros((len(cells), len(cells)), dtype=bool)
    by_images: dict[tuple[str, ...], list[tuple[int, NDArray[np.bool_]]]] = defaultdict(list)
    for index, cell in enumerate(cells):
        outcomes = next(filter(None, map(judged.get, cell.run_ids)), None)
        if outcomes is not None and outcomes.images:
            by_images[outcomes.images].append((index, outcomes.correct))
    for images, members in by_images.items():
        at = np.array([index for index, _ in members])
        right = np.stack([correct for _, correct in members]).astype(np.float64)
        only_row = right @ (1.0 - right).T  # (row, column): images that only the row had right
        better[np.ix_(at, at)] = proportions_above(only_row.T, only_row, len(images))
    top1 = np.array([cell.quantities[TOP1].value for cell in cells])
    return better, np.abs(top1[:, None] - top1[None, :]) < ROUNDING
