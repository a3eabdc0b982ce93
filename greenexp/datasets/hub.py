"""A labelled image data set on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from greenexp.errors import BadInput, nearest
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
        """Downloads the split where it is not cached, and returns its classes."""
        return self.load().labels

    def load(self) -> HubSamples:
        """Returns the split."""
        import datasets

        given = f"dataset.id={self.id}"
        download = datasets.DownloadConfig(local_files_only=True)
        try:
            table = self._load(download_config=download)
        except (OSError, ValueError):
            describe(self.id, self.revision, kind="dataset", key="dataset.id")
            try:
                table = self._load()
            except (OSError, ValueError, RuntimeError) as error:
                reason = str(error).strip().splitlines()[0]
                raise BadInput(f"{given} can't be read: {reason}") from None
        for key, column in (("image", self.image_column), ("label", self.label_column)):
            if column not in table.column_names:
                raise BadInput(
                    f"dataset.{key}_column={column} is not in {self.id}; it has "
                    f"{', '.join(table.column_names)}.{nearest(column, table.column_names)}"
                )
        feature = table.features[self.label_column]
        names = getattr(feature, "names", None)
        if names is None:
            raise BadInput(
                f"dataset.label_column={self.label_column} of {self.id} holds no class labels "
                f"but {feature}; give the column whose type is ClassLabel"
            )
        if self.limit is not None:
            table = table.select(range(min(self.limit, len(table))))
        targets = [int(target) for target in table[self.label_column]]
        if not targets:
            raise BadInput(f"{given} has no images in split {self.split}")
        if min(targets) < 0:
            raise BadInput(
                f"{given} has no labels in split {self.split} (class -1); give another "
                "dataset.split"
            )
        return HubSamples(
            labels=LabelSpace(self.labels, list(names)),
            targets=targets,
            identifiers=[f"{self.split}-{index:06d}" for index in range(len(targets))],
            table=table,
            column=self.image_column,
        )

    def _load(self, **options: Any) -> Any:
        import datasets

        return datasets.load_dataset(
            self.id,
            self.config,
            split=self.split,
            data_dir=self.data_dir,
            revision=self.revision,
            **options,
        )


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
