"""One split of a data set on the hub, whole or as a stream, and what is kept of it on disk.

`datasets.load_dataset` downloads all splits to give one, and without the hub finds neither the
revision asked for nor what was read with `data_dir`. So only the files of one split are read here,
and kept by commit beside the library's own cache:

    <HF_DATASETS_CACHE>/greenexp/<org>--<name>/<hash of what was asked for>/<commit>/*.arrow
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import BadInput, first_line, nearest
from greenexp.hub import access_refused, describe, explain

Choose = Callable[[Any], tuple[Any, Iterable[Mapping[str, Any]]]]
"""From the library's reader of one split to the features and the rows of a sample."""


@dataclass(frozen=True)
class SplitSample:
    """A split, or a sample of one.

    Attributes:
        table: `datasets.Dataset`.
        commit: that it is of; None where that isn't known.
    """

    table: Any
    commit: str | None = None


@dataclass(frozen=True)
class Origin:
    """A repository on the hub, or a folder in its form, and which part of it.

    Attributes:
        id: `org/name`, or the folder.
        config: name of the configuration; None for the only one.
        data_dir: folder inside the repository.
        revision: branch, tag or commit.
        gated: known to ask for a log-in.
    """

    id: str
    config: str | None
    data_dir: str | None
    revision: str
    gated: bool

    def table(self, split: str) -> SplitSample:
        """Returns a split, downloading its files where they are not kept."""
        if self.is_folder:
            with self._reading():
                return SplitSample(self._load(split))

        def make(folder: Path) -> None:
            self._builder(split).download_and_prepare(output_dir=str(folder))

        return self._kept({"split": split}, make, otherwise=lambda: self._load(split))

    def sample(self, split: str, asked: Mapping[str, Any], choose: Choose) -> SplitSample:
        """Returns rows chosen from a stream; they are streamed only once.

        Args:
            split: to be streamed.
            asked: what the choice depends on, as JSON can hold it.
            choose: reads the sample.
        """
        if self.is_folder:
            import datasets

            with self._reading():
                features, rows = choose(self._builder(split))
                return SplitSample(datasets.Dataset.from_list(list(rows), features=features))

        def make(folder: Path) -> None:
            features, rows = choose(self._builder(split))
            _write(folder, features, rows)

        return self._kept({"split": split, **asked}, make)

    def kept_commit(self, asked: Mapping[str, Any]) -> str | None:
        """Returns the commit of what was kept last of it on this machine; None where nothing is."""
        kept = _kept_in(self._root(asked))
        return kept.name if kept is not None else None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine."""
        return Path(self.id).is_dir()

    def _kept(
        self,
        asked: Mapping[str, Any],
        make: Callable[[Path], None],
        otherwise: Callable[[], Any] | None = None,
    ) -> SplitSample:
        """Returns what is kept of the revision's commit, made first where nothing is.

        Where the hub can't be asked it is what was kept last, or what `otherwise` finds.
        """
        root = self._root(asked)
        try:
            commit = self._commit()
        except BadInput:
            kept = _kept_in(root)
            if kept is not None:
                return _read(kept)
            if otherwise is not None and self.revision == "main":  # the library's cache knows none
                with _offline(), contextlib.suppress(BadInput), self._reading():
                    return SplitSample(otherwise())
            raise
        folder = root / commit
        if not folder.exists():
            with self._reading():
                _make_whole(folder, make)
        return _read(folder)

    def _commit(self) -> str:
        from huggingface_hub import get_token

        if self.gated and get_token() is None:
            raise BadInput(f"dataset.id={self.id} {access_refused(self.id, kind='dataset')}")
        return str(describe(self.id, self.revision, kind="dataset", key="dataset.id").commit)

    def _root(self, asked: Mapping[str, Any]) -> Path:
        import datasets.config

        part = {"config": self.config, "data_dir": self.data_dir, "revision": self.revision}
        digest = hashlib.sha256(json.dumps({**part, **asked}, sort_keys=True).encode()).hexdigest()
        cache = Path(datasets.config.HF_DATASETS_CACHE).expanduser()
        return cache / "greenexp" / self.id.replace("/", "--") / digest[:16]

    def _load(self, split: str) -> Any:
        import datasets

        return datasets.load_dataset(self.id, self.config, split=split, data_dir=self.data_dir)

    def _builder(self, split: str) -> Any:
        """Returns the library's reader of the repository, which then knows of one split only."""
        import datasets

        builder = datasets.load_dataset_builder(
            self.id, self.config, data_dir=self.data_dir, revision=self.revision
        )
        files = builder.config.data_files or {}
        names = [str(name) for name in files]
        if split not in names:
            raise BadInput(
                f"dataset.id={self.id} has no split {split}; it has "
                f"{', '.join(names)}.{nearest(split, names)}"
            )
        builder.config.data_files = type(files)({split: files[split]})
        # Said of all splits together; the room on disk would be judged by it.
        info = builder.info
        info.splits = info.download_size = info.dataset_size = info.size_in_bytes = None
        return builder

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns what the libraries raise inside the context into BadInput, one line each."""
        from datasets.exceptions import DatasetsError
        from huggingface_hub.errors import HTTPError

        key = f"dataset.id={self.id}"
        try:
            yield
        except (HTTPError, ConnectionError) as error:
            reason = explain(error, self.id, self.revision, kind="dataset")
            raise BadInput(f"{key} {reason}") from None
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            reason = first_line(error.__cause__ or error)
            raise BadInput(f"{key} can't be read: {reason}") from None


def _kept_in(root: Path) -> Path | None:
    """Returns the folder that was kept last."""
    folders = [path for path in root.glob("[!.]*") if path.is_dir()]
    return max(folders, key=lambda path: path.stat().st_mtime, default=None)


def _make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    """Makes a folder such that it is there whole or not at all, by one process at a time."""
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        if folder.exists():
            return
        unfinished = folder.parent / ".unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
        unfinished.mkdir()
        try:
            make(unfinished / "split")
            (unfinished / "split").rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _write(folder: Path, features: Any, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as they come, so that they need not fit in memory."""
    from datasets.arrow_writer import ArrowWriter

    folder.mkdir()
    with ArrowWriter(features=features, path=str(folder / "sample.arrow")) as writer:
        for row in rows:
            writer.write(row)
        writer.finalize()


def _read(folder: Path) -> SplitSample:
    """Returns what is kept in a folder, whose name is the commit."""
    import datasets

    files = [datasets.Dataset.from_file(str(file)) for file in sorted(folder.glob("*.arrow"))]
    return SplitSample(datasets.concatenate_datasets(files), folder.name)


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
