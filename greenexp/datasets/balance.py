"""Which images make a sample in which each class has as many as any other, as far as they go."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence


def balanced(targets: Sequence[int], limit: int | None, seed: int) -> list[int]:
    """Returns the indices of a random, class-balanced sample, ascending.

    Classes get equal shares. One with fewer images than its share gives all it has, and the others
    share the rest; what can't be shared out equally goes to classes drawn by the seed, one image
    each. Samples of one seed are nested: a smaller limit takes some of a larger one's images.

    Args:
        targets: class of each image.
        limit: images at most; None: all.
        seed: of the draw.
    """
    if limit is None or limit >= len(targets):
        return list(range(len(targets)))
    of_class: dict[int, list[int]] = defaultdict(list)
    for index, target in enumerate(targets):
        of_class[target].append(index)
    order = sorted(of_class)
    random.Random(f"{seed}/classes").shuffle(order)
    shares = _shares([len(of_class[target]) for target in order], limit)
    chosen: list[int] = []
    for target, share in zip(order, shares, strict=True):
        of_this = of_class[target]
        random.Random(f"{seed}/{target}").shuffle(of_this)
        chosen += of_this[:share]
    return sorted(chosen)


def _shares(counts: Sequence[int], limit: int) -> list[int]:
    """Returns how many of each class are taken; where it can't be even, the first have one more."""
    level = 0
    while sum(min(count, level + 1) for count in counts) <= limit:
        level += 1
    shares = [min(count, level) for count in counts]
    rest = limit - sum(shares)
    for place, count in enumerate(counts):
        if rest and count > level:
            shares[place] += 1
            rest -= 1
    return shares


class Quota:
    """Takes the first images of each class as they come, until each class has its share.

    Chance has no part in it. What can't be shared out equally goes to the classes that come first.
    Where a class has fewer images than its share the sample stays smaller than the limit: what was
    passed over is not kept.

    Attributes:
        left: images still wanted.
    """

    def __init__(self, classes: int, limit: int) -> None:
        self._share, self._extra = divmod(limit, classes)
        self._taken: Counter[int] = Counter()
        self.left = limit

    def takes(self, target: int) -> bool:
        """Tells whether the next image, of class `target`, is one of the sample."""
        if not self.left or self._taken[target] > self._share:
            return False
        if self._taken[target] == self._share:
            if not self._extra:
                return False
            self._extra -= 1
        self._taken[target] += 1
        self.left -= 1
        return True
