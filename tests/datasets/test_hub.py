"""Labelled images from the hub, by folders in the form of a repository, which are read alike.

What is downloaded, kept and refused is in test_hub_offline.py.
"""

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

Table = Callable[..., str]


@pytest.fixture
def table(tmp_path: Path, no_hub: HubServer) -> Table:
    """Saves a split of small images as Parquet and returns the folder, to be read like an id."""
    import datasets
    from PIL import Image

    def save(
        labels: Sequence[int | None] = (0, 2, 1, 2),
        feature: Any = None,
        split: str = "validation",
        mode: str = "RGB",
    ) -> str:
        names = list(COLORS)
        images = [
            Image.new("RGB", (4, 4), COLORS[names[label or 0]]).convert(mode) for label in labels
        ]
        rows = datasets.Dataset.from_dict(
            {"image": images, "label": list(labels)},
            features=datasets.Features(
                {
                    "image": datasets.Image(),
                    "label": feature or datasets.ClassLabel(names=names),
                }
            ),
        )
        folder = tmp_path / "table"
        folder.mkdir()
        rows.to_parquet(folder / f"{split}.parquet")
        return str(folder)

    return save


def test_hub_split_is_read(table: Table) -> None:
    source = Hub(table(), labels="colors")
    samples = source.load()
    assert source.check() == samples.labels == LabelSpace("colors", list(COLORS))
    assert samples.targets == [0, 2, 1, 2]
    assert samples.identifiers == [f"validation-00000{index}" for index in range(4)]
    colors = [samples.image(index).getpixel((0, 0)) for index in range(4)]
    assert colors == [COLORS[list(COLORS)[target]] for target in samples.targets]


def test_hub_split_is_the_one_asked_for(table: Table) -> None:
    folder = table(split="test")
    assert Hub(folder, split="test").load().identifiers[0] == "test-000000"


@pytest.mark.parametrize("mode", ["L", "RGBA", "1"])
def test_hub_images_are_converted_to_rgb(table: Table, mode: str) -> None:
    assert Hub(table([0], mode=mode)).load().image(0).mode == "RGB"


MANY = [0, 1, 2] * 4 + [0, 0, 0]


@pytest.mark.parametrize(
    ("limit", "counts"),
    [
        pytest.param(None, [7, 4, 4], id="none"),
        pytest.param(3, [1, 1, 1], id="even"),
        pytest.param(14, [6, 4, 4], id="small classes give all"),
        pytest.param(99, [7, 4, 4], id="more_than_there_are"),
    ],
)
def test_hub_limit_is_class_balanced(table: Table, limit: int | None, counts: list[int]) -> None:
    samples = Hub(table(MANY), limit=limit).load()
    assert [samples.targets.count(target) for target in range(3)] == counts
    places = [int(identifier.removeprefix("validation-")) for identifier in samples.identifiers]
    assert places == sorted(set(places))
    assert samples.targets == [MANY[place] for place in places]
    colors = [samples.image(index).getpixel((0, 0)) for index in range(len(places))]
    assert colors == [COLORS[list(COLORS)[target]] for target in samples.targets]


def test_hub_limit_is_drawn_by_the_seed(table: Table) -> None:
    folder = table(MANY)
    drawn = [Hub(folder, limit=3, seed=seed).load().identifiers for seed in (0, 0, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len({tuple(identifiers) for identifiers in drawn}) > 1


@pytest.mark.parametrize("limit", [0, -1])
def test_hub_limit_is_checked(refusal: Refusal, limit: int) -> None:
    assert f"dataset.limit={limit}" in refusal(lambda: Hub("org/data", limit=limit))


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        pytest.param(
            {"image_column": "imgae"},
            ["dataset.image_column=imgae", "it has image, label", "Did you mean image?"],
            id="image_column",
        ),
        pytest.param(
            {"label_column": "labels"},
            ["dataset.label_column=labels", "it has image, label", "Did you mean label?"],
            id="label_column",
        ),
        pytest.param(
            {"label_column": "image"}, ["label_column=image", "ClassLabel"], id="an_image_as_label"
        ),
        pytest.param({"image_column": "label"}, ["image_column=label"], id="a_label_as_image"),
    ],
)
def test_hub_wrong_part_is_named(
    table: Table, refusal: Refusal, options: dict[str, str], phrases: list[str]
) -> None:
    source = Hub(table(), **options)
    text = refusal(source.check)
    for words in phrases:
        assert words in text


