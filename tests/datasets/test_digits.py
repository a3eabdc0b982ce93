"""Labelled images from scikit-learn's digits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import pytest

from greenexp.datasets import digits_split
from greenexp.datasets.digits import Digits
from greenexp.protocols import LabelSpace

EVALUATION_SHA256 = "23029e69e19e8f400f3ce9a4f19f3d6ab57a872e8dd6fcb028816f5c36baf4d6"


def test_digits_split_leaves_nothing_out_and_shares_nothing() -> None:
    evaluation, training = digits_split.evaluation_indices(), digits_split.training_indices()
    assert len(evaluation) == 359
    assert set(evaluation).isdisjoint(training)
    assert sorted([*evaluation, *training]) == list(range(1797))


def test_digits_evaluation_part_is_the_same_everywhere() -> None:
    digest = hashlib.sha256()
    samples = Digits().load()
    for index, target in enumerate(samples.targets):
        digest.update(bytes([target]))
        digest.update(samples.image(index).tobytes())
    assert digest.hexdigest() == EVALUATION_SHA256


def test_digits_are_small_rgb_images_of_ten_classes() -> None:
    samples = Digits(labels="digits").load()
    assert samples.labels == LabelSpace("digits", list("0123456789")) == Digits("digits").check()
    assert set(samples.targets) == set(range(10))
    assert len(set(samples.identifiers)) == len(samples.targets) == 359
    image = samples.image(0)
    assert (image.size, image.mode) == ((8, 8), "RGB")
    assert samples.identifiers[0] == "digit-0004"
    assert image.tobytes() == digits_split.image(4).tobytes()
    assert samples.targets[0] == digits_split.target(4)


def test_digits_use_the_whole_range_of_grey() -> None:
    extremes = [digits_split.image(index).getextrema()[0] for index in range(100)]
    assert min(low for low, _ in extremes) == 0
    assert max(high for _, high in extremes) == 255


@pytest.mark.parametrize("index", [-1, 1797])
@pytest.mark.parametrize("read", [digits_split.image, digits_split.target])
def test_digits_have_no_others(read: Callable[[int], object], index: int) -> None:
    with pytest.raises(IndexError, match=f"digit {index} does not exist"):
        read(index)


def test_digits_calibrate_on_their_training_part() -> None:
    source = Digits("digits")
    assert source.calibrates
    samples = source.calibration(25)
    evaluated = set(source.load().identifiers)
    assert len(set(samples.identifiers)) == len(samples.targets) == 25
    assert evaluated.isdisjoint(samples.identifiers)
    assert sorted(Counter(samples.targets).values()) == [2] * 5 + [3] * 5
    assert samples.labels == source.check()
    place = int(samples.identifiers[0].removeprefix("digit-"))
    assert samples.image(0).tobytes() == digits_split.image(place).tobytes()
    assert samples.targets[0] == digits_split.target(place)


def test_digits_calibration_is_the_same_each_time_and_no_more_than_there_is() -> None:
    assert Digits().calibration(7) == Digits().calibration(7)
    assert len(Digits().calibration(5000).targets) == 1438
