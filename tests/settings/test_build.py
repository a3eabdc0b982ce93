"""Every YAML under conf/ composes, builds and explains itself; what can't be used is refused."""

from __future__ import annotations

import copy
import datetime
import functools
import inspect
import math
import operator
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.compose import register, settings
from greenexp.cli.schema import Config
from greenexp.errors import BadInput
from greenexp.settings.build import build, typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Carbon, Hardware, Power, Price
from greenexp.settings.sweep import Isolation, Sweep, Tracking
from greenexp.settings.workload import ON_INTERFERENCE, Interference, Workload

CONF = config_dir()
FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))
OPTIONS = [name.removesuffix(".yaml") for name in FILES if "/" in name]
CHOICES = [
    option for option in OPTIONS if "_target_" in (CONF / f"{option}.yaml").read_text("utf-8")
]
PRESETS = [option for option in OPTIONS if option.startswith("hardware/")]
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
# What templates leave open with `???`, by the name of the key.
FILLED_IN = {
    "checkpoint": "org/name",
    "id": "org/name",
    "path": "some/folder",
    "steps": "[half_precision,torch_compile]",
}

SELF_EXPLAINING = re.compile(
    r"""\s*(
        - \s (_self_ | override \s .*)          # entries of the defaults list that choose nothing
      | [\w/]+: (\s+\#.*)?                      # a section
      | _target_: .*                            # the class, whose docstring explains it
      | (electricity_)?source: \s " .* "        # a source is itself the explanation
    )""",
    re.VERBOSE,
)


def key_in(option: str) -> str:
    """Returns where a composed configuration holds an option of a group."""
    group = option.partition("/")[0]
    return "meters.tested" if group == "meter" else group


def loaded(option: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / f"{option}.yaml").read_text("utf-8"))
    return values


def composed(option: str | None = None, *overrides: str) -> DictConfig:
    """Returns the configuration with an option chosen and its `???` filled in."""
    return composed_and_plain(option, *overrides)[0]


def plain(option: str | None = None, *overrides: str) -> dict[str, Any]:
    return copy.deepcopy(composed_and_plain(option, *overrides)[1])


@functools.cache
def composed_and_plain(option: str | None, *overrides: str) -> tuple[DictConfig, dict[str, Any]]:
    register()
    chosen: list[str] = []
    if option is not None:
        group, _, name = option.partition("/")
        chosen.append(f"+meter@meters.tested={name}" if group == "meter" else f"{group}={name}")
        missing = [key for key, value in loaded(option).items() if value == "???"]
        chosen += [f"{key_in(option)}.{key}={FILLED_IN[key]}" for key in missing]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=[*chosen, *overrides])
        return cfg, settings(cfg)


def uncommented(text: str) -> list[str]:
    """Returns the lines of a YAML text that set something and don't say what it is.

    Each value has a comment on its line. Exempt are sections, `_target_`, sources in quotes,
    entries of the defaults list that choose nothing, and Hydra's own section.
    """
    bare = []
    section = ""
    for line in text.splitlines():
        if re.match(r"\w", line):
            section = line.partition(":")[0]
        without_strings = re.sub(r'"[^"]*"', '""', line)
        if (
            line.strip()
            and section != "hydra"
            and not re.search(r"(^|\s)# *\S", without_strings)
            and not SELF_EXPLAINING.fullmatch(line)
        ):
            bare.append(line)
    return bare


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


@pytest.mark.parametrize("name", FILES)
def test_file_explains_itself(name: str) -> None:
    package, text = re.fullmatch(
        r"(# @package _global_\n)?(.*)", (CONF / name).read_text("utf-8"), re.DOTALL
    ).groups()
    assert (package is not None) == name.startswith("experiment/")
    assert text.startswith("# ")
    assert uncommented(text) == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        pytest.param("amount: 0.3  # fraction", [], id="commented"),
        pytest.param("amount: 0.3", ["amount: 0.3"], id="bare number"),
        pytest.param("price:\n  pue: 1.0", ["  pue: 1.0"], id="bare, indented"),
        pytest.param('region: "a # b"', ['region: "a # b"'], id="hash inside a string"),
        pytest.param("amount: 0.3  #", ["amount: 0.3  #"], id="empty comment"),
        pytest.param("source: null", ["source: null"], id="no source and no word why"),
        pytest.param("  - model: vit", ["  - model: vit"], id="bare choice in the defaults"),
        pytest.param("hydra:\n  job:\n    name: a", [], id="Hydra's own section"),
        pytest.param("hydra:\n  a: 1\nb: 2", ["b: 2"], id="after Hydra's own section"),
    ],
)
def test_comment_rule(text: str, bare: list[str]) -> None:
    assert uncommented(text) == bare


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
        assert {key: configuration[key] for key in sets} == sets
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
    assert loaded("config")[section] == asdict(SECTIONS[section]())


