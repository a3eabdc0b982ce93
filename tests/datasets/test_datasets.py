"""Labelled images from scikit-learn's digits and from a folder."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenexp.datasets import digits_split
from greenexp.datasets.digits import Digits
from greenexp.datasets.folder import Folder
from greenexp.protocols import LabelSpace

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


def test_digits_calibrate_on_their_training_part() -> None:
    source = Digits("digits")
    assert source.calibrates
    samples = source.calibration(25)
    evaluated = set(source.load().identifiers)
    assert len(set(samples.identifiers)) == len(samples.targets) == 25
    assert evaluated.isdisjoint(samples.identifiers)
    assert sorted(Counter(samples.targets).values()) == [2] * 5 + [3] * 5
    assert samples.labels == source.check()
    place = int(samples.identifiers[0].removeprefix("digit-"))
    assert samples.image(0).tobytes() == digits_split.image(place).tobytes()
    assert samples.targets[0] == digits_split.target(place)


def test_digits_calibration_is_the_same_each_time_and_no_more_than_there_is() -> None:
    assert Digits().calibration(7) == Digits().calibration(7)
    assert len(Digits().calibration(5000).targets) == 1438


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


# A part of a folder, and calibration images


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Folder of 6, 4 and 2 images of three classes; each image has a grey of its own."""
    grey = 0
    for name, count in (("ant", 6), ("bee", 4), ("cat", 2)):
        for index in range(count):
            grey += 1
            picture(tmp_path / "many" / name / f"{index}.png", (grey, grey, grey))
    return tmp_path / "many"


@pytest.mark.parametrize(
    ("limit", "counts"),
    [
        pytest.param(3, [1, 1, 1], id="even"),
        pytest.param(8, [3, 3, 2], id="a small class gives all"),
        pytest.param(12, [6, 4, 2], id="all"),
        pytest.param(99, [6, 4, 2], id="more than there are"),
    ],
)
def test_folder_limit_is_class_balanced(many: Path, limit: int, counts: list[int]) -> None:
    source = Folder(str(many), limit=limit)
    samples = source.load()
    whole = Folder(str(many)).load()
    assert [samples.targets.count(target) for target in range(3)] == counts
    assert samples.labels == source.check() == whole.labels
    for index, identifier in enumerate(samples.identifiers):
        place = whole.identifiers.index(identifier)
        assert samples.targets[index] == whole.targets[place]
        assert samples.image(index).tobytes() == whole.image(place).tobytes()


def test_folder_limit_is_drawn_by_the_seed(many: Path) -> None:
    drawn = {tuple(Folder(str(many), limit=3, seed=seed).load().identifiers) for seed in range(9)}
    assert len(drawn) > 1
    assert Folder(str(many), limit=3, seed=4).load() == Folder(str(many), limit=3, seed=4).load()


def test_folder_holds_back_images_that_are_never_evaluated(many: Path) -> None:
    source = Folder(str(many), held_back=6)
    held_back = source.calibration(6)
    assert source.calibrates
    assert [held_back.targets.count(target) for target in range(3)] == [2, 2, 2]
    evaluated = source.load()
    assert sorted([*evaluated.identifiers, *held_back.identifiers]) == sorted(
        Folder(str(many)).load().identifiers
    )
    assert set(source.calibration(3).identifiers) < set(held_back.identifiers)
    few = Folder(str(many), held_back=6, limit=2)
    assert set(few.load().identifiers) < set(evaluated.identifiers)
    assert few.calibration(6) == held_back


def test_folder_check_reads_what_is_held_back_too(many: Path, refusal: Refusal) -> None:
    source = Folder(str(many), held_back=11, seed=1)
    name = source.calibration(1).identifiers[0]
    (many / name).write_bytes(b"broken")
    assert "1 of 12 images can't be read" in refusal(source.check)


def test_folder_calibrates_on_another_folder(
    many: Path, colors_folder: Path, refusal: Refusal
) -> None:
    source = Folder(str(many), calibration_path=str(colors_folder))
    assert source.calibrates
    assert source.check().names == ["ant", "bee", "cat"]
    samples = source.calibration(3)
    assert [identifier.partition("/")[0] for identifier in samples.identifiers] == list(COLORS)
    assert samples.image(0).getpixel((0, 0)) == COLORS["blue"]
    missing = Folder(str(many), calibration_path=str(many.parent / "nowhere"))
    for call in (missing.check, lambda: missing.calibration(1)):
        text = refusal(call)
        assert "dataset.calibration_path=" in text
        assert "is no folder" in text


def test_folder_without_calibration_images_says_how_to_get_some(
    many: Path, refusal: Refusal
) -> None:
    source = Folder(str(many))
    assert not source.calibrates
    text = refusal(lambda: source.calibration(1))
    assert "dataset.calibration_path=" in text
    assert "dataset.held_back=" in text


@pytest.mark.parametrize("count", [12, 13])
def test_folder_can_t_hold_back_everything(many: Path, refusal: Refusal, count: int) -> None:
    source = Folder(str(many), held_back=count)
    for call in (source.load, source.check, lambda: source.calibration(1)):
        assert f"dataset.held_back={count} leaves no image" in refusal(call)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"limit": 0}, "dataset.limit=0", id="no limit"),
        pytest.param({"held_back": -1}, "dataset.held_back=-1", id="fewer than none"),
        pytest.param(
            {"held_back": 1, "calibration_path": "other"}, "exclude each other", id="both"
        ),
        pytest.param({"calibration_path": "images"}, "shares images", id="the same folder"),
        pytest.param({"calibration_path": "images/cat"}, "shares images", id="a part of it"),
        pytest.param({"calibration_path": "."}, "shares images", id="a folder around it"),
    ],
)
def test_folder_options_are_checked(refusal: Refusal, options: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda: Folder("images", **options))


def test_folder_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    # ImageNetV2 names its folders by class index, without leading zeros.
    for name in ("10", "2", "0"):
        picture(tmp_path / name / "1.png")
    assert Folder(str(tmp_path)).check().names == ["0", "2", "10"]
    picture(tmp_path / "x" / "1.png")
    assert Folder(str(tmp_path)).check().names == ["0", "10", "2", "x"]
