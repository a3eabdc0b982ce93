"""One folder, read as a folder and as a repository: the same images, targets and pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from greenexp.datasets.folder import Folder
from greenexp.datasets.hub import Hub
from greenexp.models.local import Local
from tests.support.encodings import encoded, noise, turned

if TYPE_CHECKING:
    from tests.support.modules import Refusal

Filled = Callable[[Path], None]


def odd(root: Path) -> None:
    """Fills a folder with what breaks readers: sides, depths, modes, frames, hidden copies."""
    for orientation in (1, 3, 6, 8):
        made = turned(orientation, "JPEG", (24, 16))
        put(root / "cat" / f"side{orientation}.jpg", made.file)
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        of_mode = encoded(mode, "PNG", (16, 16))
        assert of_mode is not None
        put(root / "dog" / f"{mode.replace(';', '')}.png", of_mode.file)
    frames = [noise((8, 8), seed) for seed in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    put(root / "dog" / "z.gif", file.getvalue())
    put(root / "dog" / ".ipynb_checkpoints" / "1-checkpoint.png", encoded_png())
    put(root / "dog" / ".hidden.png", encoded_png())
    put(root / "cat" / "photo.jfif", turned(6, "JPEG", (24, 16)).file)
    for size in ((5, 1), (5, 3), (3, 5), (1, 1)):
        put(root / "flat" / f"{size[0]}x{size[1]}.png", encoded_png(size))


def put(path: Path, file: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file)


def encoded_png(size: tuple[int, int] = (8, 8)) -> bytes:
    made = encoded("RGB", "PNG", size)
    assert made is not None
    return made.file


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    odd(tmp_path / "images")
    return tmp_path / "images"


def test_a_folder_is_judged_alike_from_the_disk_and_as_a_repository(odd_folder: Path) -> None:
    as_folder, as_hub = Folder(str(odd_folder)), Hub(str(odd_folder), split="train")
    assert as_folder.check() == as_hub.check()
    own, other = as_folder.load(), as_hub.load()
    assert own.targets == other.targets
    for index in range(len(own.targets)):
        np.testing.assert_array_equal(
            np.asarray(own.image(index)), np.asarray(other.image(index)), own.identifiers[index]
        )


@pytest.mark.parametrize("streaming", [False, True])
def test_a_repository_says_which_images_have_frames(odd_folder: Path, streaming: bool) -> None:
    source = Hub(str(odd_folder), split="train", limit=40, streaming=streaming)
    source.check()
    (line,) = source.notices()
    assert "1 images have several frames, of which the first counts (train-" in line


def test_a_repository_with_floats_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / name / "1.tif")
    for source in (Folder(str(tmp_path)), Hub(str(tmp_path), split="train")):
        assert "pixels are floats" in refusal(source.check)


@pytest.mark.parametrize("height", [1, 2, 3, 4, 20])
@pytest.mark.parametrize("width", [1, 3, 20])
def test_flat_images_are_rows_of_pixels_not_channels(
    vit_folder: Path, width: int, height: int
) -> None:
    from transformers import AutoImageProcessor

    image = noise((width, height))
    processor = AutoImageProcessor.from_pretrained(vit_folder)
    told = processor(images=[image], return_tensors="pt", input_data_format="channels_last")
    pixels = Local(str(vit_folder)).load("cpu").preprocess([image])
    np.testing.assert_array_equal(pixels.numpy(), told["pixel_values"].numpy())
