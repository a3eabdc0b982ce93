"""Labelled images from the hub, by folders in the form of a repository, which are read alike.

What is downloaded, kept and refused is in test_hub_offline.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from greenexp.datasets.card import DatasetCard
from greenexp.datasets.hub import Hub
from greenexp.datasets.labels import identifiers
from greenexp.protocols import LabelSpace
from greenexp.settings.build import build
from greenexp.settings.conf import config_dir

if TYPE_CHECKING:
    from tests.conftest import HubServer

COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}

Refusal = Callable[[Callable[[], object]], str]


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
    ("options", "said"),
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
    table: Table, refusal: Refusal, options: dict[str, str], said: list[str]
) -> None:
    source = Hub(table(), **options)
    text = refusal(source.check)
    for words in said:
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
    ("options", "said"),
    [
        pytest.param({"split": "validaton"}, ["validaton", "validation"], id="split"),
        pytest.param({"config": "nonsense"}, ["nonsense"], id="config"),
        pytest.param({"data_dir": "nowhere"}, ["nowhere"], id="data_dir"),
    ],
)
def test_hub_part_that_is_not_there_is_named(
    table: Table, refusal: Refusal, options: dict[str, str], said: list[str]
) -> None:
    text = refusal(Hub(table(), **options).check)
    assert "dataset.id=" in text
    for words in said:
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


# The first of each class


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
    ("labels", "options", "said"),
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
    said: str,
) -> None:
    source = Hub(written(labels), **{"limit": 4, "streaming": True, **options})
    assert said in refusal(source.check)


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


# Out of reach


@pytest.mark.parametrize("absence", ["no_hub", "offline"])
def test_hub_out_of_reach_is_refused(
    request: pytest.FixtureRequest, refusal: Refusal, absence: str
) -> None:
    request.getfixturevalue(absence)
    text = refusal(Hub("org/data").check)
    assert "dataset.id=org/data is not in the local cache and the hub can't be reached" in text
    assert "dataset=folder dataset.path=" in text


def test_hub_out_of_reach_is_refused_without_waiting(no_hub: HubServer, refusal: Refusal) -> None:
    refusal(Hub("org/data").check)
    assert no_hub.naps_s == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(404, "RepoNotFound", "is not on the hub, or private", id="not_found"),
        pytest.param(404, "RevisionNotFound", "has no revision main", id="revision"),
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(500, "", "answered with status 500", id="broken"),
    ],
)
def test_hub_refusal_says_what_the_hub_said(
    hub: HubServer, refusal: Refusal, status: int, code: str, said: str
) -> None:
    hub.answer("/api/datasets/org/data/revision/main", status, code)
    hub.answer("/datasets/org/data/resolve/main/README.md", status, code)
    text = refusal(Hub("org/data").check)
    assert text.startswith("dataset.id=org/data")
    assert said in text


@pytest.mark.parametrize("malformed", ["org/two words", "/nowhere/at/all", "a/b/c"])
def test_hub_malformed_id_is_refused(no_hub: HubServer, refusal: Refusal, malformed: str) -> None:
    assert f"dataset.id={malformed}" in refusal(Hub(malformed).check)


def test_hub_known_to_be_gated_is_not_asked_without_a_token(
    hub: HubServer, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    text = refusal(Hub("org/data", card=DatasetCard(gated=True)).check)
    assert "dataset.id=org/data is gated" in text
    assert "https://huggingface.co/datasets/org/data, then log in with `hf auth login`" in text
    assert hub.requests == []


@pytest.mark.parametrize("field", ["images", "classes"])
def test_card_of_nothing_is_refused(refusal: Refusal, field: str) -> None:
    assert f"dataset.card.{field}=0" in refusal(lambda: DatasetCard(**{field: 0}))


# The data sets that come with greenexp

SHIPPED = sorted(
    path.stem for path in (config_dir() / "dataset").glob("*.yaml") if "Hub" in path.read_text()
)
SHIPPED.remove("hub")  # the template


def shipped(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((config_dir() / "dataset" / f"{name}.yaml").read_text())
    return values


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_data_set_has_a_card(name: str) -> None:
    source = build(shipped(name), "dataset")
    assert source.card.source
    assert source.card.classes
    assert source.labels
    assert source.split in ("test", "validation", "valid") or source.calibration_split is None


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_part_of_imagenet_says_which_classes_it_holds(name: str) -> None:
    source = build(shipped(name), "dataset")
    if source.class_names is not None:
        assert source.labels == "imagenet_1k"
        assert len(source.class_names) == source.card.classes < 1000
        assert set(source.class_names) <= set(identifiers("imagenet_1k"))


def test_typo_in_a_card_is_refused(refusal: Refusal) -> None:
    values = shipped("mnist")
    values["card"]["licennce"] = "mit"
    assert "dataset.card" in refusal(lambda: build(values, "dataset"))


def test_guide_names_every_data_set() -> None:
    guide = (config_dir().parent / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("|")}
    assert {f"`{name}`" for name in [*SHIPPED, "digits", "folder", "hub"]} <= rows
