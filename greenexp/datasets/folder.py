"""Images in a folder, one sub-folder a class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL.Image import Image

from greenexp.datasets.balance import balanced
from greenexp.datasets.decoding import UnreadableImage, decode, suffixes
from greenexp.datasets.listing import listing
from greenexp.errors import BadInput
from greenexp.protocols import LabelSpace, Samples
from greenexp.runs.files import digest, file_digest
from greenexp.settings.checks import check_range

EXAMPLES = 3


@dataclass(frozen=True)
class Folder:
    """`path/<class name>/<image>`; classes are the sub-folders in the order of their names.

    Where all names are numbers their order is that of the numbers.

    Attributes:
        path: the folder.
        labels: name of the label space; None to match classes by name.
        limit: number of images, class-balanced and drawn by the seed; None for all.
        seed: of the draws.
        calibration_path: folder of training images in the same form; None for none.
        held_back: number of images, class-balanced and drawn by the seed, that no run evaluates:
            they are the calibration images. The same images are left for every tactic.
    """

    path: str
    labels: str | None = None
    limit: int | None = None
    seed: int = 0
    calibration_path: str | None = None
    held_back: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(Path(self.path).expanduser()))
        if self.calibration_path is not None:
            given = str(Path(self.calibration_path).expanduser())
            object.__setattr__(self, "calibration_path", given)
        check_range("dataset.limit", self.limit, at_least=1)
        check_range("dataset.held_back", self.held_back, at_least=0)
        if self.calibration_path is None:
            return
        if self.held_back:
            raise BadInput(
                f"dataset.held_back={self.held_back} and dataset.calibration_path="
                f"{self.calibration_path} exclude each other; give one of them"
            )
        evaluated, training = Path(self.path).resolve(), Path(self.calibration_path).resolve()
        if training.is_relative_to(evaluated) or evaluated.is_relative_to(training):
            raise BadInput(
                f"dataset.calibration_path={self.calibration_path} shares images with "
                f"dataset.path={self.path}; give a folder apart, or dataset.held_back=…"
            )

    def check(self) -> LabelSpace:
        """Decodes each image once; raises BadInput naming those that can't be read.

        Images in `calibration_path` are counted, not decoded: there may be many, and few are used.
        """
        return self._look[0]

    def notices(self) -> Sequence[str]:
        """Returns what is taken of the folder, and what of it isn't as it seems."""
        return self._look[1]

    @cached_property
    def _look(self) -> tuple[LabelSpace, Sequence[str]]:
        evaluated, held_back = self._parts()
        lines = [f"dataset.path={self.path}: {listing(self.path, 'dataset.path').line()}"]
        if self.calibration_path is not None:
            _images_in(self.calibration_path, "dataset.calibration_path", None)
        paths = [*evaluated.paths, *held_back.paths]
        with ThreadPoolExecutor() as pool:
            looks = list(zip(paths, pool.map(_frames_or_fault, paths), strict=True))
        faults = {readable(path.name): fault for path, fault in looks if isinstance(fault, str)}
        if faults:
            raise BadInput(
                f"dataset.path={self.path}: {len(faults)} of {len(paths)} images can't be "
                f"read ({examples(faults)}): {next(iter(faults.values()))}"
            )
        animated = [
            readable(path.name) for path, frames in looks if isinstance(frames, int) and frames > 1
        ]
        if animated:
            lines.append(
                f"dataset.path={self.path}: {len(animated)} images have several frames, of which "
                f"the first counts ({examples(animated)})"
            )
        return evaluated.labels, lines

    def digest(self, *, calibration: int = 0, here: bool) -> str | None:
        """Returns that of the images, see `IdentifiedDataset`."""
        samples = self.calibration(calibration) if calibration else self.load()
        return samples.digest()

    def load(self) -> FolderSamples:
        """Returns the images of the folder, or the part of them asked for."""
        return self._parts()[0]

    @property
    def calibrates(self) -> bool:
        """Whether calibration images are given or held back."""
        return self.calibration_path is not None or self.held_back > 0

    def calibration(self, count: int) -> FolderSamples:
        """Returns up to `count` calibration images, class-balanced and drawn by the seed.

        Raises:
            BadInput: where there are none.
        """
        if not self.calibrates:
            raise BadInput(
                f"dataset.path={self.path} has no calibration images; give "
                "dataset.calibration_path=…, or dataset.held_back=… to take them out of it"
            )
        if self.calibration_path is not None:
            samples = _images_in(self.calibration_path, "dataset.calibration_path", self.labels)
        else:
            samples = self._parts()[1]
        return samples.only(balanced(samples.targets, count, self.seed))

    def _parts(self) -> tuple[FolderSamples, FolderSamples]:
        """Returns what is evaluated, and what is held back."""
        samples = _images_in(self.path, "dataset.path", self.labels)
        count = len(samples.targets)
        if self.held_back >= count:
            raise BadInput(
                f"dataset.held_back={self.held_back} leaves no image of dataset.path={self.path} "
                f"to evaluate; allowed: 0 to {count - 1}"
            )
        held_back = balanced(samples.targets, self.held_back, self.seed)
        left = samples.only(sorted(set(range(count)) - set(held_back)))
        evaluated = left.only(balanced(left.targets, self.limit, self.seed))
        return evaluated, samples.only(held_back)


