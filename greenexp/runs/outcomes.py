"""Which images a run had right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from greenexp.runs.result import Predictions


@dataclass(frozen=True)
class ImageOutcomes:
    """Which images a run had right.

    Attributes:
        images: their names, in order; one object for all runs that judged the same.
        correct: (images,) bool.
    """

    images: tuple[str, ...]
    correct: NDArray[np.bool_]

    @classmethod
    def of(cls, predictions: Predictions) -> ImageOutcomes:
        """Returns the outcomes that predictions hold; the first output ranked counts."""
        correct = [
            ranked[0] == target
            for target, ranked in zip(predictions.targets, predictions.ranked, strict=True)
        ]
        return cls(tuple(predictions.identifiers), np.array(correct, dtype=bool))
