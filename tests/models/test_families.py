"""Every architecture that the catalogue offers is read, by its published name, and classifies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import transformers as hf
import yaml

from benchmarks.families import CLASSES, FAMILIES, SIZE, write
from greenexp.models.local import Local
from tests.support.catalogued import CATALOGUED, CONF

PERCEIVERS = [
    "PerceiverForImageClassificationLearned",
    "PerceiverForImageClassificationFourier",
    "PerceiverForImageClassificationConvProcessing",
]


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random classifier of each family, in a folder of the family's name."""
    folder = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        write(family, folder)
    return folder


@pytest.mark.parametrize("name", CATALOGUED)
def test_a_catalogued_checkpoint_s_architecture_is_read_and_classifies(
    families: Path, name: str
) -> None:
    option = yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text("utf-8"))
    classifies(families / option["card"]["family"], CLASSES)


@pytest.mark.parametrize("architecture", PERCEIVERS)
def test_a_perceiver_is_read_and_classifies(tmp_path: Path, architecture: str) -> None:
    config = hf.PerceiverConfig(
        num_latents=4,
        d_latents=16,
        num_blocks=1,
        num_self_attends_per_block=1,
        num_self_attention_heads=2,
        num_cross_attention_heads=1,
        image_size=SIZE,
        num_labels=CLASSES,
    )
    getattr(hf, architecture)(config).save_pretrained(tmp_path)
    processor: Any = hf.PerceiverImageProcessorPil(
        crop_size={"height": SIZE, "width": SIZE}, size={"height": SIZE, "width": SIZE}
    )
    processor.save_pretrained(tmp_path)
    classifies(tmp_path, CLASSES)


def classifies(folder: Path, classes: int) -> None:
    """Checks that a folder is taken, and that its classifier makes logits of two photos."""
    import torch
    from PIL import Image

    source = Local(str(folder))
    assert len(source.check().names) == classes
    classifier = source.load("cpu")
    pixels = classifier.preprocess([Image.new("RGB", (90, 70), (9, 9, 200)) for _ in range(2)])
    # BEiT keeps an index tensor of its first pass, which a later test differentiates through.
    with torch.no_grad():
        logits = classifier.module(pixels)
    assert logits.shape == (2, classes)
    assert logits.isfinite().all()
