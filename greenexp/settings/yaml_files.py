"""Looks at the YAML files of a user before Hydra reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from greenexp.errors import BadInput

LARGEST_BYTES = 2**20
MOST_ALIASES = 100
DEEPEST = 50
# In Hydra's own section: what writes any file, or makes any object.
REFUSED = ("job_logging", "hydra_logging", "callbacks")
TARGET = "_target_"


def check_files(folder: Path) -> None:
    """Checks the YAML files below a folder of options.

    Raises:
        BadInput: for one that is too large, too deep, full of aliases, or has Hydra log to files
            or make objects of its own.
    """
    for path in sorted(folder.rglob("*.yaml")):
        if not path.is_file():
            continue
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise BadInput(f"{path} has {size} bytes; allowed: {LARGEST_BYTES} in a file")
        try:
            _check_shape(path)
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue  # Hydra says what is wrong with it, if it reads it
        _check_hydra(path, loaded)


def _check_shape(path: Path) -> None:
    depth = aliases = 0
    with path.open(encoding="utf-8") as file:
        for event in yaml.parse(file, Loader=yaml.SafeLoader):
            aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if aliases > MOST_ALIASES:
                raise BadInput(
                    f"{path} has more than {MOST_ALIASES} aliases (*name); allowed: less"
                )
            if depth > DEEPEST:
                raise BadInput(f"{path} is nested more than {DEEPEST} deep; allowed: less")


def _check_hydra(path: Path, loaded: Any) -> None:
    if not isinstance(loaded, Mapping):
        return
    section = loaded.get("hydra")
    refused = [f"hydra.{key}" for key in REFUSED if isinstance(section, Mapping) and key in section]
    refused += [f"hydra.{key}" for key in _targets(section)]
    for entry in loaded.get("defaults") or ():
        for key in entry if isinstance(entry, Mapping) else ():
            group = str(key).removeprefix("override ").strip().lstrip("/").partition("@")[0]
            if any(group == f"hydra/{name}" for name in REFUSED):
                refused.append(group)
    if refused:
        raise BadInput(
            f"{path} sets {refused[0]}, which could write any file or run any code; "
            "leave it out, or give it on the command line"
        )


def _targets(section: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(section, Mapping):
        for key, value in section.items():
            if key == TARGET:
                yield f"{prefix}{key}"
            else:
                yield from _targets(value, f"{prefix}{key}.")
    elif isinstance(section, list):
        for value in section:
            yield from _targets(value, prefix)
