"""The first images of each class from the hub, to evaluate on and to calibrate on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.datasets.hub import Hub
from greenexp.protocols import LabelSpace
from tests.support.tiny_models import COLORS

if TYPE_CHECKING:
    from tests.support.hub_server import HubServer
    from tests.support.modules import Refusal

SORTED = [0] * 6 + [1] * 6 + [2] * 6


@pytest.fixture
def written(tmp_path: Path, no_hub: HubServer) -> Callable[..., str]:
    """Saves splits of numbered images, a few a row group, and returns the folder."""
    import datasets
    from PIL import Image

    def save(labels: Sequence[int | None] = SORTED, feature: Any = None, **splits: Any) -> str:
        folder = tmp_path / "written"
        folder.mkdir()
        for split, targets in {"validation": labels, **splits}.items():
            rows = {
                "image": [Image.new("RGB", (4, 4), (row, row, row)) for row in range(len(targets))],
                "label": list(targets),
            }
            features = {
                "image": datasets.Image(),
                "label": feature or datasets.ClassLabel(names=list(COLORS)),
            }
            datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(
                folder / f"{split}.parquet", batch_size=4
            )
        return str(folder)

    return save


@pytest.mark.parametrize(
    ("labels", "limit", "rows"),
    [
        pytest.param([0, 1, 2] * 6, 7, list(range(7)), id="as they come"),
        pytest.param(SORTED, 6, [0, 1, 6, 7, 12, 13], id="sorted by class"),
        pytest.param(SORTED, 1, [0], id="fewer than classes"),
        pytest.param([0, 0, 0, 0, 2], 9, [0, 1, 2, 4], id="a class that is small, one that is not"),
    ],
)
def test_stream_gives_the_first_of_each_class(
    written: Callable[..., str], labels: list[int], limit: int, rows: list[int]
) -> None:
    source = Hub(written(labels), limit=limit, streaming=True, labels="colors")
    samples = source.load()
    assert samples.identifiers == [f"validation-{row:06d}" for row in rows]
    assert samples.targets == [labels[row] for row in rows]
    assert [samples.image(index).getpixel((0, 0)) for index in range(len(rows))] == [
        (row, row, row) for row in rows
    ]
    assert samples.labels == source.check() == LabelSpace("colors", list(COLORS))


def test_stream_is_the_same_whatever_the_seed(written: Callable[..., str]) -> None:
    folder = written()
    each = [Hub(folder, limit=5, streaming=True, seed=seed).load() for seed in range(4)]
    assert len({tuple(samples.identifiers) for samples in each}) == 1


def test_stream_of_numbers_takes_the_names_given(written: Callable[..., str]) -> None:
    import datasets

    folder = written([1, 0], datasets.Value("int64"))
    samples = Hub(folder, limit=2, streaming=True, class_names=["a", "b"]).load()
    assert (samples.labels.names, samples.targets) == (["a", "b"], [1, 0])


def test_stream_of_image_files_is_read_too(colors_folder: Path, no_hub: HubServer) -> None:
    samples = Hub(str(colors_folder), split="train", limit=3, streaming=True).load()
    assert samples.labels.names == list(COLORS)
    assert sorted(samples.targets) == [0, 1, 2]
    colors = [samples.image(index).getpixel((0, 0)) for index in range(3)]
    assert colors == [COLORS[list(COLORS)[target]] for target in samples.targets]


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        pytest.param([], {}, "has no images in split validation", id="empty"),
        pytest.param([0, None], {}, "has no labels in split validation", id="no labels"),
        pytest.param([0], {"split": "validaton"}, "Did you mean validation?", id="split"),
        pytest.param([0], {"image_column": "imgae"}, "Did you mean image?", id="column"),
        pytest.param([0], {"class_names": ["a"]}, "holds 1 names", id="names"),
    ],
)
def test_stream_is_refused_as_a_table_is(
    written: Callable[..., str],
    refusal: Refusal,
    labels: list[int | None],
    options: dict[str, Any],
    words: str,
) -> None:
    source = Hub(written(labels), **{"limit": 4, "streaming": True, **options})
    assert words in refusal(source.check)


def test_stream_without_a_limit_is_refused(refusal: Refusal) -> None:
    text = refusal(lambda: Hub("org/data", streaming=True))
    assert "dataset.streaming=true needs to know where to stop; give dataset.limit=" in text


# Calibration images


def test_hub_calibrates_on_the_first_of_each_class_of_another_split(
    written: Callable[..., str],
) -> None:
    source = Hub(written(train=[0, 0, 1, 1, 2, 2]), calibration_split="train")
    assert source.calibrates
    samples = source.calibration(4)
    assert samples.identifiers == ["train-000000", "train-000001", "train-000002", "train-000004"]
    assert samples.targets == [0, 0, 1, 2]
    assert samples.image(3).getpixel((0, 0)) == (4, 4, 4)


def test_hub_without_a_calibration_split_says_so(refusal: Refusal) -> None:
    source = Hub("org/data")
    assert not source.calibrates
    assert "give dataset.calibration_split=" in refusal(lambda: source.calibration(1))


def test_hub_can_t_calibrate_on_what_it_evaluates(refusal: Refusal) -> None:
    text = refusal(lambda: Hub("org/data", split="test", calibration_split="test"))
    assert "dataset.calibration_split=test is the evaluation split" in text
