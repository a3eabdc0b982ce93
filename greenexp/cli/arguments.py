"""Rewrites `group=all` on the command line to the explicit list before Hydra composes anything.

Hydra resolves the defaults list before any sweeper exists, so a sweeper alone can't provide `all`;
an explicit list rather than `glob(*)`, because every sweeper takes it. The search path is built
with Hydra's own classes, internal ones included: the range of hydra-core is `<1.4` for that reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import OmegaConf

from greenexp.errors import BadInput
from greenexp.settings.secrets import keep
from greenexp.settings.yaml_files import check_files

ALL = "all"
EXPERIMENT = "experiment"  # the group of ready sweeps
ADDRESS = re.compile(r"[a-z][\w+.-]*://[^\s,'\"]+")  # one of several that are swept
LOOKS_LIKE_A_NUMBER = re.compile(r"[+-]?[\d_]*\.?\d[\d_]*(e[+-]?\d+)?|true|false|nan|inf", re.I)
TEXTS = frozenset(  # keys whose value is a text, whatever it looks like
    {
        *(f"model.{name}" for name in ("path", "checkpoint", "revision", "labels")),
        *(f"dataset.{name}" for name in ("path", "calibration_path", "id", "revision", "labels")),
        *(f"dataset.{name}" for name in ("config", "data_dir", "split", "calibration_split")),
        *(f"dataset.{name}" for name in ("image_column", "label_column")),
        *("title", "tracking.experiment", "tracking.journal"),
    }
)
EMPTY = "''"  # an empty text in Hydra's grammar


@dataclass(frozen=True)
class Arguments:
    """The command line that Hydra gets, and what was decided about `all`.

    Attributes:
        arguments: without the program's name.
        notes: lines for the user about options that `all` left out.
    """

    arguments: list[str]
    notes: list[str]


def halves(key: str, values: Sequence[str]) -> list[str]:
    """Returns a warning where the values of a sweep look like the halves of one number."""
    if len(values) != 2 or not all(value.isdecimal() for value in values):
        return []
    whole, fraction = values
    return [
        f"{key}={whole},{fraction} sweeps over {whole} and {fraction}; "
        f"for the number {whole}.{fraction} write {key}={whole}.{fraction}"
    ]


def without_password(word: str) -> str:
    """Returns a word of the command line with the tracker's password kept in the environment."""
    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+") != "tracking.uri":
        return word
    return f"{key}=" + ADDRESS.sub(lambda address: keep(address.group()), value)


def as_text(word: str) -> str:
    """Returns an override of a text with values that look like numbers quoted: `path='2024'`."""
    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+") not in TEXTS:
        return word
    return f"{key}=" + ",".join(
        f"'{part}'" if LOOKS_LIKE_A_NUMBER.fullmatch(part) else part for part in value.split(",")
    )


def expand(arguments: Sequence[str], config_dir: Path) -> Arguments:
    """Returns the command line, flags first, with every `group=all` expanded.

    A sweep (`-m`) is switched on for it. With `--help` the choice is dropped, so that the help of
    the defaults shows; with `--cfg` and `--info` the first option stands for all.

    Raises:
        BadInput: where no option of a group fits `all`, or several experiments are given.
    """
    parsed = get_args_parser().parse_intermixed_args(list(arguments))
    # Hydra's own parser refuses overrides that stand both before and after a flag.
    flags = [token for token in arguments if token not in parsed.overrides]
    arguments = [*flags, *parsed.overrides]
    arguments = [as_text(word) for word in arguments]
    overrides = {token: _override(token) for token in map(as_text, parsed.overrides)}
    if parsed.config_dir is not None:
        check_files(Path(parsed.config_dir))
    wanted = {
        token: override
        for token, override in overrides.items()
        if override is not None and ALL in _choices(override)
    }
    if parsed.shell_completion:
        return Arguments(list(arguments), [])
    experiment = _experiment(overrides.values())
    if not wanted and experiment is None:
        return Arguments(_swept_along(arguments, overrides, (), parsed.multirun), [])

    repository = _repository(config_dir, parsed.config_dir, overrides.values())
    by_experiment = [] if experiment is None else _swept_by(repository, experiment)
    given = {o.key_or_group for o in overrides.values() if o is not None}
    rewritten: dict[str, list[str]] = {}
    notes: list[str] = []
    for token, override in wanted.items():
        group = override.key_or_group
        expansion = every_option(repository, group, given)
        if expansion is None:
            continue  # no group, or a group that has an option of that very name
        notes += expansion.notes
        chosen = _in_place_of_all(_choices(override), expansion.options)
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
    if not shows_only:
        sweeps = parsed.multirun or bool(rewritten or by_experiment)
        result = _swept_along(result, overrides, by_experiment, sweeps)
    return Arguments(result, [] if parsed.help else notes)


