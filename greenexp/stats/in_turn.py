"""What a run takes relative to others that took turns with it. Pure.

A shared machine has states. For seconds or minutes everything is slower there, and some of it by
more: on one virtual machine DeiT-tiny took 1.2 times as long in the slow state as in the fast one,
and under ONNX Runtime 1.5 times. A mean over both is the ratio in neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from greenexp.stats.robust import FEWEST, Center, center, lower_quartile

SLOWER = 0.05  # than the fast state, as a logarithm; nearer states are not told apart
NOISE = 4.0  # standard deviations of noise that are no other state
MAD_TO_DEVIATION = 1.4826  # of a normal law
FITS = 5  # of levels of rounds and members, in turn


class Share(NamedTuple):
    """What a run took in one round, as logarithms.

    Attributes:
        time: of an image.
        quantity: that is compared.
    """

    time: float
    quantity: float


MISSING = Share(math.nan, math.nan)
Member = Mapping[int, Share]
"""What a run took, by round."""


def log_ratio(own: Sequence[Member], others: Sequence[Member] = ()) -> Center | None:
    """Returns the logarithm of what runs take on average relative to the mean of others.

    It is the trimmed mean over the rounds that count. None for fewer than five.

    Args:
        own: what each of the runs took, processes of one configuration.
        others: what each of the others took; none: the runs are relative to nothing.
    """
    counting = [number for number, counts in shared_rounds(own, others).items() if counts]
    if not counting:
        return None
    logs = _mean_quantity(own, counting)
    return center((logs - _mean_quantity(others, counting) if others else logs).tolist())


def shared_rounds(own: Sequence[Member], others: Sequence[Member] = ()) -> dict[int, bool]:
    """Returns the rounds that half of the runs and half of the others measured.

    With each, whether it counts: those of the machine's fast state do, see `fast_rounds`.
    """
    every = sorted({number for member in own for number in member})
    rounds = [n for n in every if _by_half(own, n) and _by_half(others, n)]
    if not rounds:
        return {}
    # The mean of all is as likely to be low by a run's noise as by that of any other, so that to
    # choose rounds by it moves the ratio of equal ones to neither side.
    times = _mean([[_of(member, n).time for n in rounds] for member in (*own, *others)])
    return dict(zip(rounds, fast_rounds(times.tolist()), strict=True))


def _by_half(members: Sequence[Member], number: int) -> bool:
    return 2 * sum(number in member for member in members) >= len(members)


def _of(member: Member, number: int) -> Share:
    return member.get(number, MISSING)


def _mean_quantity(members: Sequence[Member], rounds: Sequence[int]) -> NDArray[np.float64]:
    return _mean([[_of(member, number).quantity for number in rounds] for member in members])


def _mean(values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Returns the mean of members in each round, as if none had missed one.

    What a member takes more or less than the others, it is held to take in the rounds that it
    missed too: levels of rounds and members are fitted in turn.

    Args:
        values: by member and round; NaN where it has none.
    """
    table = np.array(values, dtype=np.float64)
    own = np.zeros((len(table), 1))
    if np.isnan(table).any():
        present = ~np.isnan(table).all(axis=1)
        table, own = table[present], own[present]
        for _ in range(FITS):
            own = np.nanmedian(table - np.nanmean(table - own, axis=0), axis=1, keepdims=True)
            own -= own.mean()
    mean: NDArray[np.float64] = np.nanmean(table - own, axis=0)
    return mean


def fast_rounds(times: Sequence[float]) -> list[bool]:
    """Tells which rounds the machine was in its fast state; where they are too few, all.

    That state is the lower quartile of the times. Rounds belong to it that take at most 5 % more,
    or four standard deviations of noise, whichever is more. Noise is told by the differences
    between neighbours in time, for a state lasts (von Neumann, 1941, Annals of Mathematical
    Statistics 12:367; by their median, so that changes of state are not taken for it).

    Args:
        times: logarithms, in their order of time.
    """
    if len(times) < FEWEST:
        return [True] * len(times)
    steps = np.abs(np.diff(times))
    noise = float(np.median(steps)) * MAD_TO_DEVIATION / math.sqrt(2)
    limit = lower_quartile(times) + max(SLOWER, NOISE * noise)
    fast = [time <= limit for time in times]
    return fast if sum(fast) >= FEWEST else [True] * len(times)
