"""Choices of the configuration, a user's own among them, and a command line expanded."""

from __future__ import annotations

from pathlib import Path

import yaml

from greenexp.cli.arguments import expand
from greenexp.settings.conf import config_dir


def complete(group: str) -> list[str]:
    """Returns the options of a group that leave nothing open."""
    return sorted(
        path.stem
        for path in (config_dir() / group).glob("*.yaml")
        if "???" not in yaml.safe_load(path.read_text("utf-8")).values()
    )


TACTICS = complete("tactic")


def expanded(*arguments: str) -> list[str]:
    return expand(arguments, config_dir()).arguments


def written(folder: Path, name: str, text: str) -> Path:
    """Returns a user's configuration folder, with one more file in it."""
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder
