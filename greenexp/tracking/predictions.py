"""Reads which images runs had right from their files of predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.texts import from_spreadsheet_cell


@dataclass(frozen=True)
class PredictionFiles:
    """Files of predictions; the images that several name are one object in memory.

    A tuple a run would take gigabytes: 50,000 names in each of hundreds of runs.
    """

    _images: list[tuple[Any, tuple[str, ...]]] = field(default_factory=list)

    def read(self, file: Path | BinaryIO) -> ImageOutcomes | None:
        """Returns what a file holds; None where it is gone or can't be read."""
        import pyarrow
        from pyarrow import csv

        kinds = {"image": pyarrow.string(), "correct": pyarrow.bool_()}
        wanted = csv.ConvertOptions(include_columns=list(kinds), column_types=kinds)
        try:
            table = csv.read_csv(file, convert_options=wanted)
        except (OSError, pyarrow.ArrowException):
            return None
        return ImageOutcomes(self._shared(table["image"]), table["correct"].to_numpy().astype(bool))

    def _shared(self, column: Any) -> tuple[str, ...]:
        """Returns the names in a column, the same object for the same names."""
        for known, images in self._images:
            if column.equals(known):
                return images
        images = tuple(map(from_spreadsheet_cell, column.to_pylist()))
        self._images.append((column, images))
        return images


def read_all(paths: Mapping[str, Path]) -> dict[str, ImageOutcomes | None]:
    """Returns what each file holds, as `PredictionFiles.read`."""
    files = PredictionFiles()
    return {name: files.read(path) for name, path in paths.items()}
