"""What of a folder is data: stated with counts, without hidden files, each link once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from greenexp.datasets.folder import Folder
from greenexp.datasets.listing import listing
from tests.support.pictures import picture

if TYPE_CHECKING:
    from tests.support.modules import Refusal

SPELLINGS = [
    "jpg",
    "JPG",
    "jpeg",
    "jfif",
    "jpe",
    "png",
    "apng",
    "gif",
    "webp",
    "bmp",
    "tif",
    "tiff",
]


@pytest.mark.parametrize("ending", SPELLINGS)
def test_each_spelling_of_a_format_is_taken(tmp_path: Path, ending: str) -> None:
    picture(tmp_path / "cat" / f"1.{ending}")
    assert Folder(str(tmp_path)).load().identifiers == [f"cat/1.{ending}"]


def test_what_is_taken_is_stated_with_what_is_not(tmp_path: Path) -> None:
    for name in ("cat/1.png", "cat/2.jfif", "dog/1.png", "top.png"):
        picture(tmp_path / name)
    for name in ("cat/3.heic", "cat/4.HEIC", "dog/notes.txt", "dog/README"):
        (tmp_path / name).touch()
    source = Folder(str(tmp_path))
    source.check()
    assert source.notices() == [
        f"dataset.path={tmp_path}: 3 images of 8 files in 2 classes; left out: 2 .heic, 1 .txt, "
        "1 in no class, 1 without an ending"
    ]


def test_where_all_is_taken_nothing_is_said_to_be_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "1.png")
    source = Folder(str(tmp_path))
    source.check()
    assert source.notices() == [f"dataset.path={tmp_path}: 1 images of 1 files in 1 classes"]


@pytest.mark.parametrize(
    "hidden",
    [
        "cat/.ipynb_checkpoints/x-checkpoint.png",
        "cat/.hidden.png",
        "cat/._1.png",
        ".git/objects/1.png",
        "cat/more/.cache/1.png",
    ],
)
def test_hidden_files_and_folders_are_no_data(tmp_path: Path, hidden: str) -> None:
    picture(tmp_path / "cat" / "1.png")
    picture(tmp_path / hidden)
    source = Folder(str(tmp_path))
    assert source.load().identifiers == ["cat/1.png"]
    source.check()
    assert "1 images of 1 files" in source.notices()[0]


def test_images_behind_links_are_taken_each_folder_once(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    picture(root / "cat" / "1.png")
    picture(elsewhere / "deep" / "2.png")
    for name in ("a", "b"):
        (root / "cat" / name).symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(elsewhere)
    (root / "cat" / "up").symlink_to(root)
    (root / "dog").symlink_to(picture(tmp_path / "dogs" / "3.png").parent)
    (root / "cat" / "4.png").symlink_to(elsewhere / "deep" / "2.png")
    taken = Folder(str(root)).load().identifiers
    assert sorted(taken) == sorted(
        ["cat/1.png", "cat/4.png", "dog/3.png", next(n for n in taken if n.endswith("/deep/2.png"))]
    )


def test_what_is_no_regular_file_is_left_out_and_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "1.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path is short
        try:
            made.bind("cat/socket.png")
        finally:
            os.chdir(here)
    listed = listing(str(tmp_path), "dataset.path")
    assert listed.images == 1
    assert listed.left_out == {"that are no regular files": 3}


def test_several_frames_are_said(tmp_path: Path) -> None:
    from PIL import Image

    frames = [Image.new("RGB", (6, 4), color) for color in ("red", "lime")]
    picture(tmp_path / "cat" / "1.png")
    for name in ("a", "b", "c", "d"):
        frames[0].save(tmp_path / "cat" / f"{name}.gif", save_all=True, append_images=frames[1:])
    source = Folder(str(tmp_path))
    source.check()
    assert source.notices()[1] == (
        f"dataset.path={tmp_path}: 4 images have several frames, of which the first counts "
        "(a.gif, b.gif, c.gif, …)"
    )


def test_a_folder_that_may_not_be_read_is_refused(
    tmp_path: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "cat" / "1.png")
    scandir = os.scandir

    def refused(folder: Path) -> Iterator[os.DirEntry[str]]:
        if folder.name == "cat":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr("greenexp.datasets.listing.os.scandir", refused)
    assert "can't be read" in refusal(Folder(str(tmp_path)).check)
