"""What the cells of a sweep are called. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from greenexp.runs.identity import BASELINE
from greenexp.sweep.plan import Cell, key_of

THEN = " > "  # between the steps of a chain


def title(
    choices: Mapping[str, str],
    model_title: str | None,
    overrides: Iterable[str],
    varying: Collection[str] = (),
) -> str:
    """Returns `model · tactic`, the tactic's options, and whatever else tells a sweep's runs apart.

    Args:
        choices: the options chosen, by group.
        model_title: a name to show in place of the model's choice.
        overrides: of the command line, as `key=value`.
        varying: the keys that differ within the sweep.
    """
    options = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        is_in_the_title = model_title is not None and key in ("model.path", "model.checkpoint")
        if key == "tactic.steps":
            continue  # the tactic's name says them
        if key.startswith("tactic."):
            options.append(f"{key.removeprefix('tactic.')}={value}")
        elif key in varying and key not in ("model", "tactic") and not is_in_the_title:
            options.append(f"{key.removeprefix('workload.')}={value}")
    return " · ".join([model_title or choices["model"], " ".join([choices["tactic"], *options])])


def told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Returns the cells; those of one title say what differs between them, else their number."""
    alike: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        alike[cell.title].append(cell)
    named = {
        cell.id: name
        for of_title in alike.values()
        for cell, name in zip(of_title, _distinct(of_title), strict=True)
    }
    return [replace(cell, title=named[cell.id]) for cell in cells]


def _distinct(cells: Sequence[Cell]) -> list[str]:
    if len(cells) == 1:
        return [cells[0].title]
    differ = varying_keys([cell.overrides for cell in cells])
    options = [
        [override.lstrip("+") for override in cell.overrides if key_of(override) in differ]
        for cell in cells
    ]
    names = [
        " · ".join([cell.title, *of_cell]) for cell, of_cell in zip(cells, options, strict=True)
    ]
    if len(set(names)) == len(names):
        return names
    return [f"{cell.title} · {number}" for number, cell in enumerate(cells, 1)]


def choices_of(
    chosen: Mapping[str, Any], groups: Iterable[str], steps: Sequence[Any] | None
) -> dict[str, str]:
    """Returns the option chosen in each group; a chain is called by its steps.

    Args:
        chosen: options by group, as Hydra holds them.
        groups: those wanted.
        steps: of a chain as they were given, names or `{name: {option: value}}`; without any the
            chain is the baseline. None: the tactic is no chain.
    """
    choices = {group: str(chosen[group]) for group in groups}
    if steps is not None:
        choices["tactic"] = THEN.join(map(_step_name, steps)) or BASELINE
    return choices


def _step_name(given: Any) -> str:
    """Returns a step's name with the options given to it: `openvino precision=int8`."""
    if not isinstance(given, Mapping):
        return str(given)
    return ", ".join(
        " ".join([str(name), *(f"{key}={value}" for key, value in (options or {}).items())])
        for name, options in given.items()
    )


def varying_keys(products: Sequence[Sequence[str]]) -> set[str]:
    """Returns the keys whose value differs within the cells of a sweep; absent is a value."""
    given = [
        dict(override.lstrip("+").partition("=")[::2] for override in overrides)
        for overrides in products
    ]
    keys = {key for of_cell in given for key in of_cell}
    return {key for key in keys if len({of_cell.get(key) for of_cell in given}) > 1}


def quoted(text: str) -> str:
    """Returns a text as a value of Hydra's overrides."""
    # In Hydra's grammar a backslash is itself, but for those right before a quote.
    escaped = re.sub(r"(\\*)'", r"\1\1\'", text)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f"'{escaped}'"
