"""Estimates that a study is made of, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.study.verdicts import Verdict


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """How many times a baseline's quantity a tactic's is.

    Attributes:
        ratio: geometric mean of the ratios of pairs; below 1 the tactic takes less.
        units: what was averaged over: blocks of one model, or models.
        interval: of the ratio; None below two units.
        p_value: that the ratio is 1, unadjusted; None below two units.
        adjusted_p: the same by Holm's procedure over the tactics that stand together.
        test: which test gave it.
        cliffs_delta: -1 where every run of the tactic took less than every one of the baseline.
        detectable: the saving, as a fraction, that would be shown with 80 % power.
        floor: how far, as a fraction, a ratio of two baselines can be from 1; None without A/A.
        margin: within which, as a fraction, the two may be called equal; None: not asked.
        verdict: what may be claimed.
    """

    ratio: float
    units: int
    interval: Interval | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    test: str | None = None
    cliffs_delta: float | None = None
    detectable: float | None = None
    floor: float | None = None
    margin: float | None = None
    verdict: Verdict = Verdict.TOO_FEW


@dataclass(frozen=True)
class Accuracy:
    """Top-1 of a tactic against the baseline's on the same images.

    Attributes:
        top1: fraction right under the tactic; of the overall line, None.
        delta: tactic less baseline, as a fraction of 1.
        interval: of delta, over images (one model) or over images and models (overall).
        images: judged by both; None where the predictions are gone.
        lost: images that only the baseline had right.
        gained: images that only the tactic had right.
        p_value: McNemar's exact, that neither is more often right; of the overall line, that the
            mean change over models is 0.
        models: how many models the overall change is of.
    """

    delta: float
    top1: float | None = None
    interval: Interval | None = None
    images: int | None = None
    lost: int | None = None
    gained: int | None = None
    p_value: float | None = None
    models: int = 1


@dataclass(frozen=True)
class Quantity:
    """A measured or priced figure of one cell: its mean over blocks."""

    value: float
    interval: Interval | None = None
