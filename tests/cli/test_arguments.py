"""`all` on the command line becomes the explicit list of what fits; what a sweep takes along."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser

from greenexp.cli.arguments import expand, expand_swept, fitting
from greenexp.cli.compose import register
from greenexp.errors import BadInput
from greenexp.settings.conf import config_dir


def complete(group: str) -> list[str]:
    """Returns the options of a group that leave nothing open."""
    return sorted(
        path.stem
        for path in (config_dir() / group).glob("*.yaml")
        if "???" not in yaml.safe_load(path.read_text("utf-8")).values()
    )


TACTICS = complete("tactic")
MODELS = complete("model")


@pytest.fixture(autouse=True)
def _schema() -> None:
    register()


@pytest.fixture
def repository() -> ConfigRepository:
    """The configuration files that come with the package."""
    return ConfigRepository(create_config_search_path(str(config_dir())))


def expanded(*arguments: str) -> list[str]:
    return expand(arguments, config_dir()).arguments


def written(folder: Path, name: str, text: str) -> Path:
    """Returns a user's configuration folder, with one more file in it."""
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


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
    assert f"{group}=all leaves out {template}, which needs {needed}" in result.notes


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


# A value inside a swept choice


@pytest.mark.parametrize(
    ("given", "along"),
    [
        pytest.param("tactic.precision=int8", "tactic.precision=choice(int8)", id="word"),
        pytest.param("tactic.amount=0.5", "tactic.amount=choice(0.5)", id="number"),
        pytest.param("tactic.dynamic=null", "tactic.dynamic=null,null", id="null"),
        pytest.param("+tactic.amount=0.5", "+tactic.amount=choice(0.5)", id="added"),
        pytest.param("tactic.steps=[a,b]", "tactic.steps=choice([a,b])", id="list"),
        pytest.param("tactic.steps=[]", "tactic.steps=choice([])", id="empty list"),
        pytest.param(
            "tactic.steps=[{a:{amount:0.5}},b]",
            "tactic.steps=choice([{a:{amount:0.5}},b])",
            id="list of mappings",
        ),
        pytest.param("tactic.name='a, b'", "tactic.name=choice('a, b')", id="quoted"),
        pytest.param('tactic.name="it\'s"', 'tactic.name=choice("it\'s")', id="double quoted"),
        pytest.param("tactic.name=", "tactic.name=choice('')", id="empty"),
        pytest.param("tactic.name=''", "tactic.name=choice('')", id="empty, quoted"),
        pytest.param(
            "tactic.steps=[a],[b]", "tactic.steps=[a],[b]", id="swept itself: stays as it is"
        ),
        pytest.param("tactic.amount=range(1,3)", "tactic.amount=range(1,3)", id="a range"),
        pytest.param("~tactic.amount", "~tactic.amount", id="taken out"),
        pytest.param("workload.batch_size=4", "workload.batch_size=4", id="of another group"),
        pytest.param("tactics.amount=4", "tactics.amount=4", id="of a group that begins alike"),
    ],
)
def test_value_inside_a_swept_choice_goes_along(given: str, along: str) -> None:
    assert expanded("-m", "tactic=a,b", given) == ["-m", "tactic=a,b", along]


@pytest.mark.parametrize(
    "given",
    [
        "tactic.steps=[a,{b:{c:1}}]",
        "tactic.name='a, b'",
        "tactic.name=",
        "tactic.dynamic=null",
        "tactic.fullgraph=true",
        "tactic.amount=1e-3",
    ],
)
def test_value_that_goes_along_is_the_same_value(given: str) -> None:
    parser = OverridesParser.create()
    along = parser.parse_override(expanded("-m", "tactic=a,b", given)[2])
    (only,) = set(along.sweep_string_iterator())
    assert parser.parse_override(f"tactic.x={only}").value() == parser.parse_override(given).value()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(["tactic=a", "tactic.precision=int8"], id="single run"),
        pytest.param(["-m", "tactic=a", "tactic.precision=int8"], id="of the sweep another key"),
        pytest.param(["tactic=a,b", "tactic.precision=int8"], id="-m forgotten: Hydra says so"),
    ],
)
def test_without_a_sweep_over_the_choice_a_value_stays(given: list[str]) -> None:
    assert expanded(*given) == given


