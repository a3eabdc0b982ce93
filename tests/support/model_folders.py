"""Folders of models in tests: their weights read and changed, and images for their classifiers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ["blue", "green", "red"]

Edited = Callable[..., Path]  # the fixture `edited`
Cached = Callable[[str, Path], None]  # the fixture `cached`


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def save_weights(folder: Path, values: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})


def pickle_weights(folder: Path) -> None:
    """Leaves the weights in pytorch_model.bin only."""
    import torch

    torch.save(weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def images(count: int) -> list[Any]:
    from PIL import Image

    return [Image.new("RGB", (20, 10), (40 * index, 255, 10)) for index in range(count)]
