"""One picture in every mode and format that Pillow writes, beside its upright 8-bit twin."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = [(1, 1), (1, 9), (9, 1), (3, 7), (7, 3), (16, 16), (5, 64)]
LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "TGA", "QOI", "SGI")
ORIENTATION = 0x0112
ENDINGS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}


@dataclass(frozen=True)
class Encoded:
    """An image file and what it shows.

    Attributes:
        file: its bytes.
        ending: of its name.
        pixels: upright, uint8 (height, width, 3).
    """

    file: bytes
    ending: str
    pixels: NDArray[np.uint8]


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Returns an RGB image of random pixels, `size` as (width, height)."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def in_mode(rgb: Image.Image, mode: str) -> tuple[Image.Image, Image.Image]:
    """Returns an image in a mode, and its 8-bit RGB twin."""
    grey = rgb.convert("L")
    if mode.startswith("I"):
        values = np.asarray(grey).astype(np.uint16) * 257
        if mode == "I;16B":
            data = values.astype(">u2").tobytes()
            return Image.frombytes(mode, grey.size, data), grey.convert("RGB")
        return Image.fromarray(values), grey.convert("RGB")
    if mode in ("LA", "RGBA", "PA"):
        opaque = rgb.convert("P").convert("RGB") if mode == "PA" else rgb
        made = rgb.convert("P").convert("PA") if mode == "PA" else rgb.convert(mode)
        twin = grey.convert("RGB") if mode == "LA" else opaque
        if mode != "PA":  # see-through: the colours beneath count
            made.putalpha(Image.fromarray(np.asarray(grey)))
        return made, twin
    made = rgb.convert(mode)
    return made, made.convert("RGB")


def encoded(mode: str, form: str, size: tuple[int, int], **options: Any) -> Encoded | None:
    """Returns noise as a file; None where Pillow does not write the mode in the format."""
    made, twin = in_mode(noise(size), mode)
    file = io.BytesIO()
    try:
        made.save(file, form, **options)
    except (OSError, ValueError, KeyError):
        return None
    return Encoded(file.getvalue(), ENDINGS.get(form, form.lower()), np.asarray(twin))


def turned(orientation: int, form: str, size: tuple[int, int]) -> Encoded:
    """Returns noise as a camera writes it that was held otherwise: on its side, with a note."""
    upright = noise(size)
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True}
    stored.save(file, form, exif=exif, **options)
    return Encoded(file.getvalue(), ENDINGS.get(form, form.lower()), np.asarray(upright))
