"""Configurations that Hydra composes from the YAML under conf/."""

from __future__ import annotations

import copy
import functools
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from greenexp.cli.compose import register, settings
from greenexp.settings.conf import config_dir

CONF = config_dir()
FILES = sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*.yaml"))
HYDRA = "hydra/"  # options of Hydra's own groups, such as launchers, are no part of a run
OPTIONS = [
    name.removesuffix(".yaml") for name in FILES if "/" in name and not name.startswith(HYDRA)
]


# What templates leave open with `???`, by the name of the key.
FILLED_IN = {
    "checkpoint": "org/name",
    "id": "org/name",
    "path": "some/folder",
    "steps": "[half_precision,torch_compile]",
}


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
