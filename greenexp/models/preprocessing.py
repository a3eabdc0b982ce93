"""Images to pixel values, as a checkpoint's image processor makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from greenexp.errors import BadInput, first_line

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

CHANNELS = (1, 3)  # grey and RGB
PIXELS = "pixel_values"  # what image processors call them; Perceiver's model calls them otherwise
CURE = "set do_resize, size and crop_size in preprocessor_config.json so that all have one size"


class Preprocessing:
    """Makes pixel values of one shape: float32 (images, channels, height, width)."""

    def __init__(self, location: str, processor: Any, channels: int, reads: Sequence[str]) -> None:
        """Takes an image processor.

        Args:
            location: of the checkpoint, for messages.
            processor: of transformers.
            channels: that the model takes; with one, images become grey.
            reads: names of what the model's forward pass takes.
        """
        self._location = location
        self._processor = processor
        self._channels = channels
        self._reads = reads
        self._shape: tuple[int, ...] | None = None  # of an image, without the batch

    def __call__(self, images: Sequence[Image]) -> Tensor:
        """Returns the pixel values of RGB images.

        Raises:
            BadInput: where the processor can't read them, makes them of unlike shapes, or makes
                more than pixel values of them.
        """
        given = list(images)
        if self._channels == 1:
            given = [image.convert("L") for image in given]
        try:
            made = self._processor(images=given, return_tensors="pt")
        except ValueError as error:
            self._check_shapes(given)
            raise BadInput(
                f"{self._location}: its image processor can't read the images "
                f"({first_line(error)}); mend preprocessor_config.json"
            ) from None
        pixels = self._pixels(made)
        self._check_shape(tuple(pixels.shape[1:]))
        return pixels

    def save(self, folder: Path) -> None:
        """Writes the image processor's configuration, as `from_pretrained` reads it."""
        self._processor.save_pretrained(folder)

    def _pixels(self, made: Mapping[str, Any]) -> Tensor:
        more = sorted(name for name in made if name != PIXELS and name in self._reads)
        if PIXELS not in made or more:
            raise BadInput(
                f"{self._location}: its image processor makes {', '.join(sorted(made))}, and the "
                f"model needs {', '.join(more) or 'other input'}; allowed: a model that pixel "
                "values alone are enough for"
            )
        return cast("Tensor", made[PIXELS])

    def _check_shapes(self, images: Sequence[Image]) -> None:
        """Finds images whose shapes differ, which no batch can hold together."""
        for image in images:
            try:
                made = self._processor(images=[image], return_tensors="pt")
            except ValueError:
                return  # it is not their shapes
            self._check_shape(tuple(self._pixels(made).shape[1:]))

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] != self._channels:
            raise BadInput(
                f"{self._location}: its image processor makes images of shape {_sizes(shape)}, and "
                f"the model takes {self._channels} x height x width; mend preprocessor_config.json"
            )
        if self._shape is None:
            self._shape = shape
        elif shape != self._shape:
            raise BadInput(
                f"{self._location}: its image processor makes images of unlike sizes, "
                f"{_sizes(self._shape)} and {_sizes(shape)}, and a batch holds one; {CURE}"
            )


def _sizes(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
