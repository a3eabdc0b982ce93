"""What the cells of a study are called, so that whatever differs between two of them shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from greenexp.runs.identity import INPUTS, dataset_name, flattened, model_name
from greenexp.runs.run import Run
from greenexp.runs.texts import printable

Params = Mapping[str, str]

CHOICES = ("model", "tactic", "dataset", "hardware", "workload")
# What is no setting: the choices have labels, the rest measures nothing or was found by the run.
NO_SETTING = ("title", "repetitions", *CHOICES)
NO_SETTINGS = (
    "model.",
    "tactic.",
    "inputs.",
    "effect.",
    "provenance.",
    "tracking.",
    "sweep.",
    "isolation.",
)
TEXTS = ("description", "source", "electricity_source", "date", "region")  # of a hardware preset
SAID_SHORT = ("workload.", "dataset.")
SHOWN_OF_DIGEST = 8


@dataclass(frozen=True)
class Labels:
    """What a cell is called, so that whatever differs between two cells shows.

    Attributes:
        model: the choice; of a folder its name, of the hub the checkpoint. Options that differ
            between models of one name follow, `resnet_50 revision=v2`; where their files differ,
            the beginning of the digest, `net@3fa1c09b`.
        tactic: the choice, likewise: `local_pruning amount=0.3`.
        dataset: the choice; of a folder its name, of the hub the id. Likewise with its digest.
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


def of_runs(runs: Iterable[Run]) -> dict[str, Labels]:
    """Returns what the cell of each run is called; a finished run speaks for its cell."""
    speakers: dict[str, Run] = {}
    for run in runs:
        known = speakers.get(run.cell)
        if known is None or (known.outcome != "ok" and run.outcome == "ok"):
            speakers[run.cell] = run
    return labels(
        {
            cell: {
                key: printable(str(value))
                for key, value in flattened(run.choices, run.configuration).items()
            }
            for cell, run in speakers.items()
        }
    )


def labels(params: Mapping[str, Params]) -> dict[str, Labels]:
    """Returns what each cell is called.

    Args:
        params: by cell, those of one of its runs.
    """
    models = {cell: model_name(of_cell) for cell, of_cell in params.items()}
    tactics = {cell: of_cell.get("tactic", "") for cell, of_cell in params.items()}
    models = _with_options(models, params, "model.")
    tactics = _with_options(tactics, params, "tactic.", ignored=("steps",))
    models = _with_content(models, params, f"{INPUTS}.model")
    tactics = _with_content(tactics, params, f"{INPUTS}.calibration")
    datasets = {cell: dataset_name(of_cell) for cell, of_cell in params.items()}
    datasets = _with_content(datasets, params, f"{INPUTS}.dataset")
    places = {
        cell: (datasets[cell], of_cell.get("hardware", ""), of_cell.get("workload", ""))
        for cell, of_cell in params.items()
    }
    varied = _varied(params, places)
    return {
        cell: Labels(models[cell], tactics[cell], *places[cell], setting_varied=varied[cell])
        for cell in params
    }


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
    full_names = {}
    for name, cells in alike.items():
        options = {cell: _options(params[cell], prefix, ignored) for cell in cells}
        differ = _differing(options.values())
        for cell in cells:
            full_names[cell] = " ".join([name, *_said(options[cell], differ)])
    return full_names


def _with_content(
    names: Mapping[str, str], params: Mapping[str, Params], key: str
) -> dict[str, str]:
    """Returns each cell's name, with the beginning of a digest where it differs within a name."""
    contents: dict[str, set[str | None]] = defaultdict(set)
    for cell, name in names.items():
        contents[name].add(params[cell].get(key))
    return {
        cell: f"{name}@{params[cell][key][:SHOWN_OF_DIGEST]}"
        if len(contents[name]) > 1 and key in params[cell]
        else name
        for cell, name in names.items()
    }


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
    differences = {}
    for cells in alike.values():
        settings = {cell: _settings(params[cell]) for cell in cells}
        differ = _differing(settings.values())
        for cell in cells:
            differences[cell] = " ".join(_said(settings[cell], differ))
    return differences


def _settings(params: Params) -> dict[str, str]:
    """Returns what else a run's figures depend on, by the key as it is said."""
    settings = {}
    for key, value in params.items():
        last = key.rpartition(".")[2]
        if key in NO_SETTING or key.startswith(NO_SETTINGS) or last == "_target_":
            continue
        if key.startswith("hardware.") and last in TEXTS:
            continue
        short = key
        for prefix in SAID_SHORT:
            short = short.removeprefix(prefix)
        settings[short] = value
    return settings


def _differing(options: Iterable[Mapping[str, str]]) -> list[str]:
    """Returns the keys, sorted, whose value is not the same in all; absent is a value."""
    given = list(options)
    keys = {key for row in given for key in row}
    return sorted(key for key in keys if len({row.get(key) for row in given}) > 1)


def _said(options: Mapping[str, str], keys: Iterable[str]) -> list[str]:
    return [f"{key}={options[key]}" for key in keys if key in options]
