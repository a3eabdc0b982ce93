"""Artefacts as models of MLflow: loaded by pyfunc, READY where proven, registered with aliases."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from greenexp.errors import BadInput
from greenexp.runs.run import of
from greenexp.tracking import registry
from greenexp.tracking.registry import CHAMPION, EXAMPLE_TAG, PREVIOUS, Package
from greenexp.tracking.tracker import Tracker
from tests.tracking.test_models import measured, tracker

# A classifier whose answer is the image's mean, in the form of what lies beside an artefact.
MODEL = """
import numpy as np
class Model:
    def __init__(self, folder):
        pass
    def classify(self, images):
        means = [float(np.asarray(image).mean()) for image in images]
        best = [{"label": f"{mean:.0f}", "score": 1.0} for mean in means]
        return [{**top, "top5": [top]} for top in best]
"""
GREY = 77


def package(folder: Path, is_proven: bool = True) -> Package:
    place = folder / "artefact"
    place.mkdir(exist_ok=True)
    (place / "model.py").write_text(MODEL)
    Image.new("L", (4, 4), GREY).save(place / "example.png")
    tags = {EXAMPLE_TAG: str(GREY)}
    return Package(place, "onnx", place / "example.png", ["numpy"], tags, is_proven)


def kept(opened: Tracker, folder: Path, is_proven: bool = True) -> str:
    record = measured("a", 1.0, 4)
    run_id = opened.log(record)
    return registry.keep(opened.models, of(record), run_id, package(folder, is_proven))


def test_proven_artefact_is_ready_and_takes_bytes_base64_and_arrays(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    model_id = kept(opened, tmp_path)
    kept_model = opened.client.get_logged_model(model_id)
    assert str(kept_model.status) == "READY"
    assert kept_model.name == "digits_vit · a (onnx)"
    assert {m.key: m.value for m in kept_model.metrics}["accuracy/top1"] == 1.0
    request = json.loads(registry.known_request(opened.client, kept_model))
    assert request["dataframe_split"]["columns"] == ["image"]
    file = io.BytesIO()
    Image.new("L", (4, 4), GREY).save(file, "PNG")
    plain = file.getvalue()
    images = [plain, base64.b64encode(plain).decode(), np.full((4, 4), GREY).tolist()]
    loaded = mlflow.pyfunc.load_model(kept_model.artifact_location)
    for image in images:
        answer = loaded.predict(pd.DataFrame({"image": [image]}))
        assert answer["label"].tolist() == [str(GREY)]
        assert answer["top5"].tolist() == [[{"label": str(GREY), "score": 1.0}]]


def test_artefact_becomes_the_model_of_its_cell(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    model_id = kept(opened, tmp_path)
    again = tracker(tmp_path)
    run_id = again.log(measured("a", 2.0, 4))
    (read,) = again.client.get_run(run_id).inputs.model_inputs
    assert read.model_id == model_id


def test_artefact_that_is_not_proven_is_failed_and_not_found(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    model_id = kept(opened, tmp_path, is_proven=False)
    model = opened.client.get_logged_model(model_id)
    assert str(model.status) == "FAILED"
    assert not model.metrics
    assert registry.of_run(opened.client, opened.experiment_id, model.source_run_id) is None


def test_champion_before_becomes_the_previous_one(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    client = opened.client
    first, second = kept(opened, tmp_path), kept(opened, tmp_path)
    environment = dict(os.environ)
    assert registry.register(client, "digits", first, "one") == "1"
    assert registry.champion(client, "digits").model_id == first
    assert registry.register(client, "digits", second, "two") == "2"
    assert registry.champion(client, "digits").model_id == second
    assert dict(os.environ) == environment  # other commands would send their runs elsewhere
    aliases = client.get_registered_model("digits").aliases
    assert {name: int(version) for name, version in aliases.items()} == {CHAMPION: 2, PREVIOUS: 1}
    assert client.get_model_version("digits", "2").description == "two"
    model = registry.of_run(client, opened.experiment_id, model_run(opened, second))
    assert model is not None
    assert model.model_id == second


def model_run(opened: Tracker, model_id: str) -> str:
    return str(opened.client.get_logged_model(model_id).source_run_id)


def test_name_of_something_else_is_refused(tmp_path: Path) -> None:
    opened = tracker(tmp_path)
    opened.client.create_registered_model("theirs")
    with pytest.raises(BadInput, match="register=theirs is the name of a registered model"):
        registry.check_name(opened.client, "theirs")
    registry.check_name(opened.client, "new")


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b"])
def test_name_that_mlflow_takes_not_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="can't be a model's name"):
        registry.check_name(tracker(tmp_path).client, name)


def test_name_without_a_champion_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    client = tracker(tmp_path).client
    client.create_registered_model("theirs")
    with pytest.raises(BadInput, match="allowed: theirs"):
        registry.champion(client, "nix")
