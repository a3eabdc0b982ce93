"""An artefact of each form is served by MLflow, and answers what was measured."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from mlflow.entities import LoggedModel

from greenexp.cli.compose import configuration
from greenexp.datasets.digits import Digits
from greenexp.errors import BadInput
from greenexp.export.export import Source, export
from greenexp.export.publishing import publish, register
from greenexp.export.serving import NotServed, check, served
from greenexp.measuring import isolation
from greenexp.runs import journal
from greenexp.runs.result import Predictions
from greenexp.settings.sweep import Tracking
from greenexp.sweep.record import Request, measure
from greenexp.tracking.tracker import Tracker, connect
from tests.support.command import QUICK, said, start

pytestmark = pytest.mark.slow

FORMS = {
    "onnx": "onnx_runtime",
    "openvino": "openvino",
    "torch_export": "structured_pruning",
    "aot_inductor": "torch_compile",
    "safetensors": "local_pruning",
}
IMAGES = 3  # that are sent
TIMEOUT_S = 240.0


@dataclass(frozen=True)
class Published:
    """A proven artefact in MLflow, and what the measured run answered."""

    opened: Tracker
    model: LoggedModel
    predictions: Predictions
    labels: list[str]


def published(tactic: str, folder: Path) -> Published:
    """Measures a tactic of digits_resnet, exports it and puts the artefact into MLflow."""
    isolation.prepare()
    composed, choices = configuration(
        ["model=digits_resnet", f"tactic={tactic}", "device=cpu", *QUICK]
    )
    run, path = measure(Request(composed, choices, tactic, ""), folder / "run")
    record = journal.read(path)
    predictions = record.result.predictions
    assert predictions is not None, record.result.reason
    source = Source(run, predictions, "digits_resnet", tactic)
    place, description = export(source, folder / "artefacts", None, lambda stage: None)
    opened = connect(Tracking(uri=f"sqlite:///{folder}/mlflow.db", experiment="test"))
    run_id = opened.log(record)
    model_id = publish(opened.models, run, run_id, place, description)
    register(opened.models, "digits", model_id, run, description)
    model = opened.client.get_logged_model(model_id)
    assert model.tags["greenexp.form"] == description.form
    return Published(opened, model, predictions, list(description.labels))


def free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])


@contextmanager
def serving(given: Published) -> Iterator[str]:
    uri, model_id = given.opened.client.tracking_uri, given.model.model_id
    with served(uri, model_id, "127.0.0.1", free_port(), TIMEOUT_S) as address:
        yield address


def encoded(index: int) -> str:
    file = io.BytesIO()
    Digits().load().image(index).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(("form", "tactic"), list(FORMS.items()))
def test_served_artefact_gives_the_labels_of_the_measured_run(
    form: str, tactic: str, tmp_path: Path
) -> None:
    given = published(tactic, tmp_path)
    assert given.model.tags["greenexp.form"] == form
    images = [[encoded(index)] for index in range(IMAGES)]
    body = {"dataframe_split": {"columns": ["image"], "data": images}}
    with serving(given) as address:
        check(address, given.opened.client, given.model, TIMEOUT_S)
        answer = requests.post(f"{address}/invocations", json=body, timeout=TIMEOUT_S)
        labels = [row["label"] for row in answer.json()["predictions"]]
    assert labels == [given.labels[ranked[0]] for ranked in given.predictions.ranked[:IMAGES]]
    if form == "onnx":
        assert_command_serves(tmp_path)
        assert_loads_without_greenexp(given, tmp_path)
        assert_faults_are_told(given)


def assert_command_serves(folder: Path) -> None:
    where = [f"tracking.uri=sqlite:///{folder}/mlflow.db", "tracking.experiment=test"]
    asked = ["model=digits", f"serve.port={free_port()}", "serve.check_only=true"]
    command = start(folder, "greenexp", "serve", *asked, *where)
    text = said(command)
    assert command.returncode == 0, text
    assert "as measured" in text


LOADING = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
answer = model.predict(pandas.DataFrame({"image": [sys.argv[2]]}))
assert not [name for name in sys.modules if name.startswith("greenexp")]
try:
    import greenexp.errors
except ImportError:
    print(json.dumps(answer["label"].tolist()))
"""


def assert_loads_without_greenexp(given: Published, folder: Path) -> None:
    """Shows that an environment of its own, with the packages and without greenexp, loads it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    packages = sysconfig.get_path("purelib")  # as a plain folder: what is editable is not in it
    done = subprocess.run(
        [folder / "venv/bin/python", "-c", LOADING, given.model.artifact_location, encoded(0)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    label = given.labels[given.predictions.ranked[0][0]]
    assert json.loads(done.stdout.splitlines()[-1]) == [label]


def assert_faults_are_told(given: Published) -> None:
    """Shows what is said of a port that is taken, and of packages in other versions."""
    uri, model_id = given.opened.client.tracking_uri, given.model.model_id
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(BadInput, match=f"serve.port={port} can't be listened on"),
            served(uri, model_id, "127.0.0.1", port, TIMEOUT_S),
        ):
            pass
    (path,) = Path(given.model.artifact_location.removeprefix("file://")).rglob("artefact.json")
    path.write_text(path.read_text().replace('"onnxruntime": "', '"onnxruntime": "0.'))
    with pytest.raises(NotServed, match=r"pip install -r requirements\.txt"), serving(given):
        pass