def test_value_goes_along_with_all() -> None:
    assert expanded("model=all", "model.offset=1")[2] == "model.offset=choice(1)"


# Experiments

TWO = """# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      tactic: baseline,local_pruning
"""


@pytest.mark.parametrize(
    ("given", "along"),
    [
        pytest.param("tactic.amount=0.5", "tactic.amount=choice(0.5)", id="swept"),
        pytest.param("model.path=x", "model.path=x", id="not swept"),
    ],
)
def test_value_inside_what_an_experiment_sweeps_goes_along(
    tmp_path: Path, given: str, along: str
) -> None:
    start = ["--config-dir", str(written(tmp_path, "experiment/two", TWO)), "experiment=two"]
    assert expanded(*start, given) == [*start, along]


def test_choice_of_the_command_line_takes_the_experiments_place(tmp_path: Path) -> None:
    start = ["--config-dir", str(written(tmp_path, "experiment/two", TWO)), "experiment=two"]
    given = [*start, "tactic=local_pruning", "tactic.amount=0.5"]
    assert expanded(*given) == given


@pytest.mark.parametrize("several", ["smoke,paper", "all", "glob(*)"])
def test_experiments_come_one_at_a_time(several: str) -> None:
    with pytest.raises(BadInput, match=r"^experiment=.*one at a time$"):
        expanded("-m", f"experiment={several}")


def test_unknown_experiment_is_left_to_hydra() -> None:
    assert expanded("experiment=nothing") == ["experiment=nothing"]


@pytest.mark.parametrize(
    ("params", "given", "listed"),
    [
        pytest.param({"tactic": "a,b"}, (), ["tactic=a,b"], id="nothing to expand"),
        pytest.param({"tactic": "all"}, (), [f"tactic={','.join(TACTICS)}"], id="all"),
        pytest.param(
            {"tactic": "baseline, all"},
            (),
            [f"tactic={','.join(dict.fromkeys(['baseline', *TACTICS]))}"],
            id="beside another, with a space",
        ),
        pytest.param(
            {"tactic.steps": "[],[all],[{a: {b: 1}}]"},
            (),
            ["tactic.steps=[],[all],[{a: {b: 1}}]"],
            id="inside a list it means nothing",
        ),
        pytest.param({"device": "all"}, (), ["device=all"], id="no group"),
        pytest.param(
            {"tactic": "all"},
            ("tactic.steps",),
            [f"tactic={','.join(sorted([*TACTICS, 'chain']))}"],
            id="a template with its value",
        ),
    ],
)
def test_swept_by_an_experiment(
    repository: ConfigRepository, params: dict[str, str], given: tuple[str, ...], listed: list[str]
) -> None:
    assert expand_swept(params, repository, given).arguments == listed


def test_experiment_with_all_names_what_is_left_out(repository: ConfigRepository) -> None:
    notes = expand_swept({"tactic": "all", "model": "digits_vit"}, repository, ()).notes
    assert notes == ["tactic=all leaves out chain, which needs tactic.steps=…"]


@pytest.mark.parametrize(
    ("models", "labels", "kept"),
    [
        pytest.param(["resnet_50", "digits_vit"], "digits", ["digits_vit"], id="other classes"),
        pytest.param(["resnet_50"], None, ["resnet_50"], id="classes of the data unknown"),
        pytest.param(["hub", "digits_vit"], "imagenet_1k", ["hub"], id="of the model unknown"),
        pytest.param(["mine"], "digits", ["mine"], id="no file of the package"),
        pytest.param(["resnet_50"], "digits", [], id="none"),
    ],
)
def test_fitting(
    repository: ConfigRepository, models: list[str], labels: str | None, kept: list[str]
) -> None:
    found, left_out = fitting(repository, [f"model={name}" for name in models], labels)
    assert found == [f"model={name}" for name in kept]
    assert [one.title for one in left_out] == [name for name in models if name not in kept]
    for one in left_out:
        assert one.reason.startswith("labels don't match: the model's are ")
        assert "\n" not in one.reason
