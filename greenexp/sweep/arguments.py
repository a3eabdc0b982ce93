"""Rewrites `group=all` on the command line to the explicit list before Hydra composes anything.

Hydra resolves the defaults list before any sweeper exists, so a sweeper alone can't provide `all`;
an explicit list rather than `glob(*)`, because every sweeper takes it. The search path is built
with Hydra's own classes, internal ones included: the range of hydra-core is `<1.4` for that reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import OmegaConf

from greenexp.errors import BadInput

ALL = "all"


@dataclass(frozen=True)
class Arguments:
    """The command line that Hydra gets, and what was decided about `all`.

    Attributes:
        arguments: without the program's name.
        notes: lines for the user about options that `all` left out.
    """

    arguments: list[str]
    notes: list[str]


def expand(arguments: Sequence[str], config_dir: Path) -> Arguments:
    """Returns the command line, flags first, with every `group=all` expanded.

    A sweep (`-m`) is switched on for it. With `--help` the choice is dropped, so that the help of
    the defaults shows; with `--cfg` and `--info` the first option stands for all.

    Raises:
        BadInput: where no option of a group fits `all`.
    """
    parsed = get_args_parser().parse_intermixed_args(list(arguments))
    # Hydra's own parser refuses overrides that stand both before and after a flag.
    flags = [token for token in arguments if token not in parsed.overrides]
    arguments = [*flags, *parsed.overrides]
    overrides = {token: _override(token) for token in parsed.overrides}
    wanted = {
        token: override
        for token, override in overrides.items()
        if override is not None and ALL in _choices(override)
    }
    if not wanted or parsed.shell_completion:
        return Arguments(list(arguments), [])

    repository = _repository(config_dir, parsed.config_dir, overrides.values())
    given = {o.key_or_group for o in overrides.values() if o is not None}
    rewritten: dict[str, list[str]] = {}
    notes: list[str] = []
    for token, override in wanted.items():
        group = override.key_or_group
        options = repository.get_group_options(group, ObjectType.CONFIG)
        if not options or ALL in options:
            continue  # no group, or a group that has an option of that very name
        incomplete = {name: _missing(repository, group, name, given) for name in options}
        complete = [name for name in options if not incomplete[name]]
        if not complete:
            raise BadInput(f"{group}=all fits no option of {', '.join(options)}")
        notes += [
            f"{group}=all leaves out {name}, which needs {', '.join(f'{key}=…' for key in keys)}"
            for name, keys in incomplete.items()
            if keys
        ]
        chosen = list(
            dict.fromkeys(
                name
                for choice in _choices(override)
                for name in (complete if choice == ALL else [choice])
            )
        )
        if parsed.help:
            rewritten[token] = []
        elif parsed.cfg or parsed.info:
            rewritten[token] = [f"{group}={chosen[0]}"]
            notes.append(f"{group}=all shows as its first option, {chosen[0]}")
        else:
            rewritten[token] = [f"{group}={','.join(chosen)}"]

    result = [new for token in arguments for new in rewritten.get(token, [token])]
    shows_only = parsed.help or parsed.hydra_help or parsed.cfg or parsed.info
    if rewritten and not shows_only and not parsed.multirun:
        result.insert(0, "--multirun")
    return Arguments(result, [] if parsed.help else notes)


def _override(token: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(token)
    except HydraException:
        return None  # Hydra itself says what is wrong with it


def _choices(override: Override) -> list[str]:
    value = override.value() if not override.is_delete() else None
    if isinstance(value, ChoiceSweep):
        return [str(choice) for choice in value.list]
    return [value] if isinstance(value, str) else []


def _repository(
    config_dir: Path, user_dir: str | None, overrides: Iterable[Override | None]
) -> ConfigRepository:
    Plugins.instance()  # search path plugins register themselves
    search_path = create_config_search_path(str(config_dir))
    if user_dir is not None:
        search_path.append("command-line", f"file://{Path(user_dir).resolve()}")
    for override in overrides:
        if override is not None and override.key_or_group == "hydra.searchpath":
            listed = override.value()
            for path in listed if isinstance(listed, list) else []:
                search_path.append("hydra.searchpath in command-line", str(path))
    return ConfigRepository(config_search_path=search_path)


def _missing(repository: ConfigRepository, group: str, option: str, given: set[str]) -> list[str]:
    """Returns the mandatory values (`???`) of an option that the command line doesn't give."""
    loaded = repository.load_config(f"{group}/{option}")
    if loaded is None or not OmegaConf.is_dict(loaded.config):
        return []
    keys = (f"{group}.{key}" for key in OmegaConf.missing_keys(loaded.config))
    return [key for key in keys if key not in given]