def test_a_record_of_before_a_section_has_its_defaults() -> None:
    assert typed({}, "interference", Interference) == Interference()


def test_default_meters_all_build() -> None:
    meters = plain()["meters"]
    assert meters
    for name, choice in meters.items():
        assert type(build(choice, f"meters.{name}")) is get_class(choice["_target_"])


@pytest.mark.parametrize("option", PRESETS)
def test_preset_price_has_its_origin(option: str) -> None:
    preset = typed(plain(option), "hardware", Hardware)
    price = preset.price
    known = [price.usd_per_hour is not None, price.purchase_usd is not None]
    assert sum(known) <= 1, "rent or purchase, not both"
    if any(known):
        assert price.region
        assert price.source
        assert price.date is not None
        datetime.date.fromisoformat(price.date)
    if price.usd_per_kwh is not None or price.pue > 1:
        assert price.electricity_source
    assert price.electricity_included == (price.usd_per_hour is not None)


@pytest.mark.parametrize("option", PRESETS)
def test_preset_carbon_and_power_have_their_origin(option: str) -> None:
    preset = typed(plain(option), "hardware", Hardware)
    if preset.carbon.g_per_kwh is not None:
        assert preset.carbon.region
        assert preset.carbon.source
        assert preset.carbon.date is not None
        datetime.date.fromisoformat(preset.carbon.date)
    assert (preset.power.cpu_idle_w is None) == (preset.power.source is None)
    assert preset.any_device == (option == "hardware/local")


def test_estimate_takes_the_power_of_the_preset() -> None:
    preset = plain("hardware/aws_c7i_2xlarge")
    estimate = preset["meters"]["cpu_estimate"]
    assert estimate["idle_w"] == preset["hardware"]["power"]["cpu_idle_w"]
    assert estimate["rated_w"] == preset["hardware"]["power"]["cpu_rated_w"]
    assert estimate["cpu"] == preset["hardware"]["cpu"]


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
    said = r"^tactic\.steps holds chain, which is a chain; give its steps in its place$"
    with pytest.raises(BadInput, match=said):
        composed("tactic/chain", f"tactic.steps={steps}")


def test_build_reports_a_field_not_given() -> None:
    with pytest.raises(BadInput, match=r"^model\.path"):
        build({"_target_": "greenexp.models.local.Local"}, "model")


def test_build_lists_the_words_allowed() -> None:
    choice = {"_target_": "greenexp.tactics.quantization.DynamicQuantization", "backend": "egaer"}
    with pytest.raises(BadInput, match=r"tactic\.backend='egaer'.*'eager'"):
        build(choice, "tactic")


