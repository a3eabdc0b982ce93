"""What the configuration offers to choose from."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml

from greenexp.models.card import Card
from greenexp.models.hub import Hub
from greenexp.settings.build import build
from tests.support.catalogued import CATALOGUED, CONF


def chosen(option: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / "model" / f"{option}.yaml").read_text("utf-8"))
    return values


def built(option: str) -> Hub:
    model = build(chosen(option), "model")
    assert type(model) is Hub
    return model


def card_of(option: str) -> Card:
    card = built(option).card
    assert type(card) is Card
    return card


@pytest.mark.parametrize("option", CATALOGUED)
def test_catalogued_model_is_a_hub_checkpoint_with_a_card(option: str) -> None:
    model = built(option)
    card = card_of(option)
    assert model.labels
    assert card.family
    assert card.source
    assert not model.allow_pickle
    assert not model.trust_remote_code
    assert set(chosen(option)["card"]) == {field.name for field in fields(Card)}


def test_checkpoints_are_unique() -> None:
    checkpoints = [built(option).checkpoint for option in CATALOGUED]
    assert len(set(checkpoints)) == len(checkpoints)


def test_there_are_models_of_many_families_and_sizes() -> None:
    cards = [card_of(option) for option in CATALOGUED if built(option).labels == "imagenet_1k"]
    sizes = [card.parameters_m for card in cards]
    assert len([size for size in sizes if size is not None and 1 <= size <= 300]) >= 42
    assert None not in sizes
    assert len({card.family for card in cards}) >= 15
    assert {card.gmacs is None for card in cards} == {False}
    assert not any((card.weights or "").startswith("bin") for card in cards)


def test_there_are_models_of_other_label_spaces() -> None:
    others = [built(option).labels for option in CATALOGUED]
    others = [labels for labels in others if labels != "imagenet_1k"]
    assert len(others) >= 6
    assert set(others) == {"beans", "cats_vs_dogs", "cifar10", "cifar100", "food101"}


@pytest.mark.parametrize("option", CATALOGUED)
def test_output_0_is_a_background_class_with_google_s_mobilenets_alone(option: str) -> None:
    model = built(option)
    google = re.match(r"google/mobilenet_v[12]_", model.checkpoint) is not None
    assert model.offset == int(google)


def test_card_of_a_known_model() -> None:
    assert built("mobilenet_v2_1_0_224").checkpoint == "google/mobilenet_v2_1.0_224"
    assert card_of("mobilenet_v2_1_0_224") == Card(
        family="MobileNetV2",
        image_size=224,
        parameters_m=3.51,
        gmacs=0.301,
        gmacs_source="counted with transformers 5.23.0, random weights",
        reported_top1=0.718,
        reported_top1_source="tensorflow/models research/slim/nets/mobilenet/README.md",
        licence="other",
        weights="safetensors+bin",
        source="huggingface.co/google/mobilenet_v2_1.0_224 @698eba0f",
    )
