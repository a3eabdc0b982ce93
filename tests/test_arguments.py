"""`all` on the command line becomes the explicit list of what fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.config import config_dir, register
from greenexp.errors import BadInput
from greenexp.sweep.arguments import expand

TACTICS = sorted(path.stem for path in (config_dir() / "tactic").glob("*.yaml"))
EMBEDDED = sorted(path.stem for path in (config_dir() / "model").glob("digits_*.yaml"))


@pytest.fixture(autouse=True)
def _schema() -> None:
    register()


def expanded(*arguments: str) -> list[str]:
    return expand(arguments, config_dir()).arguments


def test_without_all_nothing_changes() -> None:
    given = ["-m", "model=digits_vit", "tactic=glob(*pruning)", "workload.min_windows=2"]
    assert expanded(*given) == given


def test_all_is_every_option_and_sweeps() -> None:
    assert expanded("tactic=all") == ["--multirun", f"tactic={','.join(TACTICS)}"]


def test_overrides_may_stand_around_flags() -> None:
    given = ["workload.min_windows=2", "--cfg", "job", "tactic=baseline"]
    assert expanded(*given) == ["--cfg", "job", "workload.min_windows=2", "tactic=baseline"]


def test_all_with_m_is_not_doubled() -> None:
    assert expanded("-m", "tactic=all") == ["-m", f"tactic={','.join(TACTICS)}"]


def test_templates_are_left_out_and_named() -> None:
    result = expand(["-m", "model=all"], config_dir())
    assert result.arguments == ["-m", f"model={','.join(EMBEDDED)}"]
    assert any("local" in note and "model.path" in note for note in result.notes)
    assert any("hub" in note and "model.checkpoint" in note for note in result.notes)


def test_a_template_with_its_value_is_kept() -> None:
    arguments = expanded("dataset=all", "dataset.path=somewhere")
    assert "folder" in arguments[1].partition("=")[2].split(",")


def test_all_beside_named_options_and_glob() -> None:
    arguments = expanded("-m", "tactic=all,baseline", "model=glob(digits_*)")
    assert arguments == ["-m", f"tactic={','.join(TACTICS)}", "model=glob(digits_*)"]


def test_help_shows_the_defaults() -> None:
    assert expanded("tactic=all", "--help") == ["--help"]


@pytest.mark.parametrize("flag", [["--cfg", "job"], ["--info", "defaults"]])
def test_showing_takes_the_first_option(flag: list[str]) -> None:
    assert expanded("tactic=all", *flag) == [*flag, f"tactic={TACTICS[0]}"]


def test_options_of_the_users_config_dir_are_in_all(tmp_path: Path) -> None:
    (tmp_path / "tactic").mkdir()
    text = (config_dir() / "tactic" / "local_pruning.yaml").read_text()
    (tmp_path / "tactic" / "my_pruning.yaml").write_text(text)
    arguments = expanded("--config-dir", str(tmp_path), "tactic=all")
    assert "my_pruning" in arguments[3].partition("=")[2].split(",")


def test_options_of_hydra_searchpath_are_in_all(tmp_path: Path) -> None:
    (tmp_path / "tactic").mkdir()
    (tmp_path / "tactic" / "mine.yaml").write_text("_target_: greenexp.tactics.baseline.Baseline\n")
    arguments = expanded("tactic=all", f"hydra.searchpath=[file://{tmp_path}]")
    assert "mine" in arguments[1].partition("=")[2].split(",")


def test_an_option_called_all_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tactic").mkdir()
    (tmp_path / "tactic" / "all.yaml").write_text("_target_: greenexp.tactics.baseline.Baseline\n")
    given = ["--config-dir", str(tmp_path), "tactic=all"]
    assert expanded(*given) == given


def test_no_option_fits(tmp_path: Path) -> None:
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "given.yaml").write_text("path: ???\n")
    with pytest.raises(BadInput, match="teacher=all fits no option of given"):
        expanded("--config-dir", str(tmp_path), "teacher=all")


def test_completion_is_left_to_hydra() -> None:
    given = ["-sc", "install=bash", "tactic=all"]
    assert expanded(*given) == given
