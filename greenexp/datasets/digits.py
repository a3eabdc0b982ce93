"""The handwritten digits that come with scikit-learn, evaluation part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.datasets import digits_split
from greenexp.datasets.balance import balanced
from greenexp.protocols import LabelSpace, Samples

if TYPE_CHECKING:
    from PIL.Image import Image

LABELS = [str(digit) for digit in range(digits_split.CLASS_COUNT)]
CALIBRATION_SEED = 0  # fixed, as the split is


@dataclass(frozen=True)
class Digits:
    """UCI digits, 8x8 pixels, ten classes; the split is fixed in `digits_split`."""

    labels: str | None = None

    def check(self) -> LabelSpace:
        """Returns the ten classes; the images come with scikit-learn and are known to be whole."""
        return LabelSpace(self.labels, LABELS)

    def load(self) -> DigitSamples:
        """Returns the evaluation part."""
        return self._samples(digits_split.evaluation_indices())

    @property
    def calibrates(self) -> bool:
        """True: there is a training part."""
        return True

    def calibration(self, count: int) -> DigitSamples:
        """Returns up to `count` images of the training part, alike of each digit."""
        training = digits_split.training_indices()
        targets = [digits_split.target(index) for index in training]
        return self._samples([training[at] for at in balanced(targets, count, CALIBRATION_SEED)])

    def _samples(self, indices: Sequence[int]) -> DigitSamples:
        return DigitSamples(
            labels=self.check(),
            targets=[digits_split.target(index) for index in indices],
            identifiers=[f"digit-{index:04d}" for index in indices],
            indices=indices,
        )


@dataclass(frozen=True)
class DigitSamples(Samples):
    """Images by their index in scikit-learn's set."""

    labels: LabelSpace
    targets: Sequence[int]
    identifiers: Sequence[str]
    indices: Sequence[int]

    def image(self, index: int) -> Image:
        """Returns image `index`, 8x8 RGB."""
        return digits_split.image(self.indices[index])