@dataclass(frozen=True)
class FolderSamples(Samples):
    """Images by their file."""

    labels: LabelSpace
    targets: Sequence[int]
    identifiers: Sequence[str]
    paths: Sequence[Path]

    def image(self, index: int) -> Image:
        """Returns image `index` upright in RGB; raises BadInput where it can't be read."""
        path = self.paths[index]
        try:
            return decode(path).image
        except UnreadableImage as error:
            raise BadInput(f"image {readable(path.name)} can't be read: {error}") from None

    def digest(self) -> str:
        """Returns what is equal as long as names, classes and files are."""
        with ThreadPoolExecutor() as pool:
            contents = pool.map(file_digest, self.paths)
            named = (f"{name} {self.labels.names[t]}" for name, t in self._named())
            return digest(zip(named, contents, strict=True))

    def _named(self) -> Iterable[tuple[str, int]]:
        return zip(self.identifiers, self.targets, strict=True)

    def only(self, indices: Iterable[int]) -> FolderSamples:
        """Returns the images at these indices."""
        indices = list(indices)
        return FolderSamples(
            labels=self.labels,
            targets=[self.targets[index] for index in indices],
            identifiers=[self.identifiers[index] for index in indices],
            paths=[self.paths[index] for index in indices],
        )


def examples(names: Iterable[str]) -> str:
    """Returns the first of some names, with dots where there are more."""
    names = list(names)
    return ", ".join([*names[:EXAMPLES], *(["…"] if len(names) > EXAMPLES else [])])


def _images_in(folder: str, key: str, labels: str | None) -> FolderSamples:
    """Returns all images of a folder; `key` is the option that named it, for messages."""
    listed = listing(folder, key)
    by_class = listed.classes
    if labels is None:  # in a label space an empty class keeps its index
        by_class = {name: paths for name, paths in by_class.items() if paths}
    if not listed.images:
        raise BadInput(
            f"{key}={folder} holds no images; expected <class name>/<image> with "
            f"{', '.join(sorted(suffixes()))}"
        )
    paths = [path for group in by_class.values() for path in group]
    return FolderSamples(
        labels=LabelSpace(labels, [readable(name) for name in by_class]),
        targets=[index for index, group in enumerate(by_class.values()) for _ in group],
        identifiers=[readable(path.relative_to(folder).as_posix()) for path in paths],
        paths=paths,
    )


def readable(name: str) -> str:
    """Returns a name of a file with the bytes that aren't UTF-8 spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _frames_or_fault(path: Path) -> int | str:
    """Returns how many frames an image has, or why it can't be read."""
    try:
        return decode(path).frames
    except UnreadableImage as error:
        return str(error)
