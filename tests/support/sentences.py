"""What every line meant for a reader must be: plain English, one line, commands that work."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.compose import GROUPS, register
from greenexp.cli.schema import Config
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.report import Report
from greenexp.settings.workload import Workload

UNTOLD = re.compile(r"\bnan\b|\binf\b|None(?! of the runs)|–|\{|\}|<|>|\\|…(?!( |$|\.))")
COUNTED = "run|block|model|pair|tactic|image|year|cell|other cell"
WRONG = re.compile(r"  | [,.;:]|\.\.|;;|[+-]{2}|\b(\w+) \1\b|\(\)|\( | \)")
ONE_OF_MANY = re.compile(rf"(?<![\d.,-])1 (?:{COUNTED})s\b")
MANY_OF_ONE = re.compile(rf"(?<![\d.,-])(?!1 )[\d,.]+ (?:{COUNTED})\b")
GIVEN = re.compile(r"(?<![\w.])([a-z_]+(?:\.[a-z_0-9]+)*)=(…|[\w.]*\w)")
NAMED = re.compile(r"(?<![\w.])(?:meters|report|workload|hardware|interference)(?:\.[a-z_]+)+")
ABSENT = object()


def check_plain(lines: Iterable[str]) -> None:
    """Each is one line of words and figures, and ends as a sentence does."""
    for line in lines:
        assert line == line.strip()
        assert "\n" not in line
        assert line.endswith(".")
        for pattern in (UNTOLD, WRONG, ONE_OF_MANY, MANY_OF_ONE):
            assert pattern.search(line) is None, f"{pattern.search(line)} in {line}"
        assert line.count("(") == line.count(")")


def check_commands(lines: Iterable[str]) -> None:
    """Each key that is named is one of the configuration, and each value given is allowed."""
    for line in lines:
        for key, value in GIVEN.findall(line):
            if key in GROUPS:
                path = config_dir() / key / f"{value}.yaml"
                assert value == "all" or path.is_file(), f"{key}={value} in {line}"
                continue
            assert selected(key) is not ABSENT, f"{key}= in {line}"
            if value != "…":
                given = composed(f"{key}={value}")
                typed(plain(given), "workload", Workload)
                typed(plain(given), "report", Report)
        for key in NAMED.findall(line):
            assert selected(key) is not ABSENT, f"{key} in {line}"
        for command in re.findall(r"python -m greenexp[\w.]*", line):
            assert command in ("python -m greenexp", "python -m greenexp.report")


def selected(key: str) -> object:
    """Returns what the configuration holds under a key, ABSENT for none."""
    return OmegaConf.select(composed(), key, default=ABSENT)


def plain(cfg: DictConfig) -> dict[str, object]:
    """Returns the sections that are settings."""
    return {
        name: OmegaConf.to_container(cfg[name], resolve=True) for name in ("workload", "report")
    }


@functools.cache
def composed(*overrides: str) -> DictConfig:
    """Returns the configuration of a command with overrides."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("config", overrides=list(overrides))
    assert set(cfg) >= {"repetitions", "report"} <= set(Config.__dataclass_fields__)
    return cfg
