"""Reads the catalogue: the YAML files of a group, the weights on disk, the runs in the tracker."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from greenexp.catalog.scores import Score
from greenexp.models.card import Card
from greenexp.models.checkpoint import SAFETENSORS
from greenexp.models.embedded_model import FOLDER

BYTES_PER_MIB = 2**20
BYTES_PER_FLOAT32 = 4
MILLION = 1e6
BATCH_NORM_BUFFERS = (".running_mean", ".running_var")  # stored with the weights, and none


@dataclass(frozen=True)
class Model:
    """One option of the group `model`; None: not known.

    Attributes:
        name: the option.
        checkpoint: hub id.
        labels: label space.
        card: what its file tells.
        parameters_m: weights and biases, millions: the card's, else counted in the weights on disk.
        disk_mib: size of the weights on this disk.
        measured: what runs found, one entry a data set.
    """

    name: str
    checkpoint: str | None
    labels: str | None
    card: Card
    parameters_m: float | None
    disk_mib: float | None
    measured: Sequence[Score]

    @property
    def float32_mib(self) -> float | None:
        """Size of the parameters alone in float32: arithmetic, no file was looked at."""
        if self.parameters_m is None:
            return None
        return self.parameters_m * MILLION * BYTES_PER_FLOAT32 / BYTES_PER_MIB

    @property
    def gmacs(self) -> float | None:
        """The card's figure, else that of a run."""
        return self.measured_gmacs if self.card.gmacs is None else self.card.gmacs

    @property
    def measured_gmacs(self) -> float | None:
        """Multiply-accumulates for one image as the latest run counted them, 10^9."""
        counted = [score.macs for score in self.measured if score.macs is not None]
        return counted[0] / 1e9 if counted else None


@dataclass(frozen=True)
class DataSet:
    """One option of the group `dataset`; None: not known."""

    name: str
    id: str | None
    split: str | None
    images: int | None
    classes: int | None
    labels: str | None
    gated: bool | None
    licence: str | None


def models(conf: Path, measured: Sequence[Score]) -> list[Model]:
    """Returns the models by label space, family and size; templates such as `hub` are left out."""
    rows = [
        _model(name, values, [score for score in measured if score.model == name])
        for name, values in _options(conf / "model")
    ]

    def place(model: Model) -> tuple[str, str, float, str]:
        family = (model.card.family or "").casefold()
        return model.labels or "", family, model.parameters_m or 0.0, model.name

    return sorted(rows, key=place)


def data_sets(conf: Path) -> list[DataSet]:
    """Returns the data sets by name; templates such as `folder` are left out."""
    return [_data_set(name, values) for name, values in _options(conf / "dataset")]


def templates(conf: Path, group: str) -> list[str]:
    """Returns the options of a group that name nothing by themselves: a value is missing."""
    return [name for name, values in _files(conf / group) if "???" in values.values()]


def _files(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.glob("*.yaml")):
        values = OmegaConf.to_container(OmegaConf.load(path), throw_on_missing=False)
        yield path.stem, cast("dict[str, Any]", values)


def _options(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, values) for name, values in _files(folder) if "???" not in values.values())


def _model(name: str, values: Mapping[str, Any], measured: Sequence[Score]) -> Model:
    card = Card(**(values.get("card") or {}))
    files = weight_files(_folder(values))
    return Model(
        name=name,
        checkpoint=values.get("checkpoint"),
        labels=values.get("labels"),
        card=card,
        parameters_m=_parameters_m(files) if card.parameters_m is None else card.parameters_m,
        disk_mib=sum(path.stat().st_size for path in files) / BYTES_PER_MIB if files else None,
        measured=measured,
    )


def _data_set(name: str, values: Mapping[str, Any]) -> DataSet:
    card = values.get("card") or {}
    return DataSet(
        name=name,
        id=values.get("id"),
        split=values.get("split"),
        images=card.get("images"),
        classes=card.get("classes"),
        labels=values.get("labels"),
        gated=card.get("gated"),
        licence=card.get("licence"),
    )


def _folder(values: Mapping[str, Any]) -> Path | None:
    """Returns the folder on this disk that a model would be read from, None where there is none."""
    if values.get("checkpoint") is None:
        folder = FOLDER / str(values.get("name"))
        return folder if folder.is_dir() else None
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(
        values["checkpoint"], "config.json", revision=values.get("revision")
    )
    return Path(config).parent if isinstance(config, str) else None


def weight_files(folder: Path | None) -> list[Path]:
    """Returns the weights that a model folder would be read from; none where some are missing."""
    if folder is None:
        return []
    whole, index = (folder / name for name in SAFETENSORS)
    if whole.is_file():
        return [whole]
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [folder / name for name in sorted(shards)]
    else:
        files = [folder / "pytorch_model.bin"]
    return files if all(path.is_file() for path in files) else []


def _parameters_m(files: Sequence[Path]) -> float | None:
    """Returns the number of weights and biases by the headers of safetensors, in millions."""
    from safetensors import safe_open

    if not files or any(path.suffix != ".safetensors" for path in files):
        return None
    total = 0
    for path in files:
        with safe_open(path, framework="numpy") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no mapping
                tensor = weights.get_slice(name)
                if "F" in tensor.get_dtype() and not name.endswith(BATCH_NORM_BUFFERS):
                    total += math.prod(tensor.get_shape())
    return total / MILLION
