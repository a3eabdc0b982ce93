"""Every image is read upright in 8-bit RGB, or refused by name; none is read as another."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from greenexp.datasets.decoding import UnreadableImage, decode, suffixes
from tests.support.encodings import LOSSLESS, ORIENTATION, SIZES, encoded, noise, turned

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I;16B"]
WRITTEN = [(mode, form) for mode in MODES for form in LOSSLESS if encoded(mode, form, (8, 8))]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("mode", "form"), WRITTEN)
def test_an_image_shows_what_its_8_bit_twin_shows(
    mode: str, form: str, size: tuple[int, int]
) -> None:
    made = encoded(mode, form, size)
    assert made is not None
    image = decode(io.BytesIO(made.file)).image
    assert (image.mode, image.size) == ("RGB", size)
    np.testing.assert_array_equal(np.asarray(image), made.pixels)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_was_taken_on_its_side_is_upright(orientation: int, form: str) -> None:
    made = turned(orientation, form, (24, 16))
    image = decode(io.BytesIO(made.file)).image
    assert image.size == (24, 16)
    off = np.abs(np.asarray(image).astype(int) - made.pixels).mean()
    assert off < 3  # JPEG keeps noise to about a level
    assert image.getexif().get(ORIENTATION, 1) == 1


def test_a_broken_note_of_the_camera_turns_nothing() -> None:
    file = io.BytesIO()
    noise((8, 8)).save(file, "PNG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")
    assert decode(file).image.size == (8, 8)


@pytest.mark.parametrize("form", ["TIFF", "PPM"])
def test_floats_are_refused_by_name(form: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(file, form)
    with pytest.raises(UnreadableImage, match=r"pixels are floats.*save it with 8 or 16 bits"):
        decode(file)


def test_wide_integers_are_refused_by_name() -> None:
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.int32).reshape(8, 8)).save(file, "TIFF")
    with pytest.raises(UnreadableImage, match="pixels are 32-bit integers"):
        decode(file)


def test_16_bits_of_a_netpbm_file_are_16_bits() -> None:
    values = (np.arange(64, dtype=np.uint16).reshape(8, 8) * 4 * 257).astype(">u2")
    image = decode(io.BytesIO(b"P5 8 8 65535\n" + values.tobytes())).image
    np.testing.assert_array_equal(np.asarray(image)[..., 0], np.arange(64).reshape(8, 8) * 4)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_counts(form: str) -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "lime", "blue")]
    file = io.BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], lossless=True)
    decoded = decode(file)
    assert decoded.frames == 3
    assert decoded.image.getpixel((3, 2)) == pytest.approx((255, 0, 0), abs=2)


def test_a_photo_with_its_thumbnail_is_one_image() -> None:
    file = io.BytesIO()
    noise((64, 64)).save(file, "MPO", save_all=True, append_images=[noise((8, 8))])
    decoded = decode(file)
    assert (decoded.frames, decoded.image.size) == (1, (64, 64))


def bomb(width: int, height: int) -> bytes:
    """Returns a PNG of a few kB that unpacks to a black image of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    packed = zlib.compressobj(9)
    row = bytes(1 + width // 8 + 1)
    body = b"".join([*(packed.compress(row) for _ in range(height)), packed.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("width", "height"), [(13_000, 13_000), (10_000, 9_000), (60_000, 60_000)], ids=str
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked: list[Image.Image] = []
    monkeypatch.setattr(Image.Image, "load", unpacked.append)
    header = bomb(width, 1)[:16] + struct.pack(">II", width, height)
    checked = b"IHDR" + header[16:] + b"\x01\x00\x00\x00\x00"
    file = header + checked[12:] + struct.pack(">I", zlib.crc32(checked)) + bomb(width, 1)[33:]
    with pytest.raises(UnreadableImage, match=r"pixels; allowed: up to 89 million"):
        decode(io.BytesIO(file))
    assert unpacked == []


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda file: file[: int(len(file) * share)]


def flipped(place: float) -> Callable[[bytes], bytes]:
    def flip(file: bytes) -> bytes:
        at = int(len(file) * place)
        return file[:at] + bytes([file[at] ^ 0xFF]) + file[at + 1 :]

    return flip


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000"])
@pytest.mark.parametrize(
    "damage",
    [
        *(pytest.param(cut(share), id=f"cut {share}") for share in (0.0, 0.02, 0.3, 0.6, 0.95)),
        *(pytest.param(flipped(at), id=f"flipped {at}") for at in (0.0, 0.05, 0.4, 0.8)),
    ],
)
def test_a_damaged_file_is_refused_or_read_never_a_bug(
    form: str, damage: Callable[[bytes], bytes]
) -> None:
    file = io.BytesIO()
    noise((40, 30)).save(file, form)
    with contextlib.suppress(UnreadableImage):
        assert decode(io.BytesIO(damage(file.getvalue()))).image.mode == "RGB"


def test_a_file_is_read_by_what_it_holds_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    noise((8, 8)).save(path, "PNG")
    np.testing.assert_array_equal(np.asarray(decode(path).image), np.asarray(noise((8, 8))))


@pytest.mark.parametrize("program", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%PDF-1.4\n", b"<svg/>"])
def test_a_format_that_would_start_a_program_is_no_image(program: bytes) -> None:
    with pytest.raises(UnreadableImage, match="no image"):
        decode(io.BytesIO(program))


def test_spellings_of_formats_are_known() -> None:
    assert {
        ".jpg",
        ".jpeg",
        ".jfif",
        ".jpe",
        ".png",
        ".apng",
        ".tif",
        ".jp2",
        ".avif",
    } <= suffixes()
    assert suffixes().isdisjoint({".pdf", ".eps", ".txt", ".mpg", ".h5"})
