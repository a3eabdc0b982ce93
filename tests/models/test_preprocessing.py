"""Images as a checkpoint's image processor makes them: of one shape, grey where the model is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenexp.models.local import Local
from greenexp.protocols import Classifier
from tests.support.modules import Refusal

SIDE = 32


def model(folder: Path, *, channels: int = 3, **processor: Any) -> Local:
    """Saves a vision transformer with random weights and an image processor."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    config = ViTConfig(
        image_size=SIDE,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_channels=channels,
        num_labels=3,
    )
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(**{"size": {"height": SIDE, "width": SIDE}, **processor}).save_pretrained(
        folder
    )
    return Local(str(folder))


def photos(*sizes: tuple[int, int]) -> list[Any]:
    from PIL import Image

    return [Image.new("RGB", size, (200, 100, 0)) for size in sizes]


def test_a_grey_model_gets_grey_images(tmp_path: Path) -> None:
    classifier = model(tmp_path, channels=1, image_mean=[0.5], image_std=[0.5]).load("cpu")
    pixels = classifier.preprocess(photos((40, 30), (20, 10)))
    luma = round(0.299 * 200 + 0.587 * 100)  # ITU-R 601, as Pillow converts to "L"
    assert pixels.shape == (2, 1, SIDE, SIDE)
    assert pixels.unique().tolist() == pytest.approx([(luma / 255 - 0.5) / 0.5])
    assert classifier.module(pixels).shape == (2, 3)


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_a_model_of_other_channels_is_refused_before_it_is_loaded(
    tmp_path: Path, refusal: Refusal, channels: int
) -> None:
    source = model(tmp_path, channels=channels)
    assert refusal(source.check).endswith(
        f"takes images of {channels} channels (num_channels in config.json); "
        "allowed: 1 (grey) and 3 (RGB)"
    )


@pytest.mark.parametrize(
    ("channels", "processor", "why"),
    [
        pytest.param(1, {}, "mean must have 1 elements", id="grey_model_normalized_as_rgb"),
        pytest.param(
            3, {"image_mean": [0.5]}, "mean must have 3 elements", id="rgb_model_normalized_as_grey"
        ),
        pytest.param(
            1, {"do_convert_rgb": True}, "of shape 3 x 32 x 32", id="grey_model_made_rgb_again"
        ),
    ],
)
def test_an_image_processor_that_does_not_fit_the_model_is_told(
    tmp_path: Path, refusal: Refusal, channels: int, processor: dict[str, Any], why: str
) -> None:
    classifier = model(tmp_path, channels=channels, **processor).load("cpu")
    words = refusal(lambda: classifier.preprocess(photos((40, 30))))
    assert why in words
    assert words.endswith("mend preprocessor_config.json")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_processor_that_keeps_the_images_sizes_is_told(
    tmp_path: Path, refusal: Refusal, at_once: bool
) -> None:
    classifier = model(tmp_path, do_resize=False).load("cpu")
    images = photos((32, 32), (32, 32), (40, 32))
    words = refusal(lambda: made(classifier, images, at_once=at_once))
    assert "makes images of unlike sizes, 3 x 32 x 32 and 3 x 32 x 40" in words
    assert words.endswith(
        "set do_resize, size and crop_size in preprocessor_config.json so that all have one size"
    )


def made(classifier: Classifier, images: list[Any], *, at_once: bool) -> None:
    for group in [images] if at_once else [[image] for image in images]:
        classifier.preprocess(group)


def test_a_processor_that_keeps_sizes_is_taken_where_all_images_have_one(tmp_path: Path) -> None:
    classifier = model(tmp_path, do_resize=False).load("cpu")
    assert classifier.preprocess(photos((32, 32), (32, 32))).shape == (2, 3, 32, 32)


def test_a_model_that_needs_more_than_pixel_values_is_told(
    tmp_path: Path, refusal: Refusal
) -> None:
    from transformers import Siglip2Config, Siglip2ForImageClassification, Siglip2ImageProcessorPil

    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "patch_size": 8,
        "num_patches": 16,
    }
    config = Siglip2Config(vision_config=vision, num_labels=3)
    Siglip2ForImageClassification(config).save_pretrained(tmp_path)
    Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(tmp_path)
    classifier = Local(str(tmp_path)).load("cpu")
    words = refusal(lambda: classifier.preprocess(photos((40, 30))))
    assert "the model needs pixel_attention_mask, spatial_shapes" in words
