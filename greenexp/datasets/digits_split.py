"""The handwritten digits that ship with scikit-learn, under a split fixed once and without chance.

1797 greyscale images of 8x8 pixels, values 0 to 16, ten classes: the test part of the UCI set
"Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, 1998,
https://doi.org/10.24432/C50P49). Every fifth image is for evaluation and the others are for
training, so that the two parts stay disjoint on every machine and no seed has to be remembered.
The source file doesn't say who wrote which digit, so a writer may occur in both parts.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

CLASS_COUNT = 10
GREATEST_VALUE = 16
EVALUATION_STRIDE = 5
EVALUATION_REMAINDER = 4


@functools.cache
def _digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the images, shape (1797, 8, 8), and their classes, shape (1797,)."""
    # scikit-learn ships no type information; unused-ignore covers settings that skip it anyway.
    from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

    bunch = load_digits()
    return bunch.images, bunch.target


def evaluation_indices() -> list[int]:
    """Returns the indices held out for evaluation, those with ``index % 5 == 4``, ascending."""
    return [index for index in range(len(_digits()[1])) if _is_for_evaluation(index)]


def training_indices() -> list[int]:
    """Returns every index which is not for evaluation, ascending."""
    return [index for index in range(len(_digits()[1])) if not _is_for_evaluation(index)]


def image(index: int) -> Image:
    """Returns one digit as an 8x8 RGB image of uint8, its values scaled from 0..16 to 0..255.

    Args:
        index: Place in scikit-learn's order, 0 to 1796.

    Raises:
        IndexError: There is no such image.
    """
    import numpy as np
    import PIL.Image

    grey = np.rint(_digits()[0][_checked(index)] * (255 / GREATEST_VALUE)).astype(np.uint8)
    return PIL.Image.fromarray(np.stack([grey] * 3, axis=-1))


def target(index: int) -> int:
    """Returns the class of one digit, 0 to 9.

    Args:
        index: Place in scikit-learn's order, 0 to 1796.

    Raises:
        IndexError: There is no such image.
    """
    return int(_digits()[1][_checked(index)])


def _is_for_evaluation(index: int) -> bool:
    return index % EVALUATION_STRIDE == EVALUATION_REMAINDER


def _checked(index: int) -> int:
    """Refuses what NumPy would take for a place counted from the end."""
    count = len(_digits()[1])
    if not 0 <= index < count:
        raise IndexError(f"digit {index} does not exist; indices run from 0 to {count - 1}")
    return index
