"""When a report that was written before is shown again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from greenexp.report import kept
from greenexp.tracking.state import FilesRead

TEXT = "\x1b[1mdigits_vit\x1b[0m: use openvino · ×0.5\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (kept.PAGE, "cells.csv"):
        (tmp_path / name).write_text(name)
    kept.keep(tmp_path, "key", FilesRead({str(tmp_path / "gone"): None}), TEXT)
    return tmp_path


def test_what_was_shown_comes_back_as_it_was(folder: Path) -> None:
    assert kept.shown(folder, "key") == TEXT


def test_another_key_brings_nothing_back(folder: Path) -> None:
    assert kept.shown(folder, "other") is None


def test_a_file_that_is_gone_or_changed_brings_nothing_back(folder: Path) -> None:
    os.utime(folder / "cells.csv", ns=(1, 1))
    assert kept.shown(folder, "key") is None
    (folder / "cells.csv").unlink()
    assert kept.shown(folder, "key") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": "key"}', "no JSON"])
def test_a_damaged_file_brings_nothing_back(folder: Path, text: str) -> None:
    (folder / kept.KEPT).write_text(text)
    assert kept.shown(folder, "key") is None


def test_nothing_written_before_brings_nothing_back(tmp_path: Path) -> None:
    assert kept.shown(tmp_path / "none", "key") is None


def test_a_file_that_it_was_made_of_has_changed(folder: Path) -> None:
    (folder / "gone").write_text("here")
    files = FilesRead()
    files.note(str(folder / "gone"))
    kept.keep(folder, "key", files, TEXT)
    assert kept.shown(folder, "key") == TEXT
    (folder / "gone").unlink()
    kept.keep(folder, "key", files, TEXT)
    assert kept.shown(folder, "key") is None


def test_what_a_server_told_is_not_kept(tmp_path: Path) -> None:
    kept.keep(tmp_path, "key", FilesRead(complete=False), TEXT)
    assert not list(tmp_path.iterdir())


def test_key_tells_options_apart() -> None:
    assert kept.key({"width": 80}) == kept.key({"width": 80})
    assert kept.key({"width": 80}) != kept.key({"width": 120})
