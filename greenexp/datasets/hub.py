"""A labelled image data set on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from greenexp.datasets.balance import balanced
from greenexp.datasets.card import DatasetCard
from greenexp.datasets.columns import Columns
from greenexp.datasets.decoding import Decoded, UnreadableImage, decode
from greenexp.datasets.fetching import Origin, SplitSample
from greenexp.datasets.folder import examples
from greenexp.datasets.streaming import encoded, first_of_each_class
from greenexp.errors import BadInput
from greenexp.protocols import LabelSpace, Samples
from greenexp.runs.files import digest
from greenexp.settings.checks import check_range

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Hub:
    """A data set by its hub id, as the library `datasets` reads it.

    Attributes:
        id: `org/name`, or a folder in the form of a repository.
        split: name of the evaluation split.
        config: name of the configuration; None for the only one.
        data_dir: folder inside the repository (for `refs/convert/parquet`).
        revision: branch, tag or commit.
        image_column: name of the column of images.
        label_column: name of the column of class indices.
        labels: name of the label space; None to match classes by name.
        class_names: names in the order of the class indices, in place of the data set's own.
        limit: number of images, class-balanced; None for all.
        seed: of the draw of `limit` images from a split that was downloaded.
        streaming: reads the split from its beginning and stops where `limit` images are found: the
            first of each class, which no seed changes. The split is not downloaded. Where it is
            sorted by class, nearly all of it is read.
        calibration_split: name of the split with training images; None for none. It is always
            streamed, since few of its images are used.
        card: what is known of it beforehand.
    """

    id: str
    split: str = "validation"
    config: str | None = None
    data_dir: str | None = None
    revision: str = "main"
    image_column: str = "image"
    label_column: str = "label"
    labels: str | None = None
    class_names: list[str] | None = None
    limit: int | None = None
    seed: int = 0
    streaming: bool = False
    calibration_split: str | None = None
    card: DatasetCard | None = None

    def __post_init__(self) -> None:
        check_range("dataset.limit", self.limit, at_least=1)
        if self.streaming and self.limit is None:
            raise BadInput(
                "dataset.streaming=true needs to know where to stop; give dataset.limit=…, or "
                "dataset.streaming=false to download the split"
            )
        if self.calibration_split == self.split:
            raise BadInput(
                f"dataset.calibration_split={self.calibration_split} is the evaluation split; "
                "give another, e.g. train, or null"
            )

    def check(self) -> LabelSpace:
        """Fetches what is not kept yet, decodes each image once and returns the classes."""
        return self._look[0]

    def notices(self) -> Sequence[str]:
        """Returns what isn't as it seems."""
        return self._look[1]

    @cached_property
    def _look(self) -> tuple[LabelSpace, Sequence[str]]:
        samples = self.load()

        def frames(index: int) -> int:
            try:
                return samples.decoded(index).frames
            except UnreadableImage as error:
                raise BadInput(
                    f"dataset.id={self.id}: image {samples.identifiers[index]} can't be read: "
                    f"{error}; or give another dataset.revision or dataset.split"
                ) from None

        with ThreadPoolExecutor() as pool:
            try:
                counts = list(pool.map(frames, range(len(samples.targets))))
            except BadInput:
                pool.shutdown(cancel_futures=True)  # one is enough
                raise
        animated = [
            name for name, count in zip(samples.identifiers, counts, strict=True) if count > 1
        ]
        notice = (
            f"dataset.id={self.id}: {len(animated)} images have several frames, of which the first "
            f"counts ({examples(animated)})"
        )
        return samples.labels, [notice] if animated else []

    def digest(self, *, calibration: int = 0, here: bool) -> str | None:
        """Returns the commit that is read; of a folder that of the images."""
        if self._origin.is_folder:
            return (self.calibration(calibration) if calibration else self.load()).digest()
        if here:
            asked = self._first_asked(self.limit) if self.limit and self.streaming else {}
            return self._origin.kept_commit({"split": self.split, **asked})
        return self.load().commit

    def load(self) -> HubSamples:
        """Returns the split, or the part of it asked for."""
        if self.limit is not None and self.streaming:
            return self._first(self.split, self.limit)
        columns = self._columns(self.split)
        fetched = self._origin.table(self.split)
        names = columns.names(fetched.table.features)
        targets = [columns.target(label, names) for label in fetched.table[self.label_column][:]]
        rows = balanced(targets, self.limit, self.seed)
        return self._samples(columns, replace(fetched, table=fetched.table.select(rows)), rows)

    @property
    def calibrates(self) -> bool:
        """Whether a split with training images is given."""
        return self.calibration_split is not None

    def calibration(self, count: int) -> HubSamples:
        """Returns up to `count` images of the calibration split, the first of each class.

        Raises:
            BadInput: where there is no such split.
        """
        if self.calibration_split is None:
            raise BadInput(
                f"dataset.id={self.id} has no calibration images; give "
                "dataset.calibration_split=…, a split with training images"
            )
        return self._first(self.calibration_split, count)

    @property
    def _origin(self) -> Origin:
        gated = self.card is not None and self.card.gated
        return Origin(self.id, self.config, self.data_dir, self.revision, gated)

    def _columns(self, split: str) -> Columns:
        return Columns(self.id, split, self.image_column, self.label_column, self.class_names)

    def _first(self, split: str, count: int) -> HubSamples:
        """Returns the first images of each class, from a stream or as they were kept of one."""
        columns = self._columns(split)
        sample = self._origin.sample(
            split,
            self._first_asked(count),
            lambda builder: first_of_each_class(builder, columns, count),
        )
        return self._samples(
            replace(columns, image="image", label="label"), sample, sample.table["row"][:]
        )

    def _first_asked(self, count: int) -> dict[str, Any]:
        """Returns what a sample of the first images depends on."""
        return {
            "first": count,
            "columns": [self.image_column, self.label_column],
            "class_names": self.class_names,
        }

    def _samples(self, columns: Columns, fetched: SplitSample, rows: Sequence[int]) -> HubSamples:
        """Returns the images fetched; `rows` is where they stand in the split."""
        table = fetched.table
        if not rows:
            raise BadInput(f"dataset.id={self.id} has no images in split {columns.split}")
        import datasets

        table = table.cast_column(columns.image, datasets.Image(decode=False))
        return HubSamples(
            labels=LabelSpace(self.labels, columns.names(table.features)),
            targets=[int(label) for label in table[columns.label][:]],
            identifiers=[f"{columns.split}-{row:06d}" for row in rows],
            table=table,
            column=columns.image,
            commit=fetched.commit,
        )


@dataclass(frozen=True)
class HubSamples(Samples):
    """Images by their row."""

    labels: LabelSpace
    targets: Sequence[int]
    identifiers: Sequence[str]
    table: Any
    column: str
    commit: str | None = None

    def image(self, index: int) -> Image:
        """Returns image `index` upright in RGB; raises BadInput where it can't be read."""
        try:
            return self.decoded(index).image
        except UnreadableImage as error:
            raise BadInput(f"image {self.identifiers[index]} can't be read: {error}") from None

    def digest(self) -> str:
        """Returns the commit; without one, what is equal as long as images and labels are."""
        if self.commit is not None:
            return self.commit
        names = self.labels.names
        return digest(
            (f"{name} {names[target]}", hashlib.sha256(self._file(index)).hexdigest())
            for index, (name, target) in enumerate(zip(self.identifiers, self.targets, strict=True))
        )

    def _file(self, index: int) -> bytes:
        return encoded(self.table[index][self.column])

    def decoded(self, index: int) -> Decoded:
        """Returns image `index` with what else its file holds; raises UnreadableImage."""
        try:
            file = io.BytesIO(self._file(index))
        except OSError:
            raise UnreadableImage("its file is gone") from None
        return decode(file)