@pytest.mark.parametrize("value", ["-1", "-0.001", "nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "key",
    [
        "hardware.price.usd_per_hour",
        "hardware.price.usd_per_kwh",
        "hardware.price.purchase_usd",
        "hardware.price.lifetime_years",
        "hardware.price.pue",
        "hardware.price.utilization",
        "hardware.carbon.g_per_kwh",
        "hardware.power.cpu_idle_w",
        "hardware.power.cpu_rated_w",
    ],
)
def test_prices_out_of_range_are_refused(key: str, value: str) -> None:
    configuration = {"hardware": asdict(Hardware())}
    inner: dict[str, Any] = configuration
    *path, last = key.split(".")
    for name in path:
        inner = inner[name]
    inner[last] = float(value)
    with pytest.raises(BadInput, match=re.escape(f"{key}={float(value)} ")):
        typed(configuration, "hardware", Hardware)


@pytest.mark.parametrize("value", ["-1", "nan", "inf"])
def test_override_of_a_price_is_checked(value: str) -> None:
    configuration = plain(None, f"hardware.price.usd_per_hour={value}")
    with pytest.raises(BadInput, match=r"hardware\.price\.usd_per_hour"):
        typed(configuration, "hardware", Hardware)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: Price(utilization=0.0), "price.utilization", id="never used"),
        pytest.param(lambda: Price(utilization=1.01), "price.utilization", id="over used"),
        pytest.param(lambda: Price(pue=0.99), "price.pue", id="pue below 1"),
        pytest.param(lambda: Price(purchase_usd=10.0), "lifetime_years", id="no lifetime"),
        pytest.param(lambda: Price(date="last week"), "price.date", id="date that is none"),
        pytest.param(lambda: Carbon(date="2025-02-30"), "carbon.date", id="day that is none"),
        pytest.param(lambda: Power(cpu_idle_w=1.0), "go together", id="idle without rated"),
        pytest.param(lambda: Power(cpu_rated_w=9.0), "go together", id="rated without idle"),
        pytest.param(lambda: Hardware(gpu="T4"), "go together", id="gpu without count"),
        pytest.param(lambda: Hardware(gpu_count=1), "go together", id="count without gpu"),
        pytest.param(lambda: Workload(batch_size=0), "workload.batch_size", id="empty batch"),
        pytest.param(lambda: Workload(min_windows=0), "workload.min_windows", id="no window"),
        pytest.param(
            lambda: Workload(min_windows=4, max_windows=3),
            r"workload.max_windows=3 .*>= 4",
            id="fewer windows at most than at least",
        ),
        pytest.param(lambda: Workload(half_width=0.0), "workload.half_width=0", id="no width"),
        pytest.param(lambda: Workload(half_width=1.0), "workload.half_width=1", id="all width"),
        pytest.param(
            lambda: Workload(half_width=math.nan),
            "workload.half_width=nan",
            id="width that is none",
        ),
        pytest.param(
            lambda: Workload(half_width=0.01, min_windows=1),
            "half_width=0.01 needs a spread.*min_windows=2",
            id="width of one window",
        ),
        pytest.param(
            lambda: Workload(on_interference="stop"),
            "workload.on_interference=stop .*flag, wait, fail",
            id="unknown reaction",
        ),
        pytest.param(lambda: Config(repetitions=0), "repetitions=0", id="no repetition"),
        pytest.param(
            lambda: Workload(warmup_min_seconds=9.0, warmup_max_seconds=8.0),
            "workload.warmup_max_seconds",
            id="cap below the floor",
        ),
        pytest.param(lambda: Isolation(timeout_s=0.0), "isolation.timeout_s", id="no time"),
        pytest.param(lambda: Config(device="gpu"), "device=gpu", id="unknown device"),
    ],
)
def test_settings_refuse(make: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make()


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf], ids=str)
@pytest.mark.parametrize("key", [field.name for field in fields(Interference)])
def test_limits_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(BadInput, match=re.escape(f"interference.{key}={value} ")):
        typed({"interference": {key: value}}, "interference", Interference)


@pytest.mark.parametrize(
    "key", [field.name for field in fields(Interference) if "None" in str(field.type)]
)
def test_limit_of_none_is_not_judged(key: str) -> None:
    configuration = plain(None, f"interference.{key}=null")
    assert getattr(typed(configuration, "interference", Interference), key) is None


@pytest.mark.parametrize("key", ["steal_pct", "other_processes_pct", "involuntary_switches_per_s"])
def test_limit_of_zero_is_a_limit(key: str) -> None:
    assert getattr(Interference(**{key: 0.0}), key) == 0.0


@pytest.mark.parametrize("word", ON_INTERFERENCE)
def test_reactions_to_interference(word: str) -> None:
    assert plain(None, f"workload.on_interference={word}")["workload"]["on_interference"] == word
    assert Workload(on_interference=word).on_interference == word


def test_one_window_is_enough_where_no_precision_is_asked() -> None:
    assert Workload(min_windows=1, max_windows=1).half_width is None


def test_seconds_that_a_run_lasts_at_least() -> None:
    timed = Workload(
        idle_seconds=2.0, warmup_min_seconds=3.0, min_windows=4, max_windows=9, min_seconds=5.0
    )
    assert timed.at_least_s == 2.0 + 3.0 + 4 * 5.0


def test_free_is_a_price() -> None:
    price = Price(usd_per_hour=0.0, usd_per_kwh=0.0, purchase_usd=0.0, lifetime_years=1.0)
    assert price.usd_per_hour == 0.0
