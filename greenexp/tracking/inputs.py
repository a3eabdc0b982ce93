"""The data sets that a record's run read, as MLflow names them. No MLflow here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.runs.identity import INPUTS
from greenexp.runs.journal import Record

EVALUATION, CALIBRATION = "evaluation", "calibration"
DIGEST_LENGTH = 36  # characters, at most; MLflow refuses more


@dataclass(frozen=True)
class DataSet:
    """A data set that a run read.

    Attributes:
        name: id on the hub, name of the folder, or the option.
        digest: of the images and labels, as the sweep's identity has it; of the names and labels
            of the images that were judged where the identity has none.
        context: `evaluation` or `calibration`.
        source_type: as MLflow knows it: `hugging_face`, `local` or `code`.
        source: where it is, as JSON of that type.
        profile: further facts, as JSON; None: none are known.
    """

    name: str
    digest: str
    context: str
    source_type: str
    source: str
    profile: str | None = None


def data_sets(record: Record) -> list[DataSet]:
    """Returns the evaluation split, and the calibration images where the record has their digest.

    A run that judged no image and has no digest has none.
    """
    given = record.configuration.get("dataset") or {}
    digests = record.configuration.get(INPUTS) or {}
    digest = digests.get("dataset") or _digest(record)
    name = given.get("id") or (Path(given["path"]).name if given.get("path") else None)
    name = name or record.choices.get("dataset")
    if digest is None or name is None:
        return []
    predictions = record.result.predictions
    images = None if predictions is None else json.dumps({"images": len(predictions.targets)})
    split = given.get("split")
    made = [DataSet(name, digest[:DIGEST_LENGTH], EVALUATION, *_source(given, split), images)]
    if "calibration" in digests:
        place = _source(given, given.get("calibration_split"))
        short = digests["calibration"][:DIGEST_LENGTH]
        made.append(DataSet(name, short, CALIBRATION, *place))
    return made


def _digest(record: Record) -> str | None:
    predictions = record.result.predictions
    if predictions is None:
        return None
    judged = json.dumps([list(predictions.identifiers), list(predictions.targets)])
    return hashlib.sha256(judged.encode()).hexdigest()[:16]


def _source(given: Mapping[str, Any], split: str | None) -> tuple[str, str]:
    """Returns the type and the JSON of a source, as MLflow's classes of sources write them."""
    if given.get("id"):
        place = {"path": given["id"], "config_name": given.get("config"), "split": split}
        place |= {"data_dir": given.get("data_dir"), "data_files": None}
        return "hugging_face", json.dumps({**place, "revision": given.get("revision")})
    folder = given.get("path")
    if folder:
        return "local", json.dumps({"uri": str(folder)})
    name = {"mlflow.source.name": given.get("_target_"), "mlflow.source.type": "LOCAL"}
    return "code", json.dumps({"tags": name})
