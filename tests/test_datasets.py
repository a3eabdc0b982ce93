"""Labelled images from scikit-learn's digits, from a folder and from the hub."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.datasets import digits_split
from greenexp.datasets.digits import Digits
from greenexp.datasets.folder import Folder
from greenexp.datasets.hub import Hub
from greenexp.hub import Repository
from greenexp.protocols import LabelSpace

if TYPE_CHECKING:
    from conftest import HubServer

COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
EVALUATION_SHA256 = "23029e69e19e8f400f3ce9a4f19f3d6ab57a872e8dd6fcb028816f5c36baf4d6"

Refusal = Callable[[Callable[[], object]], str]


# Digits


def test_digits_split_leaves_nothing_out_and_shares_nothing() -> None:
    evaluation, training = digits_split.evaluation_indices(), digits_split.training_indices()
    assert len(evaluation) == 359
    assert set(evaluation).isdisjoint(training)
    assert sorted([*evaluation, *training]) == list(range(1797))


def test_digits_evaluation_part_is_the_same_everywhere() -> None:
    digest = hashlib.sha256()
    samples = Digits().load()
    for index, target in enumerate(samples.targets):
        digest.update(bytes([target]))
        digest.update(samples.image(index).tobytes())
    assert digest.hexdigest() == EVALUATION_SHA256


def test_digits_are_small_rgb_images_of_ten_classes() -> None:
    samples = Digits(labels="digits").load()
    assert samples.labels == LabelSpace("digits", list("0123456789")) == Digits("digits").check()
    assert set(samples.targets) == set(range(10))
    assert len(set(samples.identifiers)) == len(samples.targets) == 359
    image = samples.image(0)
    assert (image.size, image.mode) == ((8, 8), "RGB")
    assert samples.identifiers[0] == "digit-0004"
    assert image.tobytes() == digits_split.image(4).tobytes()
    assert samples.targets[0] == digits_split.target(4)


def test_digits_use_the_whole_range_of_grey() -> None:
    extremes = [digits_split.image(index).getextrema()[0] for index in range(100)]
    assert min(low for low, _ in extremes) == 0
    assert max(high for _, high in extremes) == 255


@pytest.mark.parametrize("index", [-1, 1797])
@pytest.mark.parametrize("read", [digits_split.image, digits_split.target])
def test_digits_have_no_others(read: Callable[[int], object], index: int) -> None:
    with pytest.raises(IndexError, match=f"digit {index} does not exist"):
        read(index)


# A folder


def picture(path: Path, color: Any = (1, 2, 3), mode: str = "RGB", **options: Any) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (12, 9), color).save(path, **options)
    return path


def test_folder_classes_are_its_sub_folders_in_the_order_of_their_names(
    colors_folder: Path,
) -> None:
    source = Folder(str(colors_folder), labels="colors")
    samples = source.load()
    assert source.check() == samples.labels == LabelSpace("colors", ["blue", "green", "red"])
    assert samples.targets == [0, 0, 0, 1, 1, 2, 2]
    assert samples.identifiers == [
        *("blue/0.png", "blue/1.png", "blue/2.png"),
        *("green/0.png", "green/1.png", "red/0.png", "red/1.png"),
    ]
    for index, target in enumerate(samples.targets):
        image = samples.image(index)
        assert (image.mode, image.size) == ("RGB", (10, 8))
        assert image.getpixel((0, 0)) == COLORS[samples.labels.names[target]]


def test_folder_images_may_lie_deeper_and_share_names(tmp_path: Path) -> None:
    for name in ("cat/2.png", "cat/more/1.png", "cat/more/2.png", "dog/2.png"):
        picture(tmp_path / name)
    samples = Folder(str(tmp_path)).load()
    assert samples.identifiers == ["cat/2.png", "cat/more/1.png", "cat/more/2.png", "dog/2.png"]
    assert samples.targets == [0, 0, 0, 1]


def test_folder_takes_images_and_leaves_the_rest(tmp_path: Path) -> None:
    names = ["a.jpg", "b.JPEG", "c.PNG", "d.webp", "e.bmp", "f.tif", "g.tiff", "h.gif"]
    for name in names:
        picture(tmp_path / "cat" / name)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "README.md").write_text("no image")
    picture(tmp_path / "without_a_class.png")
    source = Folder(str(tmp_path))
    assert source.check().names == ["cat"]
    assert source.load().identifiers == [f"cat/{name}" for name in names]


@pytest.mark.parametrize(
    ("mode", "color", "rgb"),
    [
        pytest.param("RGB", (9, 8, 7), (9, 8, 7), id="rgb"),
        pytest.param("RGBA", (9, 8, 7, 255), (9, 8, 7), id="rgba"),
        pytest.param("L", 77, (77, 77, 77), id="greyscale"),
        pytest.param("LA", (77, 255), (77, 77, 77), id="greyscale_with_alpha"),
        pytest.param("1", 1, (255, 255, 255), id="black_and_white"),
        pytest.param("P", 0, (0, 0, 0), id="palette"),
    ],
)
def test_folder_images_are_converted_to_rgb(
    tmp_path: Path, mode: str, color: Any, rgb: tuple[int, int, int]
) -> None:
    picture(tmp_path / "cat" / "1.png", color, mode)
    source = Folder(str(tmp_path))
    source.check()
    image = source.load().image(0)
    assert (image.mode, image.getpixel((3, 3))) == ("RGB", rgb)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda root: root.rmdir(), "is no folder", id="missing"),
        pytest.param(lambda root: None, "holds no images", id="empty"),
        pytest.param(lambda root: (root / "cat").mkdir(), "holds no images", id="empty_class"),
        pytest.param(lambda root: picture(root / "1.png"), "holds no images", id="no_class"),
        pytest.param(
            lambda root: ((root / "cat").mkdir(), (root / "cat" / "1.txt").touch()),
            "holds no images",
            id="no_image_files",
        ),
    ],
)
def test_folder_without_images_is_refused(
    tmp_path: Path, refusal: Refusal, make: Callable[[Path], object], said: str
) -> None:
    root = tmp_path / "images"
    root.mkdir()
    make(root)
    for call in (Folder(str(root)).check, Folder(str(root)).load):
        text = refusal(call)
        assert f"dataset.path={root}" in text
        assert said in text


def test_folder_that_is_a_file_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    path = picture(tmp_path / "1.png")
    assert "is no folder" in refusal(Folder(str(path)).check)


def test_folder_class_without_images_keeps_its_place_in_a_label_space(tmp_path: Path) -> None:
    # With a shared label space, class k of the folder is class k of the model.
    picture(tmp_path / "ant" / "1.png")
    (tmp_path / "bee").mkdir()
    picture(tmp_path / "cat" / "1.png")
    assert Folder(str(tmp_path), labels="insects").load().targets == [0, 2]


def damaged(suffix: str, keep: float, **options: Any) -> Callable[[Path], None]:
    """Writes the beginning of a good image."""

    def write(path: Path) -> None:
        from PIL import Image

        whole = io.BytesIO()
        Image.effect_noise((64, 64), 80).convert("RGB").save(whole, suffix, **options)
        data = whole.getvalue()
        path.write_bytes(data[: int(len(data) * keep)])

    return write


def header_of_a_huge_image(path: Path) -> None:
    """Writes 54 bytes that claim 2,000 megapixels."""
    header = bytearray(b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little"))
    header += (50_000).to_bytes(4, "little") + (40_000).to_bytes(4, "little")
    path.write_bytes(header + b"\x01\x00\x18\x00" + bytes(24))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.touch(), id="empty"),
        pytest.param(lambda path: path.write_text("<html>404</html>"), id="a_web_page"),
        pytest.param(damaged("JPEG", 0.9), id="jpeg_without_its_end"),
        pytest.param(damaged("JPEG", 0.5, progressive=True), id="half_a_progressive_jpeg"),
        pytest.param(damaged("PNG", 0.5), id="half_a_png"),
        pytest.param(damaged("GIF", 0.5), id="half_a_gif"),
        pytest.param(damaged("BMP", 0.5), id="half_a_bmp"),
        pytest.param(damaged("WEBP", 0.5), id="half_a_webp"),
        pytest.param(damaged("TIFF", 0.5), id="half_a_tiff"),
        pytest.param(header_of_a_huge_image, id="claims_to_be_huge"),
    ],
)
def test_folder_check_finds_images_that_can_t_be_read(
    tmp_path: Path, refusal: Refusal, damage: Callable[[Path], object]
) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "cat" / name)
    damage(tmp_path / "cat" / "broken.jpg")
    source = Folder(str(tmp_path))
    text = refusal(source.check)
    assert "1 of 3 images can't be read (broken.jpg)" in text
    broken = source.load().identifiers.index("cat/broken.jpg")
    assert "broken.jpg can't be read" in refusal(lambda: source.load().image(broken))


@pytest.mark.parametrize(
    ("count", "named"),
    [
        pytest.param(2, "2 of 3 images can't be read (0.png, 1.png)", id="all_named"),
        pytest.param(5, "5 of 6 images can't be read (0.png, 1.png, 2.png, …)", id="some_named"),
    ],
)
def test_folder_check_counts_images_that_can_t_be_read(
    tmp_path: Path, refusal: Refusal, count: int, named: str
) -> None:
    picture(tmp_path / "dog" / "good.png")
    for index in range(count):
        picture(tmp_path / "cat" / f"{index}.png").write_bytes(b"broken")
    assert named in refusal(Folder(str(tmp_path)).check)


# The hub, by folders of Parquet files, which `datasets` reads alike


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


@pytest.mark.parametrize(
    ("limit", "targets"),
    [
        pytest.param(None, [0, 2, 1, 2], id="none"),
        pytest.param(1, [0], id="one"),
        pytest.param(3, [0, 2, 1], id="the_first"),
        pytest.param(9, [0, 2, 1, 2], id="more_than_there_are"),
    ],
)
def test_hub_limit_takes_the_first_images(
    table: Table, limit: int | None, targets: list[int]
) -> None:
    samples = Hub(table(), limit=limit).load()
    assert samples.targets == targets
    assert len(samples.identifiers) == len(targets)


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


def test_hub_numbers_are_no_class_labels(table: Table, refusal: Refusal) -> None:
    import datasets

    folder = table([0, 1], datasets.Value("int64"))
    text = refusal(Hub(folder).check)
    assert "dataset.label_column=label" in text
    assert "holds no class labels but Value('int64')" in text


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
    assert "has no labels in split validation" in text
    assert "dataset.split" in text


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the hub know every id, also those that are folders."""
    monkeypatch.setattr("greenexp.datasets.hub.describe", lambda *_, **__: Repository(None, []))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"split": "validaton"}, ["validaton", "validation"], id="split"),
        pytest.param({"config": "nonsense"}, ["nonsense"], id="config"),
        pytest.param({"data_dir": "nowhere"}, ["nowhere"], id="data_dir"),
    ],
)
def test_hub_part_that_is_not_there_is_named(
    table: Table, known: None, refusal: Refusal, options: dict[str, str], said: list[str]
) -> None:
    text = refusal(Hub(table(), **options).check)
    assert "dataset.id=" in text
    for words in said:
        assert words in text


def test_hub_empty_split_is_refused(table: Table, known: None, refusal: Refusal) -> None:
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