def _swept_along(
    arguments: Sequence[str],
    overrides: Mapping[str, Override | None],
    by_experiment: Collection[str],
    multirun: bool,
) -> list[str]:
    """Returns the arguments, with a value inside a swept choice made part of the sweep.

    Hydra applies `tactic.precision=int8` before it looks at `tactic=a,b`, to a choice that may not
    know it. As a sweep of one value it goes with each of them.
    """
    known = {token: override for token, override in overrides.items() if override is not None}
    swept = {
        override.key_or_group
        for override in known.values()
        if override.is_sweep_override() or ALL in _choices(override)
    }
    swept |= set(by_experiment) - {override.key_or_group for override in known.values()}
    along = {
        token: f"{override.get_key_element()}={_as_sweep(override)}"
        for token, override in known.items()
        if override.key_or_group.partition(".")[0] in swept
        and "." in override.key_or_group
        and not override.is_sweep_override()
        and not override.is_delete()
    }
    return [along.get(token, token) if multirun else token for token in arguments]


@dataclass(frozen=True)
class Every:
    """What `all` means of a group: its complete options, and lines about those left out."""

    options: list[str]
    notes: list[str]


def every_option(repository: IConfigRepository, group: str, given: Collection[str]) -> Every | None:
    """Returns the options that `group=all` stands for, None where `all` means nothing there.

    Args:
        repository: of the configuration files.
        group: such as `model`.
        given: keys that have a value, so that an option need not bring one of its own.

    Raises:
        BadInput: where no option of the group is complete.
    """
    options = repository.get_group_options(group, ObjectType.CONFIG)
    if not options or ALL in options:
        return None
    incomplete = {name: _missing(repository, group, name, given) for name in options}
    complete = [name for name in options if not incomplete[name]]
    if not complete:
        raise BadInput(f"{group}=all fits no option of {', '.join(options)}")
    needs = [
        f"{name}, which needs {', '.join(f'{key}=…' for key in keys)}"
        for name, keys in incomplete.items()
        if keys
    ]
    notes = [f"{group}=all leaves out {'; '.join(needs)}"] if needs else []
    return Every(complete, notes)


def expand_swept(
    params: Mapping[str, str], repository: IConfigRepository, given: Collection[str]
) -> Arguments:
    """Returns the overrides that an experiment sweeps, with every `all` expanded."""
    result: list[str] = []
    notes: list[str] = []
    for key, value in params.items():
        listed = [choice.strip() for choice in value.split(",")]  # a folded text has spaces
        expansion = every_option(repository, key, given) if ALL in listed else None
        notes += expansion.notes if expansion is not None else []
        chosen = _in_place_of_all(listed, expansion.options) if expansion is not None else [value]
        result.append(f"{key}={','.join(chosen)}")
    return Arguments(result, notes)


def _experiment(overrides: Iterable[Override | None]) -> str | None:
    """Returns the experiment that the command line names, None without one.

    Raises:
        BadInput: for several, since each is a sweep of its own.
    """
    named = [
        override
        for override in overrides
        if override is not None and override.key_or_group == EXPERIMENT
    ]
    for override in named:
        if override.is_sweep_override() or _choices(override) == [ALL]:
            raise BadInput(f"{override.input_line}: each experiment is a sweep; give one at a time")
    return next((name for override in named for name in _choices(override)), None)


def _swept_by(repository: IConfigRepository, experiment: str) -> list[str]:
    """Returns the keys that an experiment sweeps."""
    loaded = repository.load_config(f"{EXPERIMENT}/{experiment}")
    params = OmegaConf.select(loaded.config, "hydra.sweeper.params") if loaded else None
    return [str(key) for key in params or ()]


def _in_place_of_all(choices: Iterable[str], options: Sequence[str]) -> list[str]:
    return list(
        dict.fromkeys(
            name for choice in choices for name in (options if choice == ALL else [choice])
        )
    )


def _override(token: str) -> Override | None:
    try:
        return OverridesParser.create().parse_override(token)
    except HydraException:
        return None  # Hydra itself says what is wrong with it


def _as_sweep(override: Override) -> str:
    """Returns the override's one value as a sweep."""
    text = override.get_value_element_as_str() or EMPTY
    # Hydra's choice() refuses null; the sweeper takes equal values once.
    return "null,null" if text == "null" else f"choice({text})"


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


def _missing(
    repository: IConfigRepository, group: str, option: str, given: Collection[str]
) -> list[str]:
    """Returns the mandatory values (`???`) of an option that the command line doesn't give."""
    loaded = repository.load_config(f"{group}/{option}")
    if loaded is None or not OmegaConf.is_dict(loaded.config):
        return []
    keys = (f"{group}.{key}" for key in OmegaConf.missing_keys(loaded.config))
    return [key for key in keys if key not in given]
