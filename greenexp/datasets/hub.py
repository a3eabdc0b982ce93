"""A labelled image data set on the Hugging Face hub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from greenexp.errors import BadInput, first_line, nearest
from greenexp.hub import describe
from greenexp.protocols import LabelSpace

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Hub:
    """A data set by its hub id, as `datasets.load_dataset` reads it.

    Attributes:
        id: `org/name`.
        split: name of the evaluation split.
        config: name of the configuration; None for the only one.
        data_dir: folder inside the repository (for `refs/convert/parquet`).
        revision: branch, tag or commit.
        image_column: name of the column of images.
        label_column: name of the column of class indices.
        labels: name of the label space; None to match classes by name.
        limit: number of images, the first ones; None for all.
    """

    id: str
    split: str = "validation"
    config: str | None = None
    data_dir: str | None = None
    revision: str = "main"
    image_column: str = "image"
    label_column: str = "label"
    labels: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise BadInput(f"dataset.limit={self.limit} is out of range; allowed: 1 or more")

    def check(self) -> LabelSpace:
        """Downloads the split where it is not cached, decodes it once, returns its classes."""
        samples = self.load()
        for index, identifier in enumerate(samples.identifiers):
            try:
                samples.image(index)
            except (OSError, SyntaxError, ValueError) as error:
                raise BadInput(
                    f"dataset.id={self.id}: image {identifier} can't be read ({first_line(error)})"
                ) from None
        return samples.labels

    def load(self) -> HubSamples:
        """Returns the split."""
        table = self._table()
        self._check_columns(table)
        if self.limit is not None:
            table = table.select(range(min(self.limit, len(table))))
        targets = table[self.label_column][:]
        if not targets:
            raise BadInput(f"dataset.id={self.id} has no images in split {self.split}")
        if any(target is None or target < 0 for target in targets):
            raise BadInput(
                f"dataset.id={self.id} has no labels in split {self.split}; give another "
                "dataset.split"
            )
        return HubSamples(
            labels=LabelSpace(self.labels, list(table.features[self.label_column].names)),
            targets=[int(target) for target in targets],
            identifiers=[f"{self.split}-{index:06d}" for index in range(len(targets))],
            table=table,
            column=self.image_column,
        )

    def _table(self) -> Any:
        """Reads the split: a folder's, the hub's, or without the hub the cache's."""
        if Path(self.id).is_dir():
            return self._read()
        try:
            describe(self.id, self.revision, kind="dataset", key="dataset.id")
        except BadInput as unreachable:
            with _offline(), contextlib.suppress(BadInput):
                return self._read()
            raise unreachable from None
        return self._read()

    def _read(self) -> Any:
        import datasets

        try:
            return datasets.load_dataset(
                self.id,
                self.config,
                split=self.split,
                data_dir=self.data_dir,
                revision=self.revision,
            )
        except (OSError, ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise BadInput(f"dataset.id={self.id} can't be read: {reason}") from None

    def _check_columns(self, table: Any) -> None:
        import datasets

        for key, column in (("image", self.image_column), ("label", self.label_column)):
            if column not in table.column_names:
                raise BadInput(
                    f"dataset.{key}_column={column} is not in {self.id}; it has "
                    f"{', '.join(table.column_names)}.{nearest(column, table.column_names)}"
                )
        image, label = table.features[self.image_column], table.features[self.label_column]
        if not isinstance(image, datasets.Image):
            raise BadInput(
                f"dataset.image_column={self.image_column} of {self.id} holds no images "
                f"but {image}; give the column whose type is Image"
            )
        if not isinstance(label, datasets.ClassLabel):
            raise BadInput(
                f"dataset.label_column={self.label_column} of {self.id} holds no class labels "
                f"but {label}; give the column whose type is ClassLabel"
            )


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Keeps the libraries from asking the hub, and from retrying, inside the context."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@dataclass(frozen=True)
class HubSamples:
    """Images by their row."""

    labels: LabelSpace
    targets: Sequence[int]
    identifiers: Sequence[str]
    table: Any
    column: str

    def image(self, index: int) -> Image:
        """Returns image `index` in RGB."""
        return cast("Image", self.table[index][self.column].convert("RGB"))
