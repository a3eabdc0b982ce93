"""The runs of an experiment as one typed table, and what each is called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.sweep import Tracking
from greenexp.tracking.fields import CELL_TAG
from greenexp.tracking.reader import Reader, reader
from greenexp.tracking.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

Params = Mapping[str, str]

TAG = "greenexp."  # what our tags begin with
COUNTED = ("block", "replicate")  # columns of tags that hold whole numbers
TAGGED = (
    "cell",
    "peers",
    "machine",
    "sweep",
    "outcome",
    "validity",
    "reason",
    "energy_source",
    "cost_holds",
    "device",
    "cpu",
    "gpus",
)
CHOICES = ("model", "tactic", "dataset", "hardware", "workload")
# What is no setting: the choices have labels, the rest measures nothing or was found by the run.
NO_SETTING = ("title", "repetitions", *CHOICES)
NO_SETTINGS = (
    "model.",
    "tactic.",
    "effect.",
    "provenance.",
    "tracking.",
    "sweep.",
    "isolation.",
)
TEXTS = ("description", "source", "electricity_source", "date", "region")  # of a hardware preset
SAID_SHORT = ("workload.", "dataset.")


@dataclass(frozen=True)
class Loaded:
    """The runs of an experiment.

    Attributes:
        frame: see `load`.
        hardware: by cell: the preset that its runs were priced with.
        experiment: its name.
    """

    frame: pd.DataFrame
    hardware: Mapping[str, Hardware]
    experiment: str


@dataclass(frozen=True)
class Labels:
    """What a cell is called, so that whatever differs between two cells shows.

    Attributes:
        model: the choice; of a folder its name, of the hub the checkpoint. Options that differ
            between models of one name follow, `resnet_50 revision=v2`.
        tactic: the choice, likewise: `local_pruning amount=0.3`.
        dataset: the choice; of a folder its name, of the hub the id.
        hardware: the choice.
        workload: the choice.
        setting_varied: other settings that differ within data set, hardware and workload,
            `batch_size=8`; empty where none does.
    """

    model: str
    tactic: str
    dataset: str
    hardware: str
    workload: str
    setting_varied: str


def load(experiment: str = "greenexp", uri: str = "sqlite:///mlruns/mlflow.db") -> pd.DataFrame:
    """Returns the runs of an experiment, one row each whatever its outcome, oldest first.

    Columns: `run_id`; `started` (UTC); `model`, `tactic`, `dataset`, `hardware`, `workload`,
    `setting_varied` as in `Labels`; `block` and `replicate` (Int64); the tags `cell`, `peers`,
    `machine`, `sweep`, `outcome`, `validity`, `reason`, `energy_source`, `cost_holds`, `device`,
    `cpu`, `gpus`; then every metric by its MLflow name, which holds its unit (Float64). Texts are
    of dtype string. What is absent is `pd.NA`.

    Args:
        experiment: name of the MLflow experiment.
        uri: address of the MLflow store.

    Raises:
        BadInput: where store or experiment is missing, or the store can't be read.
    """
    return loaded(reader(Tracking(uri=uri, experiment=experiment))).frame


def loaded(opened: Reader) -> Loaded:
    """Returns the runs of an experiment with the hardware presets they were priced with."""
    tables = opened.tables()
    hardware = {cell: hardware_of(params) for cell, params in tables.params.items()}
    return Loaded(frame(tables), hardware, opened.settings.experiment)


def frame(tables: Tables) -> pd.DataFrame:
    """Returns the tables as one, see `load`."""
    import pandas as pd

    def text(values: Iterable[str]) -> Any:
        return pd.array(list(values), dtype="string")

    names = labels(tables.params)
    tags = tables.tags.reindex(columns=[TAG + name for name in (*COUNTED, *TAGGED)])
    tags = tags.astype("string")
    called = [names[cell] for cell in tags[CELL_TAG]]
    columns: dict[str, Any] = {
        "run_id": text(tables.runs.index),
        "started": tables.runs["started"].array,
    }
    for one in fields(Labels):
        columns[one.name] = text(getattr(label, one.name) for label in called)
    for name in COUNTED:
        columns[name] = tags[TAG + name].astype("Int64").array
    for name in TAGGED:
        columns[name] = tags[TAG + name].array
    measured = tables.metrics.reset_index(drop=True)
    return pd.concat([pd.DataFrame(columns), measured], axis=1)


def hardware_of(params: Params) -> Hardware:
    """Returns the preset that a run's flattened parameters hold."""
    nested: dict[str, Any] = {}
    for key, value in params.items():
        section, *path = key.split(".")
        if section == "hardware" and path:
            place = nested
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = value
    return typed({"hardware": nested}, "hardware", Hardware)


