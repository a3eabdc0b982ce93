"""An account without a home folder gets one for as long as a command lasts."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from greenexp.settings.home import home


def unknown(uid: int) -> None:
    raise KeyError(uid)


def test_an_account_without_a_home_folder_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with home() as notice:
        folder = Path.home()
        assert folder.is_dir()
        assert notice is not None
        assert str(folder) in notice
    assert not folder.exists()
    assert "HOME" not in os.environ


def test_an_account_with_a_home_folder_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/me")
    with home() as notice:
        assert notice is None
        assert Path.home() == Path("/srv/me")
