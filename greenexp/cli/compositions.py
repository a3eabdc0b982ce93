"""The cells of a sweep, composed by Hydra once an option rather than once a cell.

Hydra takes a tenth of a second for each composition. The cells of a sweep differ in a few groups,
and what a group's option holds is the same in all of them. So one cell is composed whole, and the
others are put together of it and their options, wherever that gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from hydra._internal.config_repository import IConfigRepository
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.compose import without_hydra
from greenexp.sweep.events import Composition

GIVEN_WHOLE = ("model", "tactic", "dataset")  # groups whose options no schema fills up
RESOLVER = re.compile(r"\$\{\s*([\w.]+)\s*:")  # what `${name:…}` calls
FROM_ENVIRONMENT = "oc.env"


class Compositions:
    """Composes the cells of a sweep.

    Args:
        load: composes overrides whole, as Hydra does.
        repository: of the files that it composes from.
        swept: the overrides of each key of the sweep.
    """

    def __init__(
        self,
        load: Callable[[Sequence[str]], DictConfig],
        repository: IConfigRepository,
        swept: Mapping[str, Sequence[str]],
    ) -> None:
        self._load = load
        self._repository = repository
        self._swept = swept
        self._whole: dict[tuple[str, ...], Composition] = {}
        self._sections: dict[str, Mapping[str, Any] | None] = {}

    def __call__(self, overrides: Sequence[str]) -> Composition:
        """Returns what the overrides of a cell compose."""
        given = {override.partition("=")[0]: override for override in overrides}
        own = {group: self._section(given[group]) for group in self._exchanged}
        if None in own.values():
            return self._composed(tuple(overrides))
        shared = {**given, **{group: self._swept[group][0] for group in own}}
        whole = self._composed(tuple(shared.values()))
        chosen = {group: given[group].partition("=")[2] for group in own}
        return Composition({**whole.configuration, **own}, {**whole.choices, **chosen})

    @cached_property
    def _exchanged(self) -> list[str]:
        """The groups whose options may be exchanged in a configuration that is composed whole.

        That is where the option alone makes the group's section, and nothing refers to it.
        """
        varying = [
            group
            for group in GIVEN_WHOLE
            if len(self._swept.get(group, ())) > 1
            and not any(key.startswith(f"{group}.") for key in self._swept)
        ]
        if not varying:
            return []
        first = [overrides[0] for overrides in self._swept.values()]
        loaded = self._load(first)
        written = OmegaConf.to_container(loaded, resolve=False)
        if not isinstance(written, dict) or _refers({**written, "hydra": None}, varying):
            return []
        return [
            group for group in varying if self._section(self._swept[group][0]) == written.get(group)
        ]

    def _section(self, override: str) -> Mapping[str, Any] | None:
        """Returns what an option holds, None where it takes Hydra to tell."""
        if override not in self._sections:
            group, _, option = override.partition("=")
            self._sections[override] = self._plain(f"{group}/{option}")
        return self._sections[override]

    def _plain(self, path: str) -> Mapping[str, Any] | None:
        loaded = self._repository.load_config(path)
        if loaded is None:
            return None
        others = [default for default in loaded.defaults_list or () if not default.is_self()]
        placed = loaded.header.get("package") or ""
        section = OmegaConf.to_container(loaded.config, resolve=False)
        if others or placed.startswith("_global_") or not isinstance(section, dict):
            return None
        section.pop("defaults", None)
        if "${" in str(section) or "steps" in section:  # a chain's steps are looked up by Hydra
            return None
        return cast("Mapping[str, Any]", section)

    def _composed(self, overrides: tuple[str, ...]) -> Composition:
        if overrides not in self._whole:
            self._whole[overrides] = Composition(*without_hydra(self._load(overrides)))
        return self._whole[overrides]


def _refers(value: Any, groups: Sequence[str]) -> bool:
    """Tells whether a text inside refers to one of the groups, or calls for more than a variable.

    A reference names what it refers to; what it calls, such as a resolver, may look anywhere.
    """
    if isinstance(value, Mapping):
        return any(_refers(inner, groups) for inner in value.values())
    if isinstance(value, list):
        return any(_refers(inner, groups) for inner in value)
    if not isinstance(value, str) or "${" not in value:
        return False
    calls = [name for name in RESOLVER.findall(value) if name != FROM_ENVIRONMENT]
    return bool(calls) or any(re.search(rf"\b{group}\b", value) for group in groups)