def labels(params: Mapping[str, Params]) -> dict[str, Labels]:
    """Returns what each cell is called.

    Args:
        params: by cell, those of one of its runs.
    """
    models = {cell: _model(of_cell) for cell, of_cell in params.items()}
    tactics = {cell: of_cell.get("tactic", "") for cell, of_cell in params.items()}
    models = _with_options(models, params, "model.")
    tactics = _with_options(tactics, params, "tactic.", ignored=("steps",))
    places = {
        cell: (_dataset(of_cell), of_cell.get("hardware", ""), of_cell.get("workload", ""))
        for cell, of_cell in params.items()
    }
    varied = _varied(params, places)
    return {
        cell: Labels(models[cell], tactics[cell], *places[cell], setting_varied=varied[cell])
        for cell in params
    }


def _model(params: Params) -> str:
    choice = params.get("model", "")
    if choice == "local":
        return _last_part(params.get("model.path", choice))
    return params.get("model.checkpoint", choice) if choice == "hub" else choice


def _dataset(params: Params) -> str:
    choice = params.get("dataset", "")
    if choice == "folder":
        return _last_part(params.get("dataset.path", choice))
    return params.get("dataset.id", choice) if choice == "hub" else choice


def _last_part(path: str) -> str:
    return PurePath(path).name or path


def _with_options(
    names: Mapping[str, str],
    params: Mapping[str, Params],
    prefix: str,
    ignored: Sequence[str] = (),
) -> dict[str, str]:
    """Returns each cell's name and the options that differ between the cells of that name."""
    alike: dict[str, list[str]] = defaultdict(list)
    for cell, name in names.items():
        alike[name].append(cell)
    found = {}
    for name, cells in alike.items():
        options = {cell: _options(params[cell], prefix, ignored) for cell in cells}
        differ = _differing(options.values())
        for cell in cells:
            found[cell] = " ".join([name, *_said(options[cell], differ)])
    return found


def _options(params: Params, prefix: str, ignored: Sequence[str]) -> dict[str, str]:
    """Returns a choice's options by name; its class is none."""
    options = {
        key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)
    }
    return {key: value for key, value in options.items() if key not in ("_target_", *ignored)}


def _varied(
    params: Mapping[str, Params], places: Mapping[str, tuple[str, str, str]]
) -> dict[str, str]:
    """Returns for each cell the settings that differ between the cells of its place.

    Over all models, so that a setting has one name for all of them.
    """
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for cell, place in places.items():
        alike[place].append(cell)
    found = {}
    for cells in alike.values():
        settings = {cell: _settings(params[cell]) for cell in cells}
        differ = _differing(settings.values())
        for cell in cells:
            found[cell] = " ".join(_said(settings[cell], differ))
    return found


def _settings(params: Params) -> dict[str, str]:
    """Returns what else a run's figures depend on, by the key as it is said."""
    found = {}
    for key, value in params.items():
        last = key.rpartition(".")[2]
        if key in NO_SETTING or key.startswith(NO_SETTINGS) or last == "_target_":
            continue
        if key.startswith("hardware.") and last in TEXTS:
            continue
        short = key
        for prefix in SAID_SHORT:
            short = short.removeprefix(prefix)
        found[short] = value
    return found


def _differing(options: Iterable[Mapping[str, str]]) -> list[str]:
    """Returns the keys, sorted, whose value is not the same in all; absent is a value."""
    given = list(options)
    keys = {key for one in given for key in one}
    return sorted(key for key in keys if len({one.get(key) for one in given}) > 1)


def _said(options: Mapping[str, str], keys: Iterable[str]) -> list[str]:
    return [f"{key}={options[key]}" for key in keys if key in options]
