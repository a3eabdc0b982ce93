"""The first images of each class, read from the beginning of a split without downloading it.

Rows come in groups, and a group's images are fetched only where one of them is wanted. Of Parquet
files a group is a row group, whose labels are a small part: a split that is sorted by class is
skimmed by them. The library's own stream of Parquet is not used: it fetches ahead, 32 MiB and more,
and ends the process where it is left before its end (https://github.com/apache/arrow/issues/45214).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from greenexp.datasets.balance import Quota
from greenexp.datasets.columns import Columns
from greenexp.errors import BadInput

Group = tuple[Sequence[int | None], Callable[[Sequence[int]], Sequence[Any]]]
"""The labels of some rows, and a function from places among them to encoded images."""


def first_of_each_class(
    builder: Any, columns: Columns, count: int
) -> tuple[Any, Iterator[dict[str, Any]]]:
    """Returns the features and the rows of a sample: `image`, encoded, `label`, `row` in the split.

    Args:
        builder: the library's reader of one split (`datasets.DatasetBuilder`).
        columns: to be read.
        count: rows at most, see `Quota`.
    """
    import datasets

    features, groups = (_parquet if builder.name == "parquet" else _stream)(builder, columns)
    names = columns.names(features)
    sample = datasets.Features(
        {
            "image": datasets.Image(),
            "label": features[columns.label],
            "row": datasets.Value("int64"),
        }
    )
    return sample, _rows(groups, columns, names, count)


def _rows(
    groups: Iterator[Group], columns: Columns, names: Sequence[str], count: int
) -> Iterator[dict[str, Any]]:
    quota = Quota(len(names), count)
    start = 0
    for labels, images in groups:
        targets = [columns.target(label, names) for label in labels]
        wanted = [place for place, target in enumerate(targets) if quota.takes(target)]
        if wanted:
            for place, image in zip(wanted, images(wanted), strict=True):
                yield {"image": image, "label": targets[place], "row": start + place}
        if not quota.left:
            return
        start += len(labels)
    if not start:
        raise BadInput(f"dataset.id={columns.id} has no images in split {columns.split}")


def _parquet(builder: Any, columns: Columns) -> tuple[Any, Iterator[Group]]:
    import datasets

    paths = [path for paths in builder.config.data_files.values() for path in paths]
    features = builder.info.features
    if features is None:
        with _opened(paths[0]) as first:
            features = datasets.Features.from_arrow_schema(first.schema_arrow)

    def groups() -> Iterator[Group]:
        for path in paths:
            with _opened(path) as file:
                for number in range(file.num_row_groups):
                    read = partial(_column, file, number, features)
                    yield read(columns.label).to_pylist(), partial(_taken, read, columns.image)

    return features, groups()


@contextlib.contextmanager
def _opened(path: str) -> Iterator[Any]:
    import pyarrow.parquet as pq
    from fsspec.core import url_to_fs

    system, place = url_to_fs(path)
    # Each column of a row group is one range; a cache would fetch what lies between them.
    with system.open(place, "rb", cache_type="none") as file:
        yield pq.ParquetFile(file)


def _column(file: Any, number: int, features: Any, name: str) -> Any:
    """Returns a column of a row group, in the form that its feature has in memory."""
    import datasets
    from datasets.table import table_cast

    schema = datasets.Features({name: features[name]}).arrow_schema
    return table_cast(file.read_row_group(number, columns=[name]), schema).column(name)


def _taken(read: Callable[[str], Any], name: str, wanted: Sequence[int]) -> Sequence[Any]:
    return [_whole(image) for image in read(name).take(wanted).to_pylist()]


def _stream(builder: Any, columns: Columns) -> tuple[Any, Iterator[Group]]:
    (split,) = builder.config.data_files
    stream = builder.as_streaming_dataset(split).decode(False)

    def groups() -> Iterator[Group]:
        with contextlib.closing(iter(stream)) as rows:
            for row in rows:
                yield [row[columns.label]], partial(_alone, row[columns.image])

    return stream.features or {}, groups()


def _alone(image: Mapping[str, Any], _: Sequence[int]) -> Sequence[Any]:
    return [_whole(image)]


def _whole(image: Mapping[str, Any]) -> dict[str, Any]:
    return {"bytes": encoded(image), "path": None}


def encoded(image: Mapping[str, Any]) -> bytes:
    """Returns an image's file, which a folder of images gives by its path."""
    import fsspec

    if image["bytes"] is not None:
        return bytes(image["bytes"])
    with fsspec.open(image["path"], "rb") as file:
        return bytes(file.read())
