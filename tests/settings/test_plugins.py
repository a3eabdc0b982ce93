"""Code outside greenexp is a choice where its package says so, or where it is allowed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greenexp.runs.identity import cell_hash
from greenexp.settings import plugins
from greenexp.settings.build import build

TACTIC = """
from dataclasses import dataclass
from pathlib import Path as Imported

@dataclass(frozen=True)
class Mine:
    amount: float = 0.5

def function():
    return None
"""

BROKEN = {
    "no_module": "import no_such_module",
    "no_syntax": "def broken(:",
    "no_name": "undefined_name",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Installs `foreign` on the path, with entry points or without."""

    def install(with_entry_points: bool) -> None:
        folder = tmp_path / "foreign"
        (folder / "conf" / "tactic").mkdir(parents=True)
        (folder / "__init__.py").write_text("", encoding="utf-8")
        (folder / "tactics.py").write_text(TACTIC, encoding="utf-8")
        for name, text in BROKEN.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        information = tmp_path / "foreign-1.dist-info"
        information.mkdir()
        (information / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
        if with_entry_points:
            (information / "entry_points.txt").write_text(
                "[greenexp.tactics]\nmine = foreign.tactics\n", encoding="utf-8"
            )
        monkeypatch.syspath_prepend(str(tmp_path))
        _forget()

    yield install
    _forget()


def _forget() -> None:
    plugins.modules.cache_clear()
    plugins.conf_folders.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "foreign"]:
        del sys.modules[name]


MINE = {"_target_": "foreign.tactics.Mine", "amount": 0.25}


def test_entry_point_makes_a_class_a_choice(package: Callable[[bool], None]) -> None:
    package(True)
    assert build(MINE, "tactic").amount == 0.25
    assert [folder.parent.name for folder in plugins.conf_folders()] == ["foreign"]


def test_entry_point_of_one_room_opens_no_other(
    package: Callable[[bool], None], refusal: Callable[[Callable[[], object]], str]
) -> None:
    package(True)
    assert "allowed" in refusal(lambda: build(MINE, "model"))


def test_package_that_is_allowed_brings_choices(package: Callable[[bool], None]) -> None:
    package(False)
    assert build(MINE, "tactic", ["foreign"]).amount == 0.25


def test_what_is_not_listed_is_refused_with_the_way_to_allow_it(
    package: Callable[[bool], None], refusal: Callable[[Callable[[], object]], str]
) -> None:
    package(False)
    message = refusal(lambda: build(MINE, "tactic"))
    assert "plugins.allow=[package]" in message
    assert "entry point greenexp.tactics" in message
    assert "foreign" not in sys.modules  # nothing of it ran


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("foreign.tactics.Imported", id="what it imports"),
        pytest.param("foreign.tactics.function", id="a function"),
        pytest.param("foreigner.tactics.Mine", id="a name that begins alike"),
    ],
)
def test_allowed_package_opens_nothing_else(
    target: str,
    package: Callable[[bool], None],
    refusal: Callable[[Callable[[], object]], str],
) -> None:
    package(True)
    assert "allowed" in refusal(lambda: build({"_target_": target}, "tactic", ["foreign"]))


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("no_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("no_syntax", "SyntaxError: "),
        ("no_name", "NameError: name 'undefined_name' is not defined"),
    ],
)
def test_module_that_does_not_import_is_one_line(
    module: str,
    error: str,
    package: Callable[[bool], None],
    refusal: Callable[[Callable[[], object]], str],
) -> None:
    package(False)
    message = refusal(lambda: build({"_target_": f"foreign.{module}.Mine"}, "tactic", ["foreign"]))
    assert f"foreign.{module}.Mine can't be imported: {error}" in message
    assert len(message.splitlines()) == 1


def test_allowing_is_no_part_of_a_cell() -> None:
    given = {"tactic": MINE}
    assert cell_hash(given | {"plugins": {"allow": ["foreign"]}}) == cell_hash(given)


@pytest.mark.parametrize("given", [{}, {"plugins": None}, {"plugins": {"allow": None}}])
def test_records_of_before_allow_nothing(given: dict[str, object]) -> None:
    assert plugins.allowed(given) == []
