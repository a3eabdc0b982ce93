"""From YAML to objects: settings registered with Hydra, choices built from what they name.

Choices (model, dataset, tactic, meter) are built from the class that their YAML names in
`_target_`; `build` checks the types of their fields against that class. Settings are `schema`'s.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

from hydra import compose
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from greenexp.errors import BadInput, nearest
from greenexp.schema import Config, DoctorConfig, ReportConfig

T = TypeVar("T")

GROUPS = ("model", "tactic", "dataset", "hardware", "workload")
ROOMS = {  # where the classes of each kind of choice are made
    "model": "greenexp.models",
    "dataset": "greenexp.datasets",
    "tactic": "greenexp.tactics",
    "meters": "greenexp.meters",
}
STEP = "tactic.steps."  # what the keys of a chain's steps begin with
SWEEPER = "hydra_plugins.greenexp_sweeper.sweeper.GreenexpSweeper"


def register() -> None:
    """Puts the schema and the sweeper in Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name="base_config", node=Config)
    store.store(name="base_report", node=ReportConfig)
    store.store(name="base_doctor", node=DoctorConfig)
    # `params` holds overrides to sweep, as with Hydra's own sweeper.
    store.store(group="hydra/sweeper", name="greenexp", node={"_target_": SWEEPER, "params": {}})


def config_dir() -> Path:
    """Returns the folder of the YAML files: beside the package, or inside it when installed."""
    package = Path(__file__).resolve().parent
    beside = package.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else package / "conf"


def build(choice: Mapping[str, Any], key: str) -> Any:
    """Returns the object that a choice describes.

    Args:
        choice: `_target_`, the dotted name of a class in greenexp, and the values of its fields.
        key: where it stands in the configuration, for messages.

    Raises:
        BadInput: for a class outside greenexp, a field it lacks, a wrong type or range.
    """
    values = {name: _built(value, f"{key}.{name}") for name, value in choice.items()}
    target = str(values.pop("_target_", ""))
    cls = _class(target, key)
    arguments = _arguments(cls)
    fields = list(arguments.model_fields)
    for name, value in values.items():
        if name not in fields:
            raise BadInput(
                f"{key}.{name} is unknown; allowed: {', '.join(fields) or 'no field'}."
                f"{nearest(name, fields)}"
            )
        if value == "???":
            raise BadInput(f"{key}.{name} is missing; give {key}.{name}=…")
    try:
        checked = arguments(**values)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join([key, *map(str, first["loc"])])
        if first["type"] == "missing":
            raise BadInput(f"{where} is missing; give {where}=…") from None
        raise BadInput(f"{where}={first['input']!r}: {first['msg']}") from None
    try:
        return cls(**{name: getattr(checked, name) for name in fields})
    except BadInput as refused:
        if not key.startswith(STEP):
            raise
        said = str(refused).removeprefix("tactic.")  # a tactic can't know that it is a step
        raise type(refused)(f"{key}.{said}") from None


def _built(value: Any, key: str) -> Any:
    """Returns a value with the choices inside it built, such as the steps of a chain."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            return build(value, key)
        return {name: _built(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, list):
        return [_built(inner, key) for inner in value]
    return value


def _class(target: str, key: str) -> type:
    """Returns the class named, which must be made in greenexp's room for such choices.

    So no configuration can call anything else: not a function, not what a module imports.
    """
    room = ROOMS[key.partition(".")[0]]
    module_name, _, name = target.rpartition(".")
    found: object = None
    if target.startswith(f"{room}."):
        with contextlib.suppress(ImportError):
            found = getattr(importlib.import_module(module_name), name, None)
    if not isinstance(found, type) or not found.__module__.startswith(f"{room}."):
        raise BadInput(f"{key}._target_={target or 'missing'}; allowed: a class made in {room}")
    return found


@cache
def _arguments(cls: type) -> type[BaseModel]:
    """Returns a model with the constructor's arguments as its fields, to check their types."""
    hints = get_type_hints(cls.__init__, vars(sys.modules[cls.__module__]))  # type: ignore[misc]
    fields: dict[str, Any] = {
        name: (hints[name], ... if argument.default is argument.empty else argument.default)
        for name, argument in inspect.signature(cls).parameters.items()
    }
    anything = ConfigDict(arbitrary_types_allowed=True)  # a clock, an array: only from Python
    return create_model(cls.__name__, __config__=anything, **fields)


def settings(cfg: DictConfig) -> dict[str, Any]:
    """Returns the resolved configuration as plain containers; what is missing stays `???`.

    The steps of a chain, given by name, become the options that they name.
    """
    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)
    plain = cast("dict[str, Any]", container)
    tactic = plain.get("tactic")
    steps = tactic.get("steps") if isinstance(tactic, dict) else None
    if isinstance(steps, list):
        plain["tactic"]["steps"] = [_step(given) for given in steps]
    elif steps not in (None, "???"):
        raise BadInput(f"tactic.steps={steps} is no list; give tactic.steps=[{steps}]")
    return plain


def steps_given(cfg: DictConfig) -> list[Any] | None:
    """Returns the steps of a chain as they were given, None where the tactic is no chain."""
    tactic = OmegaConf.to_container(cfg.tactic, resolve=True, throw_on_missing=False)
    steps = tactic.get("steps") if isinstance(tactic, dict) else None
    return steps if isinstance(steps, list) else None


def _step(given: Any) -> dict[str, Any]:
    """Returns a chain's step with all its options: `name`, or `{name: {option: value}}`."""
    named = {given: {}} if isinstance(given, str) else given
    if not isinstance(named, Mapping) or len(named) != 1:
        raise BadInput(
            f"tactic.steps holds {given}; allowed: names of tactics, or {{name: {{option: value}}}}"
        )
    ((name, options),) = named.items()
    if not isinstance(options, Mapping | None):
        raise BadInput(f"tactic.steps.{name}={options}; allowed: {{option: value}}")
    loader = GlobalHydra.instance().config_loader()
    option = _option(loader, str(name))
    if "steps" in option:
        raise BadInput(f"tactic.steps holds {name}, which is a chain; give its steps in its place")
    return {str(name): option | dict(options or {})}


@lru_cache(maxsize=64)
def _composed(loader: ConfigLoader, name: str) -> DictConfig:
    del loader  # only tells one configuration from another
    try:
        return compose("config", overrides=[f"tactic={name}"])
    except MissingConfigException as error:
        options = list(error.options or [])
        raise BadInput(
            f"tactic.steps holds {name}, which is no tactic; allowed: {', '.join(options)}."
            f"{nearest(name, options)}"
        ) from None


def _option(loader: ConfigLoader, name: str) -> dict[str, Any]:
    """Returns an option of the group `tactic` as its YAML and the search path give it."""
    option = OmegaConf.to_container(_composed(loader, name).tactic, resolve=True)
    return cast("dict[str, Any]", option)


def typed(container: Mapping[str, Any], section: str, cls: type[T]) -> T:
    """Returns one section of the plain configuration as the settings class `cls`.

    A section that is missing, as in records of before it was there, has its defaults.
    """
    kind: type = cls
    made: T = _adapter(kind).validate_python(container.get(section, {}))
    return made


@cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)
