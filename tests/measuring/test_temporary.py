"""What runs need of the folder for temporary files is told before any cost."""

from __future__ import annotations

import multiprocessing.util
import os
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from greenexp.errors import BadInput
from greenexp.measuring import temporary
from greenexp.measuring.temporary import check_temporary, full_or_not

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_usual_folder_is_fine(folder: Path) -> None:
    check_temporary(compiles=True)
    assert full_or_not() == ""


@pytest.mark.parametrize("more", [0, 1])
def test_folder_may_be_as_long_as_a_socket_s_path_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    length = temporary.SOCKET_PATH_BYTES - temporary.SOCKET_NAME_BYTES + more
    long = Path("/tmp") / ("x" * (length - len("/tmp/")))
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(temporary.shutil, "disk_usage", lambda path: Usage(1, 0, 2**40))
    if more:
        with pytest.raises(BadInput, match="too many for the path of a socket; allowed: "):
            check_temporary(compiles=False)
    else:
        check_temporary(compiles=False)


def test_socket_s_name_is_that_of_multiprocessing(folder: Path) -> None:
    from multiprocessing.connection import arbitrary_address

    made = arbitrary_address("AF_UNIX")
    assert len(os.fsencode(made)) == len(
        os.fsencode(str(multiprocessing.util.get_temp_dir()))
    ) + len("/listener-12345678")
    name = "/pymp-12345678/listener-12345678"
    assert len(name) == temporary.SOCKET_NAME_BYTES


def test_full_folder_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary.shutil, "disk_usage", lambda path: Usage(1, 1, 5 * 2**20))
    with pytest.raises(BadInput, match=f"TMPDIR={folder} has 5 MiB free; runs need 64 there"):
        check_temporary(compiles=False)
    monkeypatch.setattr(temporary.shutil, "disk_usage", lambda path: Usage(1, 1, 0))
    assert f"the folder for temporary files, {folder}, is full" in full_or_not()


@pytest.mark.parametrize("compiles", [False, True])
def test_space_in_its_path_is_told_where_something_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiles: bool
) -> None:
    (tmp_path / "a b").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
    if compiles:
        with pytest.raises(BadInput, match="has a space in it"):
            check_temporary(compiles=True)
    else:
        check_temporary(compiles=False)
