"""Tiny models and images on disk, and copies of them with another configuration."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
SIDE = 32


@pytest.fixture(scope="session")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer with random weights and the classes blue, green, red."""
    from transformers import ViTConfig, ViTForImageClassification

    return saved(
        tmp_path_factory.mktemp("models") / "tiny_vit",
        lambda: ViTForImageClassification(
            ViTConfig(
                image_size=SIDE,
                patch_size=8,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                id2label=dict(enumerate(COLORS)),
                label2id={name: index for index, name in enumerate(COLORS)},
            )
        ),
    )


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A residual network, likewise: convolutions and one Linear."""
    from transformers import ResNetConfig, ResNetForImageClassification

    return saved(
        tmp_path_factory.mktemp("models") / "tiny_resnet",
        lambda: ResNetForImageClassification(
            ResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 16],
                depths=[1, 1],
                layer_type="basic",
                id2label=dict(enumerate(COLORS)),
                label2id={name: index for index, name in enumerate(COLORS)},
            )
        ),
    )


def saved(folder: Path, make: Callable[[], Any]) -> Path:
    import torch
    from transformers import ViTImageProcessorPil

    with torch.random.fork_rng():
        torch.manual_seed(0)
        make().save_pretrained(folder)
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    assert processor["image_processor_type"] == "ViTImageProcessor"
    return folder


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Copies a model folder, sets keys of its config.json (None: removes them), returns it."""

    def copy(folder: Path, **changes: Any) -> Path:
        to = tmp_path / "edited"
        shutil.copytree(folder, to)
        config = json.loads((to / "config.json").read_text()) | changes
        kept = {key: value for key, value in config.items() if value is not None}
        (to / "config.json").write_text(json.dumps(kept))
        return to

    return copy


@pytest.fixture(scope="session")
def colors_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 3, 2 and 2 small PNGs, each of one color."""
    from PIL import Image

    root = tmp_path_factory.mktemp("colors")
    for (name, color), count in zip(COLORS.items(), (3, 2, 2), strict=True):
        (root / name).mkdir()
        for index in range(count):
            Image.new("RGB", (10, 8), color).save(root / name / f"{index}.png")
    return root
