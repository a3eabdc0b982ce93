"""Classifiers in the package."""

from __future__ import annotations

import pytest

from greenexp.datasets import digits_split
from greenexp.datasets.digits import Digits
from greenexp.models.embedded_model import FOLDER, Embedded
from tests.support.modules import Refusal

EMBEDDED = sorted(path.parent.name for path in FOLDER.glob("*/model.safetensors"))
MIN_TOP1 = 0.90
MAX_EMBEDDED_BYTES = 8_000_000
BATCH_SIZE = 64


def test_embedded_models_are_five_and_small() -> None:
    assert len(EMBEDDED) == 5
    assert {path.parent.name for path in FOLDER.glob("*/config.json")} == set(EMBEDDED)
    size_bytes = sum(path.stat().st_size for path in FOLDER.glob("*/*.safetensors"))
    assert size_bytes < MAX_EMBEDDED_BYTES


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_model_knows_the_digits(name: str) -> None:
    import torch

    source = Embedded(name, labels="digits")
    classifier = source.load("cpu")
    assert source.check() == classifier.labels == Digits(labels="digits").check()
    samples = Digits().load()
    count = len(samples.targets)
    right = 0
    with torch.inference_mode():
        for start in range(0, count, BATCH_SIZE):
            group = range(start, min(start + BATCH_SIZE, count))
            logits = classifier.module(
                classifier.preprocess([samples.image(index) for index in group])
            )
            assert logits.shape == (len(group), digits_split.CLASS_COUNT)
            truth = torch.tensor([samples.targets[index] for index in group])
            right += int((logits.argmax(dim=-1) == truth).sum())
    assert right / count >= MIN_TOP1


def test_embedded_choice_names_itself() -> None:
    assert Embedded(EMBEDDED[0]).title is None


def test_embedded_name_is_checked_when_it_is_given(refusal: Refusal) -> None:
    text = refusal(lambda: Embedded("digits_vitt"))
    assert "model.name=digits_vitt" in text
    assert "Did you mean digits_vit?" in text
