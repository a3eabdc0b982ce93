"""Every YAML under conf/ composes and builds; a choice that can't be built is refused."""

from __future__ import annotations

import functools
import inspect
import math
import operator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from greenexp.cli.schema import Config
from greenexp.errors import BadInput
from greenexp.settings.build import build, typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.sweep import Isolation, Sweep, Tracking
from greenexp.settings.workload import Interference, Workload
from tests.support.compositions import CONF, FILES, OPTIONS, composed, key_in, loaded, plain

CHOICES = [
    option for option in OPTIONS if "_target_" in (CONF / f"{option}.yaml").read_text("utf-8")
]
EXPERIMENTS = [option for option in OPTIONS if option.startswith("experiment/")]
SECTIONS = {
    "hardware": Hardware,
    "workload": Workload,
    "interference": Interference,
    "sweep": Sweep,
    "isolation": Isolation,
    "tracking": Tracking,
}
IN_CONFIG = ["interference", "sweep", "isolation", "tracking"]  # sections without options
# Arguments that no YAML can hold: a clock, a trace in memory.
FROM_PYTHON = {"meter/replay": {"clock", "trace"}}


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        name: leaf
        for key, inner in value.items()
        for name, leaf in leaves(inner, f"{prefix}.{key}" if prefix else str(key)).items()
    }


def test_conf_is_where_the_package_looks() -> None:
    assert "config.yaml" in FILES
    assert {option.partition("/")[0] for option in OPTIONS} == {
        "model",
        "tactic",
        "dataset",
        "hardware",
        "workload",
        "meter",
        "experiment",
    }


def test_every_target_is_a_class_of_greenexp() -> None:
    targets = {
        name: value
        for option in OPTIONS
        for name, value in leaves(loaded(option), option).items()
        if name.endswith("_target_")
    }
    assert targets
    assert {name for name, value in targets.items() if not value.startswith("greenexp.")} == set()


@pytest.mark.parametrize("option", OPTIONS)
def test_option_composes(option: str) -> None:
    configuration = plain(option)
    assert set(configuration) == {field.name for field in fields(Config)}
    if option in EXPERIMENTS:  # what it sweeps stands in Hydra's own section
        sets = {key: loaded(option)[key] for key in {*loaded(option)} - {"defaults", "hydra"}}
        for key, value in sets.items():  # a whole choice, or some settings of a section
            section = configuration[key] if isinstance(value, dict) else configuration
            inside = value if isinstance(value, dict) else {key: value}
            assert {name: section[name] for name in inside} == inside
    else:
        assert set(loaded(option)) <= set(OmegaConf.select(composed(option), key_in(option)))


@pytest.mark.parametrize("option", CHOICES)
def test_choice_builds(option: str, tmp_path: Path) -> None:
    key = key_in(option)
    choice = functools.reduce(operator.getitem, key.split("."), plain(option))
    if option == "meter/replay":  # it reads its file when it is made
        choice["path"] = str(tmp_path / "trace.csv")
        (tmp_path / "trace.csv").write_text("t_s,gpu:0 power_w\n0,100\n1,100\n")
    assert type(build(choice, key)) is get_class(loaded(option)["_target_"])


@pytest.mark.parametrize("option", CHOICES)
def test_choice_states_every_argument(option: str) -> None:
    cls = get_class(loaded(option)["_target_"])
    arguments = set(inspect.signature(cls).parameters) - FROM_PYTHON.get(option, set())
    assert set(loaded(option)) - {"_target_"} == arguments


@pytest.mark.parametrize("option", OPTIONS)
def test_sections_are_typed(option: str) -> None:
    configuration = plain(option)
    made = {section: type(typed(configuration, section, cls)) for section, cls in SECTIONS.items()}
    assert made == SECTIONS


@pytest.mark.parametrize("option", [o for o in OPTIONS if o not in (*CHOICES, *EXPERIMENTS)])
def test_settings_file_states_every_field(option: str) -> None:
    whole = leaves(asdict(Hardware()))
    allowed = {
        "hardware": whole,
        "workload": {field.name: None for field in fields(Workload)},
    }[option.partition("/")[0]]
    assert set(leaves(loaded(option))) == set(allowed)


@pytest.mark.parametrize("section", IN_CONFIG)
def test_config_states_every_field_and_its_default(section: str) -> None:
    stated = OmegaConf.to_container(OmegaConf.create(loaded("config")[section]), resolve=True)
    assert stated == asdict(SECTIONS[section]())


def test_a_record_of_before_a_section_has_its_defaults() -> None:
    assert typed({}, "interference", Interference) == Interference()


def test_default_meters_all_build() -> None:
    meters = plain()["meters"]
    assert meters
    for name, choice in meters.items():
        assert type(build(choice, f"meters.{name}")) is get_class(choice["_target_"])


PRUNING = {"_target_": "greenexp.tactics.pruning.LocalPruning", "amount": 0.3}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"_target_": "os.system"}, ["tactic._target_", "os.system"], id="foreign"),
        pytest.param({"_target_": "greenexpand.Tactic"}, ["greenexpand"], id="begins alike"),
        pytest.param({"_target_": ""}, ["tactic._target_", "missing"], id="no target"),
        pytest.param({"amont": 0.2}, ["tactic.amont", "Did you mean amount?"], id="unknown field"),
        pytest.param({"amount": "much"}, ["tactic.amount", "much"], id="wrong type"),
        pytest.param({"amount": None}, ["tactic.amount", "None"], id="none where a number is due"),
        pytest.param({"amount": "???"}, ["tactic.amount", "missing"], id="left open"),
        pytest.param({"amount": 1.0}, ["tactic.amount", "< 1"], id="too much"),
        pytest.param({"amount": math.nan}, ["tactic.amount", "nan"], id="not a number"),
    ],
)
def test_build_refuses(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(BadInput) as refused:
        build(PRUNING | changes, "tactic")
    message = str(refused.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("greenexp.tactics.pruning.LocalPrunning", id="no such class"),
        pytest.param("greenexp.tactics.prunning.LocalPruning", id="no such module"),
        pytest.param("greenexp.tactics.pruning.prunable", id="a function"),
        pytest.param(
            "greenexp.measuring.environment.subprocess.Popen", id="a class behind an import"
        ),
    ],
)
def test_build_refuses_what_is_no_class_of_greenexp(target: str) -> None:
    with pytest.raises(BadInput, match="_target_"):
        build({"_target_": target, "args": ["true"]}, "tactic")


@pytest.mark.parametrize("steps", ["[chain]", "[threads,{chain:{steps:[half_precision]}}]"])
def test_chain_within_a_chain_is_refused(steps: str) -> None:
    pattern = r"^tactic\.steps holds chain, which is a chain; give its steps in its place$"
    with pytest.raises(BadInput, match=pattern):
        composed("tactic/chain", f"tactic.steps={steps}")


def test_build_reports_a_field_not_given() -> None:
    with pytest.raises(BadInput, match=r"^model\.path"):
        build({"_target_": "greenexp.models.local.Local"}, "model")


def test_build_lists_the_words_allowed() -> None:
    choice = {"_target_": "greenexp.tactics.quantization.DynamicQuantization", "backend": "egaer"}
    with pytest.raises(BadInput, match=r"tactic\.backend='egaer'.*'eager'"):
        build(choice, "tactic")
