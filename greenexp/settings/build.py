"""From plain values to objects: settings by their class, choices by what they name.

Choices (model, dataset, tactic, meter) are built from the class that their YAML names in
`_target_`; `build` checks the types of their fields against that class.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from greenexp.errors import BadInput, nearest
from greenexp.settings import plugins
from greenexp.settings.secrets import is_secret, looked_up

T = TypeVar("T")

ROOMS = {  # where the classes of each kind of choice are made
    "model": "greenexp.models",
    "dataset": "greenexp.datasets",
    "tactic": "greenexp.tactics",
    "meters": "greenexp.meters",
}
STEP = "tactic.steps."  # what the keys of a chain's steps begin with


def build(choice: Mapping[str, Any], key: str, allow: Sequence[str] = ()) -> Any:
    """Returns the object that a choice describes.

    Args:
        choice: `_target_`, the dotted name of a class, and the values of its fields.
        key: where it stands in the configuration, for messages.
        allow: packages beside greenexp whose classes may be choices, see `plugins`.

    Raises:
        BadInput: for a class that is not allowed, a field it lacks, a wrong type or range.
    """
    values = {name: _built(value, f"{key}.{name}", allow) for name, value in choice.items()}
    target = str(values.pop("_target_", ""))
    cls = _class(target, key, allow)
    arguments = _arguments(cls)
    fields = list(arguments.model_fields)
    values |= {
        name: str(value) for name, value in values.items() if _is_text(arguments, name, value)
    }
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
        text = str(refused).removeprefix("tactic.")  # a tactic can't know that it is a step
        raise type(refused)(f"{key}.{text}") from None


def _built(value: Any, key: str, allow: Sequence[str]) -> Any:
    """Returns a value with the choices inside it built, such as the steps of a chain.

    A secret is looked up in the environment here, so that it stands nowhere in the configuration.
    """
    if isinstance(value, str) and is_secret(key.rpartition(".")[2]):
        return looked_up(key, value)
    if isinstance(value, Mapping):
        if "_target_" in value:
            return build(value, key, allow)
        return {name: _built(inner, f"{key}.{name}", allow) for name, inner in value.items()}
    if isinstance(value, list):
        return [_built(inner, key, allow) for inner in value]
    return value


def _class(target: str, key: str, allow: Sequence[str]) -> type:
    """Returns the class named, which must be made where such choices may be.

    So no configuration can call anything else: not a function, not what a module imports.
    """
    kind = key.partition(".")[0]
    rooms = (ROOMS[kind], *plugins.modules(kind), *allow)
    module_name, _, name = target.rpartition(".")
    cls: object = None
    if any(_within(module_name, room) for room in rooms):
        try:
            cls = getattr(importlib.import_module(module_name), name, None)
        except Exception as error:  # foreign code may raise anything as it is imported
            if not _within(module_name, ROOMS[kind]):
                reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise BadInput(f"{key}._target_={target} can't be imported: {reason}") from None
            if not isinstance(error, ImportError):
                raise
    if not isinstance(cls, type) or not any(_within(cls.__module__, room) for room in rooms):
        raise BadInput(
            f"{key}._target_={target or 'missing'}; allowed: a class made in {', '.join(rooms)}; "
            f"more by an installed package's entry point {plugins.GROUPS[kind]}, "
            "or by plugins.allow=[package]"
        )
    return cls


def _within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def _is_text(arguments: type[BaseModel], name: str, value: object) -> bool:
    """Tells whether a whole number was given for a text, such as a folder that is called 2024."""
    field = arguments.model_fields.get(name)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and field is not None and field.annotation in (str, str | None)


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
