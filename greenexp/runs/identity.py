"""What a run is, and what it is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

# What doesn't change the measurement: outputs, the order of runs, what is said of them.
NOT_MEASURED = ("tracking", "isolation", "title", "sweep", "repetitions", "report", "plugins")


BASELINE = "baseline"
INPUTS = "inputs"  # digests of weights, images, calibration images


def peers_hash(configuration: Mapping[str, Any]) -> str:
    """Returns what is equal for configurations that differ in their tactic alone.

    The images that a tactic is calibrated on belong to it.
    """
    shared = {key: value for key, value in configuration.items() if key != "tactic"}
    inputs = shared.get(INPUTS, {}).items()
    of_peers = {name: content for name, content in inputs if name != "calibration"}
    return cell_hash({**shared, INPUTS: of_peers})


def settings_hash(configuration: Mapping[str, Any]) -> str:
    """Returns what is equal for configurations of the same settings, whatever they read."""
    return cell_hash({**configuration, INPUTS: {}})


def cell_hash(configuration: Mapping[str, Any]) -> str:
    """Returns the identity of a configuration: equal for runs that measure the same thing.

    The digests of what is read, `inputs`, belong to it; runs of earlier versions have none.
    """
    measured = {
        key: _without_card(value)
        for key, value in configuration.items()
        if key not in NOT_MEASURED and (key != INPUTS or value)
    }
    canonical = json.dumps(measured, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _without_card(section: Any) -> Any:
    """Returns a choice without its card, which describes it and changes nothing."""
    if not isinstance(section, Mapping):
        return section
    return {key: value for key, value in section.items() if key != "card"}


def run_name(title: str, block: int | None, replicate: int, is_baseline: bool) -> str:
    """Returns a cell's title with the place of one of its runs, e.g. `… · block 2 · A/A`."""
    place = [f"block {block}"] if block is not None else []
    again = [] if replicate == 1 else [_again(replicate) if is_baseline else f"process {replicate}"]
    return " · ".join([title, *place, *again])


def _again(replicate: int) -> str:
    return "A/A" if replicate == 2 else f"A/A {replicate - 1}"


def model_name(flat: Mapping[str, Any]) -> str:
    """Returns what a model is: the choice; of a folder its name, of the hub the checkpoint.

    Args:
        flat: choices and configuration, see `flattened`.
    """
    choice = str(flat.get("model", ""))
    if choice == "local":
        return _last_part(str(flat.get("model.path", choice)))
    return str(flat.get("model.checkpoint", choice)) if choice == "hub" else choice


def dataset_name(flat: Mapping[str, Any]) -> str:
    """Returns what a data set is: the choice; of a folder its name, of the hub the id."""
    choice = str(flat.get("dataset", ""))
    if choice == "folder":
        return _last_part(str(flat.get("dataset.path", choice)))
    return str(flat.get("dataset.id", choice)) if choice == "hub" else choice


def _last_part(path: str) -> str:
    return PurePath(path).name or path


def flattened(choices: Mapping[str, str], configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the choices and the configuration by dotted key; None has no entry.

    What a run isn't measured by, a choice's card and the report's assumptions, is left out.
    """
    flat: dict[str, Any] = dict(choices)
    for key, value in _flatten(configuration):
        if value is not None and key not in flat:
            flat[key] = value
    return flat


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("card", "report"):
                yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value