@pytest.mark.parametrize("kind", ["int64", "uint8"])
def test_hub_numbers_are_classes_once_they_have_names(
    table: Table, refusal: Refusal, kind: str
) -> None:
    import datasets

    folder = table([0, 1], datasets.Value(kind))
    text = refusal(Hub(folder).check)
    assert "dataset.label_column=label" in text
    assert f"holds no class labels but Value('{kind}')" in text
    assert "or dataset.class_names" in text
    samples = Hub(folder, class_names=["a", "b"]).load()
    assert (samples.labels.names, samples.targets) == (["a", "b"], [0, 1])


@pytest.mark.parametrize("kind", ["float32", "string"])
def test_hub_other_values_are_no_classes(table: Table, refusal: Refusal, kind: str) -> None:
    import datasets

    folder = table([0, 1], datasets.Value(kind))
    text = refusal(Hub(folder, class_names=["a", "b"]).check)
    assert f"holds no class labels but Value('{kind}'); give the column" in text


def test_hub_class_names_are_in_place_of_the_data_set_s(table: Table) -> None:
    source = Hub(table(), class_names=["bleu", "vert", "rouge"])
    assert source.check().names == ["bleu", "vert", "rouge"]


@pytest.mark.parametrize("names", [["bleu"], ["bleu", "vert", "rouge", "noir"]])
def test_hub_class_names_are_as_many_as_classes(
    table: Table, refusal: Refusal, names: list[str]
) -> None:
    text = refusal(Hub(table(), class_names=names).check)
    assert f"dataset.class_names holds {len(names)} names" in text
    assert "has 3 classes" in text


def test_hub_class_index_beyond_the_names_is_refused(table: Table, refusal: Refusal) -> None:
    import datasets

    folder = table([0, 2, 1], datasets.Value("int64"))
    text = refusal(Hub(folder, class_names=["a", "b"]).check)
    assert "dataset.class_names holds 2 names" in text
    assert "class index 2 in split validation" in text


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([-1, -1], id="minus_one"),
        pytest.param([0, -1], id="some"),
        pytest.param([0, None], id="null"),
    ],
)
def test_hub_split_without_labels_is_refused(
    table: Table, refusal: Refusal, labels: list[int | None]
) -> None:
    text = refusal(Hub(table(labels)).check)
    assert "has no labels in split validation; give another split" in text


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        pytest.param({"split": "validaton"}, ["validaton", "validation"], id="split"),
        pytest.param({"config": "nonsense"}, ["nonsense"], id="config"),
        pytest.param({"data_dir": "nowhere"}, ["nowhere"], id="data_dir"),
    ],
)
def test_hub_part_that_is_not_there_is_named(
    table: Table, refusal: Refusal, options: dict[str, str], phrases: list[str]
) -> None:
    text = refusal(Hub(table(), **options).check)
    assert "dataset.id=" in text
    for words in phrases:
        assert words in text


def test_hub_empty_split_is_refused(table: Table, refusal: Refusal) -> None:
    assert "dataset.id=" in refusal(Hub(table([])).check)


def test_hub_image_that_can_t_be_read_is_found_by_check(
    tmp_path: Path, no_hub: HubServer, refusal: Refusal
) -> None:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(COLORS))}
    )
    rows = {"image": [{"bytes": b"broken", "path": "1.png"}], "label": [0]}
    (tmp_path / "table").mkdir()
    datasets.Dataset.from_dict(rows, features=features).to_parquet(
        tmp_path / "table" / "validation.parquet"
    )
    assert "can't be read" in refusal(Hub(str(tmp_path / "table")).check)
