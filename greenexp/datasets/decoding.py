"""How every image is read, from whatever source: upright, in 8-bit RGB, by one rule for each mode.

- An EXIF orientation is applied.
- Of several frames the first counts.
- Transparency is dropped, and the colours beneath it count, as in `transformers.load_image`.
- 16-bit grey becomes 8-bit by the ratio of the ranges, 65,535 to 255.
- Floats and 32-bit integers are refused: nothing tells their range.
- Images of more pixels than `PIL.Image.MAX_IMAGE_PIXELS` are refused before they are unpacked.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from greenexp.errors import BadInput

# Those that Pillow reads by itself; others start programs (EPS), or hold no picture (FITS, HDF5).
FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF"),
    *("JPEG2000", "AVIF", "PPM", "TGA", "QOI", "PCX", "SGI"),
)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
SIXTEEN_BIT_FORMATS = ("PNG", "PPM")  # what they give as 32-bit integers has 16
RANGE_16 = 65_535
LARGE_PIXELS = 2**24  # images beyond are unpacked one at a time


class UnreadableImage(BadInput):
    """An image that can't be read; the message says why and does not name it."""


@dataclass(frozen=True)
class Decoded:
    """An image as it is judged.

    Attributes:
        image: upright, RGB.
        frames: of the file; the first is the image.
    """

    image: Image.Image
    frames: int = 1


_large = threading.Lock()


def decode(file: Path | BinaryIO) -> Decoded:
    """Returns the image of a file.

    Raises:
        UnreadableImage: where it is broken, too large, or of a mode without a rule.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(file, formats=readable())
        with opened:
            pixels = opened.width * opened.height
            if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
                raise UnreadableImage(_too_large(pixels))
            with _large if pixels > LARGE_PIXELS else nullcontext():
                image = upright_rgb(opened)
            animated = getattr(opened, "is_animated", False) and opened.format != "MPO"
            return Decoded(image, int(getattr(opened, "n_frames", 1)) if animated else 1)
    except UnreadableImage:
        raise
    except Image.DecompressionBombError:
        raise UnreadableImage(_too_large(None)) from None
    except Exception:  # what Pillow raises for a broken file has no common type
        raise UnreadableImage("broken, or no image; repair or remove it") from None


@cache
def readable() -> tuple[str, ...]:
    """Returns the formats that are read here: those of `FORMATS` that Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def suffixes() -> frozenset[str]:
    """Returns the ends of the names that files of these formats have, in small letters."""
    readable()
    return frozenset(end for end, name in Image.registered_extensions().items() if name in FORMATS)


def _too_large(pixels: int | None) -> str:
    millions = "too many" if pixels is None else f"{pixels / 1e6:.0f} million"
    limit = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
    return f"it unpacks to {millions} pixels; allowed: up to {limit:.0f} million; make it smaller"


def upright_rgb(image: Image.Image) -> Image.Image:
    """Returns an image upright and in 8-bit RGB.

    Raises:
        UnreadableImage: where its mode has no rule.
    """
    image.load()
    return _rgb(_upright(image), image.format)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken block of EXIF says nothing of the orientation
        return image


def _rgb(image: Image.Image, format_: str | None) -> Image.Image:
    if image.mode in SIXTEEN_BITS or (image.mode == "I" and format_ in SIXTEEN_BIT_FORMATS):
        values = np.asarray(image).astype(np.uint32)
        grey = (values * 255 + RANGE_16 // 2) // RANGE_16
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        kind = "floats" if image.mode == "F" else "32-bit integers"
        raise UnreadableImage(
            f"its pixels are {kind}, and nothing tells their range; save it with 8 or 16 bits"
        )
    return image.convert("RGB")
