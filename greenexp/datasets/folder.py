"""Images in a folder, one sub-folder a class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from greenexp.errors import BadInput
from greenexp.protocols import LabelSpace

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
EXAMPLES = 3
# What PIL raises for broken files.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Folder:
    """`path/<class name>/<image>`; classes are the sub-folders in the order of their names."""

    path: str
    labels: str | None = None

    def check(self) -> LabelSpace:
        """Decodes every image once; raises BadInput naming those that can't be read."""
        samples = self.load()
        with ThreadPoolExecutor() as pool:
            corrupt = [path for path in pool.map(_unreadable, samples.paths) if path is not None]
        if corrupt:
            shown = ", ".join(path.name for path in corrupt[:EXAMPLES])
            raise BadInput(
                f"dataset.path={self.path}: {len(corrupt)} of {len(samples.paths)} images can't be "
                f"read ({shown}{', …' if len(corrupt) > EXAMPLES else ''}); repair or remove them"
            )
        return samples.labels

    def load(self) -> FolderSamples:
        """Returns all images of the folder."""
        root = Path(self.path)
        if not root.is_dir():
            raise BadInput(
                f"dataset.path={self.path} is no folder; give a folder with one sub-folder a class"
            )
        by_class = {
            entry.name: sorted(_images(entry))
            for entry in sorted(root.iterdir())
            if entry.is_dir() and not entry.name.startswith(".")
        }
        if self.labels is None:  # in a label space an empty class keeps its index
            by_class = {name: paths for name, paths in by_class.items() if paths}
        if not any(by_class.values()):
            raise BadInput(
                f"dataset.path={self.path} holds no images; expected <class name>/<image> with "
                f"{', '.join(SUFFIXES)}"
            )
        paths = [path for group in by_class.values() for path in group]
        return FolderSamples(
            labels=LabelSpace(self.labels, list(by_class)),
            targets=[index for index, group in enumerate(by_class.values()) for _ in group],
            identifiers=[path.relative_to(root).as_posix() for path in paths],
            paths=paths,
        )


@dataclass(frozen=True)
class FolderSamples:
    """Images by their file."""

    labels: LabelSpace
    targets: Sequence[int]
    identifiers: Sequence[str]
    paths: Sequence[Path]

    def image(self, index: int) -> Image.Image:
        """Returns image `index` in RGB; raises BadInput where it can't be read."""
        path = self.paths[index]
        try:
            return _decode(path)
        except UNREADABLE:
            raise BadInput(f"image {path.name} can't be read; repair or remove it") from None


def _images(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _decode(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _unreadable(path: Path) -> Path | None:
    try:
        _decode(path)
    except UNREADABLE:
        return path
    return None
