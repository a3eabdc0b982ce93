"""How each embedded model is built, fed and trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessorPil,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileNetV2ImageProcessorPil,
    PreTrainedModel,
    ResNetConfig,
    ResNetForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)
from transformers.image_processing_utils import BaseImageProcessor

from greenexp.datasets import digits_split

SIDE = 32

ID2LABEL = {digit: str(digit) for digit in range(digits_split.CLASS_COUNT)}
LABEL2ID = {label: digit for digit, label in ID2LABEL.items()}


@dataclass(frozen=True)
class Recipe:
    """How one embedded model is built, fed and trained.

    Attributes:
        name: Folder of the model.
        build: Returns the model with fresh weights.
        processor: Returns the image processor of the family for 32x32 inputs.
        epochs: Passes over the training part.
        peak_learning_rate: Greatest learning rate of the one-cycle schedule.
    """

    name: str
    build: Callable[[], PreTrainedModel]
    processor: Callable[[], BaseImageProcessor]
    epochs: int
    peak_learning_rate: float


def _vit() -> PreTrainedModel:
    return ViTForImageClassification(
        ViTConfig(
            image_size=SIDE,
            patch_size=4,
            hidden_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=384,
            id2label=ID2LABEL,
            label2id=LABEL2ID,
        )
    )


def _resnet() -> PreTrainedModel:
    return ResNetForImageClassification(
        ResNetConfig(
            embedding_size=64,
            hidden_sizes=[64, 128],
            depths=[1, 1],
            layer_type="basic",
            id2label=ID2LABEL,
            label2id=LABEL2ID,
        )
    )


def _mobilenet_v2() -> PreTrainedModel:
    return MobileNetV2ForImageClassification(
        MobileNetV2Config(
            image_size=SIDE,
            depth_multiplier=0.25,
            depth_divisible_by=16,
            finegrained_output=False,
            tf_padding=False,
            classifier_dropout_prob=0.1,
            id2label=ID2LABEL,
            label2id=LABEL2ID,
        )
    )


def _convnext() -> PreTrainedModel:
    return ConvNextForImageClassification(
        ConvNextConfig(
            image_size=SIDE,
            num_stages=2,
            hidden_sizes=[64, 128],
            depths=[1, 2],
            layer_scale_init_value=0.1,
            id2label=ID2LABEL,
            label2id=LABEL2ID,
        )
    )


def _swin() -> PreTrainedModel:
    return SwinForImageClassification(
        SwinConfig(
            image_size=SIDE,
            embed_dim=64,
            depths=[2, 1],
            num_heads=[2, 4],
            window_size=4,
            drop_path_rate=0.0,
            id2label=ID2LABEL,
            label2id=LABEL2ID,
        )
    )


# The PIL classes are named outright, so that the weights don't depend on whether torchvision is
# installed; they save themselves under the name both backends share.
def _vit_processor() -> BaseImageProcessor:
    return ViTImageProcessorPil(size={"height": SIDE, "width": SIDE})


def _convnext_processor() -> BaseImageProcessor:
    return ConvNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_pct=1.0)


def _mobilenet_v2_processor() -> BaseImageProcessor:
    return MobileNetV2ImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )


RECIPES = (
    Recipe("digits_vit", _vit, _vit_processor, epochs=30, peak_learning_rate=1.5e-3),
    Recipe("digits_resnet", _resnet, _convnext_processor, epochs=15, peak_learning_rate=4e-3),
    Recipe(
        "digits_mobilenet_v2",
        _mobilenet_v2,
        _mobilenet_v2_processor,
        epochs=20,
        peak_learning_rate=4e-3,
    ),
    Recipe("digits_convnext", _convnext, _convnext_processor, epochs=20, peak_learning_rate=3e-3),
    Recipe("digits_swin", _swin, _vit_processor, epochs=30, peak_learning_rate=3e-3),
)
