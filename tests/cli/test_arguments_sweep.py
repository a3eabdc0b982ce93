"""What a sweep takes along: values inside a swept choice, what an experiment sweeps, what fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser

from greenexp.cli.arguments import expand_swept
from greenexp.cli.fitting import fitting, lacking, lacking_line
from greenexp.errors import BadInput
from greenexp.settings.conf import config_dir
from tests.support.choices import TACTICS, expanded, written

pytestmark = pytest.mark.usefixtures("schema")


@pytest.fixture
def repository() -> ConfigRepository:
    """The configuration files that come with the package."""
    return ConfigRepository(create_config_search_path(str(config_dir())))


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
    choices, left_out = fitting(repository, [f"model={name}" for name in models], labels)
    assert choices == [f"model={name}" for name in kept]
    assert [exclusion.title for exclusion in left_out] == [
        name for name in models if name not in kept
    ]
    for exclusion in left_out:
        assert exclusion.reason.startswith("labels don't match: the model's are ")
        assert "\n" not in exclusion.reason


# An option that not every choice has

BASELINE, PRUNED = "tactic=baseline", "tactic=local_pruning"
AMOUNTS = ["tactic.amount=0.3", "tactic.amount=0.5"]


@pytest.mark.parametrize(
    ("swept", "lacks"),
    [
        pytest.param(
            {"tactic": [BASELINE, PRUNED], "tactic.amount": AMOUNTS},
            {(BASELINE, "tactic.amount")},
            id="the baseline has no amount",
        ),
        pytest.param(
            {"model": ["model=local", "model=digits_vit"], "model.path": ["model.path=net"]},
            {("model=digits_vit", "model.path")},
            id="of any group",
        ),
        pytest.param(
            {"tactic": [PRUNED, "tactic=global_pruning"], "tactic.amount": AMOUNTS},
            set(),
            id="all have it",
        ),
        pytest.param(
            {"tactic": [BASELINE, PRUNED], "tactic.amont": ["tactic.amont=0.5"]},
            set(),
            id="none has it: a mistake, told of elsewhere",
        ),
        pytest.param(
            {"tactic": [BASELINE, PRUNED], "workload.batch_size": ["workload.batch_size=4"]},
            set(),
            id="of a group that is not swept",
        ),
    ],
)
def test_choices_without_an_option_are_known(
    swept: dict[str, list[str]], lacks: set[tuple[str, str]], repository: ConfigRepository
) -> None:
    assert lacking(repository, swept) == lacks


def test_choices_without_an_option_are_named() -> None:
    others = {("tactic=threads", "tactic.amount"), ("tactic=openvino", "tactic.amount")}
    assert lacking_line({(BASELINE, "tactic.amount")}) == [
        "tactic.amount=… leaves baseline, which has no such option, as it is"
    ]
    assert lacking_line(others) == [
        "tactic.amount=… leaves openvino and threads, which have no such option, as they are"
    ]
    assert lacking_line({(f"tactic={number}", "tactic.amount") for number in range(14)}) == [
        "tactic.amount=… leaves 14 choices, which have no such option, as they are"
    ]
