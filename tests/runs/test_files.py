"""Folders are claimed by one command each, however many start together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from greenexp.errors import BadInput
from greenexp.runs import files
from greenexp.runs.files import claim

PROGRAM = """
import pathlib, sys
from greenexp.runs.files import claim
print(claim(pathlib.Path(sys.argv[1])))
"""


def claimed_by_another(folder: Path) -> Path:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def test_folder_is_that_asked_for_and_for_others_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "12-00-00"
    assert claim(folder) == folder
    assert claim(folder) == folder, "this command has it"
    assert claimed_by_another(folder) == tmp_path / "12-00-00-2"
    assert claimed_by_another(folder) == tmp_path / "12-00-00-3"


@pytest.mark.parametrize("taken", files.TAKEN)
def test_folder_that_holds_results_is_taken(tmp_path: Path, taken: str) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / taken).write_text("{}")
    assert claim(tmp_path / "here") == tmp_path / "here-2"


def test_folder_with_other_files_is_free(tmp_path: Path) -> None:
    (tmp_path / "here" / ".hydra").mkdir(parents=True)
    assert claim(tmp_path / "here") == tmp_path / "here"


def test_commands_that_start_together_have_a_folder_each(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "x")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    folders = [process.communicate(timeout=60)[0].strip() for process in started]
    assert len(set(folders)) == 8
    assert {Path(folder).name for folder in folders} == {"x", *(f"x-{n}" for n in range(2, 9))}


def test_folder_that_can_t_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"can't be made \(Not a directory\); give a folder"):
        claim(tmp_path / "file" / "x")
