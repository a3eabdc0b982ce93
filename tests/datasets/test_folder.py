"""Labelled images from a folder: its classes, its images, and those that can't be read."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.datasets.folder import Folder
from greenexp.protocols import LabelSpace
from tests.support.pictures import picture
from tests.support.tiny_models import COLORS

if TYPE_CHECKING:
    from tests.support.modules import Refusal


def test_folder_classes_are_its_sub_folders_in_the_order_of_their_names(
    colors_folder: Path,
) -> None:
    source = Folder(str(colors_folder), labels="colors")
    samples = source.load()
    assert source.check() == samples.labels == LabelSpace("colors", ["blue", "green", "red"])
    assert samples.targets == [0, 0, 0, 1, 1, 2, 2]
    assert samples.identifiers == [
        *("blue/0.png", "blue/1.png", "blue/2.png"),
        *("green/0.png", "green/1.png", "red/0.png", "red/1.png"),
    ]
    for index, target in enumerate(samples.targets):
        image = samples.image(index)
        assert (image.mode, image.size) == ("RGB", (10, 8))
        assert image.getpixel((0, 0)) == COLORS[samples.labels.names[target]]


def test_folder_images_may_lie_deeper_and_share_names(tmp_path: Path) -> None:
    for name in ("cat/2.png", "cat/more/1.png", "cat/more/2.png", "dog/2.png"):
        picture(tmp_path / name)
    samples = Folder(str(tmp_path)).load()
    assert samples.identifiers == ["cat/2.png", "cat/more/1.png", "cat/more/2.png", "dog/2.png"]
    assert samples.targets == [0, 0, 0, 1]


def test_folder_takes_images_and_leaves_the_rest(tmp_path: Path) -> None:
    names = ["a.jpg", "b.JPEG", "c.PNG", "d.webp", "e.bmp", "f.tif", "g.tiff", "h.gif"]
    for name in names:
        picture(tmp_path / "cat" / name)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "README.md").write_text("no image")
    picture(tmp_path / "without_a_class.png")
    source = Folder(str(tmp_path))
    assert source.check().names == ["cat"]
    assert source.load().identifiers == [f"cat/{name}" for name in names]


@pytest.mark.parametrize(
    ("mode", "color", "rgb"),
    [
        pytest.param("RGB", (9, 8, 7), (9, 8, 7), id="rgb"),
        pytest.param("RGBA", (9, 8, 7, 255), (9, 8, 7), id="rgba"),
        pytest.param("L", 77, (77, 77, 77), id="greyscale"),
        pytest.param("LA", (77, 255), (77, 77, 77), id="greyscale_with_alpha"),
        pytest.param("1", 1, (255, 255, 255), id="black_and_white"),
        pytest.param("P", 0, (0, 0, 0), id="palette"),
    ],
)
def test_folder_images_are_converted_to_rgb(
    tmp_path: Path, mode: str, color: Any, rgb: tuple[int, int, int]
) -> None:
    picture(tmp_path / "cat" / "1.png", color, mode)
    source = Folder(str(tmp_path))
    source.check()
    image = source.load().image(0)
    assert (image.mode, image.getpixel((3, 3))) == ("RGB", rgb)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda root: root.rmdir(), "is no folder", id="missing"),
        pytest.param(lambda root: None, "holds no images", id="empty"),
        pytest.param(lambda root: (root / "cat").mkdir(), "holds no images", id="empty_class"),
        pytest.param(lambda root: picture(root / "1.png"), "holds no images", id="no_class"),
        pytest.param(
            lambda root: ((root / "cat").mkdir(), (root / "cat" / "1.txt").touch()),
            "holds no images",
            id="no_image_files",
        ),
    ],
)
def test_folder_without_images_is_refused(
    tmp_path: Path, refusal: Refusal, make: Callable[[Path], object], words: str
) -> None:
    root = tmp_path / "images"
    root.mkdir()
    make(root)
    for call in (Folder(str(root)).check, Folder(str(root)).load):
        text = refusal(call)
        assert f"dataset.path={root}" in text
        assert words in text


def test_folder_that_is_a_file_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    path = picture(tmp_path / "1.png")
    assert "is no folder" in refusal(Folder(str(path)).check)


def test_folder_class_without_images_keeps_its_place_in_a_label_space(tmp_path: Path) -> None:
    # With a shared label space, class k of the folder is class k of the model.
    picture(tmp_path / "ant" / "1.png")
    (tmp_path / "bee").mkdir()
    picture(tmp_path / "cat" / "1.png")
    assert Folder(str(tmp_path), labels="insects").load().targets == [0, 2]


def damaged(suffix: str, keep: float, **options: Any) -> Callable[[Path], None]:
    """Writes the beginning of a good image."""

    def write(path: Path) -> None:
        from PIL import Image

        whole = io.BytesIO()
        Image.effect_noise((64, 64), 80).convert("RGB").save(whole, suffix, **options)
        data = whole.getvalue()
        path.write_bytes(data[: int(len(data) * keep)])

    return write


def header_of_a_huge_image(path: Path) -> None:
    """Writes 54 bytes that claim 2,000 megapixels."""
    header = bytearray(b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little"))
    header += (50_000).to_bytes(4, "little") + (40_000).to_bytes(4, "little")
    path.write_bytes(header + b"\x01\x00\x18\x00" + bytes(24))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.touch(), id="empty"),
        pytest.param(lambda path: path.write_text("<html>404</html>"), id="a_web_page"),
        pytest.param(damaged("JPEG", 0.9), id="jpeg_without_its_end"),
        pytest.param(damaged("JPEG", 0.5, progressive=True), id="half_a_progressive_jpeg"),
        pytest.param(damaged("PNG", 0.5), id="half_a_png"),
        pytest.param(damaged("GIF", 0.5), id="half_a_gif"),
        pytest.param(damaged("BMP", 0.5), id="half_a_bmp"),
        pytest.param(damaged("WEBP", 0.5), id="half_a_webp"),
        pytest.param(damaged("TIFF", 0.5), id="half_a_tiff"),
        pytest.param(header_of_a_huge_image, id="claims_to_be_huge"),
    ],
)
def test_folder_check_finds_images_that_can_t_be_read(
    tmp_path: Path, refusal: Refusal, damage: Callable[[Path], object]
) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "cat" / name)
    damage(tmp_path / "cat" / "broken.jpg")
    source = Folder(str(tmp_path))
    text = refusal(source.check)
    assert "1 of 3 images can't be read (broken.jpg)" in text
    broken = source.load().identifiers.index("cat/broken.jpg")
    assert "broken.jpg can't be read" in refusal(lambda: source.load().image(broken))


@pytest.mark.parametrize(
    ("count", "named"),
    [
        pytest.param(2, "2 of 3 images can't be read (0.png, 1.png)", id="all_named"),
        pytest.param(5, "5 of 6 images can't be read (0.png, 1.png, 2.png, …)", id="some_named"),
    ],
)
def test_folder_check_counts_images_that_can_t_be_read(
    tmp_path: Path, refusal: Refusal, count: int, named: str
) -> None:
    picture(tmp_path / "dog" / "good.png")
    for index in range(count):
        picture(tmp_path / "cat" / f"{index}.png").write_bytes(b"broken")
    assert named in refusal(Folder(str(tmp_path)).check)


def test_folder_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    # ImageNetV2 names its folders by class index, without leading zeros.
    for name in ("10", "2", "0"):
        picture(tmp_path / name / "1.png")
    assert Folder(str(tmp_path)).check().names == ["0", "2", "10"]
    picture(tmp_path / "x" / "1.png")
    assert Folder(str(tmp_path)).check().names == ["0", "10", "2", "x"]
