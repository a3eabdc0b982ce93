"""Which code outside greenexp may be a choice: installed packages that say so, and those allowed.

An installed package names an entry point in the group of its room, whose value is the module that
its classes are made in:

    [project.entry-points."greenexp.tactics"]
    mine = "my_package.tactics"

Its folder `conf`, if it has one, holds the YAML of its options.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

GROUPS = {  # a kind of choice: the group of entry points that brings some
    "model": "greenexp.models",
    "dataset": "greenexp.datasets",
    "tactic": "greenexp.tactics",
    "meters": "greenexp.meters",
}


@dataclass
class Plugins:
    """Code beside a configuration of one's own."""

    allow: list[str] = field(default_factory=list)  # packages whose classes may be choices


def allowed(configuration: Mapping[str, Any]) -> list[str]:
    """Returns the packages that a configuration allows; records of before had no such section."""
    section = configuration.get("plugins") or {}
    return [str(name) for name in section.get("allow") or ()]


@cache
def modules(kind: str) -> tuple[str, ...]:
    """Returns the modules that installed packages bring choices of a kind in; imports none."""
    return tuple(sorted({point.module for point in entry_points(group=GROUPS[kind])}))


@cache
def conf_folders() -> tuple[Path, ...]:
    """Returns the folders of options that installed packages bring; imports none of them."""
    packages = {module.partition(".")[0] for kind in GROUPS for module in modules(kind)}
    return tuple(
        folder
        for package in sorted(packages)
        for location in _locations(package)
        if (folder := Path(location) / "conf").is_dir()
    )


def _locations(package: str) -> Sequence[str]:
    spec = importlib.util.find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec is not None else []
