"""`all` on the command line becomes the explicit list of what fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.cli.arguments import expand
from greenexp.errors import BadInput
from greenexp.settings.conf import config_dir
from tests.support.choices import TACTICS, complete, expanded, written

pytestmark = pytest.mark.usefixtures("schema")

MODELS = complete("model")


def test_without_all_nothing_changes() -> None:
    given = ["-m", "model=digits_vit", "tactic=glob(*pruning)", "workload.min_windows=2"]
    assert expanded(*given) == given


def test_all_is_every_option_and_sweeps() -> None:
    assert expanded("tactic=all") == ["--multirun", f"tactic={','.join(TACTICS)}"]


def test_all_is_every_model_of_the_catalogue() -> None:
    assert len(MODELS) > 60
    assert {"digits_vit", "resnet_50", "vit_base_beans"} <= set(MODELS)
    assert expanded("model=all") == ["--multirun", f"model={','.join(MODELS)}"]


def test_overrides_may_stand_around_flags() -> None:
    given = ["workload.min_windows=2", "--cfg", "job", "tactic=baseline"]
    assert expanded(*given) == ["--cfg", "job", "workload.min_windows=2", "tactic=baseline"]


def test_all_with_m_is_not_doubled() -> None:
    assert expanded("-m", "tactic=all") == ["-m", f"tactic={','.join(TACTICS)}"]


@pytest.mark.parametrize(
    ("group", "options", "template", "needed"),
    [
        pytest.param("model", MODELS, "local", "model.path=…", id="model of a folder"),
        pytest.param("model", MODELS, "hub", "model.checkpoint=…", id="model of the hub"),
        pytest.param("tactic", TACTICS, "chain", "tactic.steps=…", id="chain"),
    ],
)
def test_templates_are_left_out_and_named(
    group: str, options: list[str], template: str, needed: str
) -> None:
    result = expand(["-m", f"{group}=all"], config_dir())
    assert result.arguments == ["-m", f"{group}={','.join(options)}"]
    assert template not in options
    (note,) = result.notes
    assert note.startswith(f"{group}=all leaves out ")
    assert f"{template}, which needs {needed}" in note


@pytest.mark.parametrize(
    ("arguments", "template"),
    [
        pytest.param(["dataset=all", "dataset.path=somewhere"], "folder", id="folder"),
        pytest.param(["tactic=all", "tactic.steps=[torch_compile]"], "chain", id="chain"),
    ],
)
def test_a_template_with_its_value_is_kept(arguments: list[str], template: str) -> None:
    assert template in expanded(*arguments)[1].partition("=")[2].split(",")


def test_all_beside_named_options_and_glob() -> None:
    arguments = expanded("-m", "tactic=all,baseline", "model=glob(digits_*)")
    assert arguments == ["-m", f"tactic={','.join(TACTICS)}", "model=glob(digits_*)"]


def test_help_shows_the_defaults() -> None:
    assert expanded("tactic=all", "--help") == ["--help"]


@pytest.mark.parametrize("flag", [["--cfg", "job"], ["--info", "defaults"]])
def test_showing_takes_the_first_option(flag: list[str]) -> None:
    assert expanded("tactic=all", *flag) == [*flag, f"tactic={TACTICS[0]}"]


def test_options_of_the_users_config_dir_are_in_all(tmp_path: Path) -> None:
    text = (config_dir() / "tactic" / "local_pruning.yaml").read_text()
    mine = written(tmp_path, "tactic/my_pruning", text)
    arguments = expanded("--config-dir", str(mine), "tactic=all")
    assert "my_pruning" in arguments[3].partition("=")[2].split(",")


BASELINE = "_target_: greenexp.tactics.baseline.Baseline\n"


def test_options_of_hydra_searchpath_are_in_all(tmp_path: Path) -> None:
    mine = written(tmp_path, "tactic/mine", BASELINE)
    arguments = expanded("tactic=all", f"hydra.searchpath=[file://{mine}]")
    assert "mine" in arguments[1].partition("=")[2].split(",")


def test_an_option_called_all_is_left_alone(tmp_path: Path) -> None:
    given = ["--config-dir", str(written(tmp_path, "tactic/all", BASELINE)), "tactic=all"]
    assert expanded(*given) == given


def test_no_option_fits(tmp_path: Path) -> None:
    mine = written(tmp_path, "teacher/given", "path: ???\n")
    with pytest.raises(BadInput, match="teacher=all fits no option of given"):
        expanded("--config-dir", str(mine), "teacher=all")


def test_completion_is_left_to_hydra() -> None:
    given = ["-sc", "install=bash", "tactic=all"]
    assert expanded(*given) == given
