"""A part of a folder, and calibration images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.datasets.folder import Folder
from tests.support.pictures import picture
from tests.support.tiny_models import COLORS

if TYPE_CHECKING:
    from tests.support.modules import Refusal


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
    ("options", "words"),
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
def test_folder_options_are_checked(refusal: Refusal, options: dict[str, Any], words: str) -> None:
    assert words in refusal(lambda: Folder("images", **options))
