"""Proven artefacts as MLflow's models: kept with their files, registered, looked up."""

from __future__ import annotations

import base64
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greenexp.errors import BadInput
from greenexp.runs.run import Run
from greenexp.tracking.models import EXTERNAL, OF_CELL, RUN, Models, is_ready, key_of
from greenexp.tracking.rows import written

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

CHAMPION, PREVIOUS = "champion", "previous"
OURS = "greenexp.registered"  # tag of a registered model: greenexp fills it
EXAMPLE_TAG = "greenexp.example"  # label that the measured tactic gives to the example
CODE = Path(__file__).with_name("pyfunc.py")  # of MLflow's model, which travels with it
REQUEST = "serving_input_example.json"  # of MLflow's models: a request with the example
SOURCE = "models:/"  # begins the source of a version that is made of a model
ADDRESS = "MLFLOW_TRACKING_URI"  # variable of the environment that MLflow reads
ABSENT = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class Package:
    """An artefact as MLflow keeps it.

    Attributes:
        folder: with all its files.
        form: of those, as an artefact names it.
        example: an image of it, a file.
        requirements: a line a package.
        tags: of the model.
        is_proven: whether it is shown to be what was measured.
    """

    folder: Path
    form: str
    example: Path
    requirements: Sequence[str]
    tags: Mapping[str, str]
    is_proven: bool


def keep(models: Models, run: Run, run_id: str, package: Package) -> str:
    """Puts an artefact into MLflow as a model; returns the model's id.

    The model waits as PENDING until its files are there. It is READY then, with the run's metrics,
    or FAILED where nothing is proven; only a READY one is found as the model of its cell.

    Args:
        models: of the experiment.
        run: that was measured.
        run_id: MLflow's id of it.
        package: the artefact.
    """
    of_cell = {OF_CELL: key_of(run)} if package.is_proven else {}
    made = models.create(run, run_id, {**package.tags, **of_cell, RUN: run.id}, package.form)
    model_id = str(made.model_id)
    try:
        with tempfile.TemporaryDirectory(prefix="greenexp-") as temporary:
            place = Path(temporary) / "model"
            _save(package, place, model_id, run_id)
            models.client.log_model_artifacts(model_id, str(place))
    except BaseException:
        models.client.finalize_logged_model(model_id, "FAILED")
        raise
    models.client.finalize_logged_model(model_id, "READY" if package.is_proven else "FAILED")
    if package.is_proven:
        models.link(run, run_id, model_id)
    return model_id


def _save(package: Package, place: Path, model_id: str, run_id: str) -> None:
    import pandas as pd

    encoded = base64.b64encode(package.example.read_bytes()).decode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own types, and of its use of pandas
        import mlflow.pyfunc
        from mlflow.models import Model

        itself = Model(artifact_path=f"{SOURCE}{model_id}", run_id=run_id, model_id=model_id)
        mlflow.pyfunc.save_model(
            str(place),
            mlflow_model=itself,
            python_model=str(CODE),
            artifacts={"artefact": str(package.folder)},
            signature=_signature(),
            input_example=pd.DataFrame({"image": [encoded]}),
            pip_requirements=[*package.requirements, f"mlflow=={mlflow.__version__}"],
        )


def _signature() -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType, Array, Object, Property

    best = Object([Property("label", DataType.string), Property("score", DataType.double)])
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), "image")]),  # type: ignore[no-untyped-call]
        outputs=Schema(
            [
                ColSpec(DataType.string, "label"),
                ColSpec(DataType.double, "score"),
                ColSpec(Array(best), "top5"),
            ]
        ),
    )


def check_name(client: MlflowClient, name: str) -> None:
    """Checks that a model can be registered under a name.

    Raises:
        BadInput: where MLflow takes no such name, or something else has it.
    """
    if not name.strip() or set(name) & set("/:"):
        raise BadInput(f"register={name} can't be a model's name; give one without / and :")
    if not _is_free(client, name):
        raise BadInput(
            f"register={name} is the name of a registered model that is not greenexp's; give "
            f"another name, or mark it as greenexp's with the tag {OURS}=true"
        )


def _is_free(client: MlflowClient, name: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_registered_model(name).tags.get(OURS) == "true")
    except MlflowException as error:
        if error.error_code != ABSENT:
            raise
        return True


def register(client: MlflowClient, name: str, model_id: str, description: str) -> str:
    """Registers a model as the champion of a name; the champion before is its `previous` then.

    Args:
        client: of the store.
        name: see `check_name`.
        model_id: of a model that is READY.
        description: of the version, as Markdown.

    Returns:
        The version's number.
    """
    from mlflow.exceptions import MlflowException

    check_name(client, name)
    try:
        client.create_registered_model(name, tags={OURS: "true"})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model = client.get_logged_model(model_id)
    with _global_address(client):
        version = client.create_model_version(
            name,
            source=f"{SOURCE}{model_id}",
            run_id=model.source_run_id,
            model_id=model_id,
            tags={RUN: model.tags[RUN]},
            description=description,
        )
    before = client.get_registered_model(name).aliases.get(CHAMPION)
    if before is not None:
        written(lambda: client.set_registered_model_alias(name, PREVIOUS, before))
    written(lambda: client.set_registered_model_alias(name, CHAMPION, version.version))
    return str(version.version)


def known_request(client: MlflowClient, model: LoggedModel) -> str:
    """Returns the body of a request with the example of an artefact."""
    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        path = download_artifacts(
            artifact_uri=f"{model.artifact_location.rstrip('/')}/{REQUEST}",
            dst_path=folder,
            tracking_uri=client.tracking_uri,
        )
        return Path(path).read_text(encoding="utf-8")


@contextmanager
def _global_address(client: MlflowClient) -> Iterator[None]:
    """Makes a client's store MLflow's global one: a database looks a model's files up there.

    MLflow puts the address into the environment, where other processes would find it.
    """
    before = os.environ.get(ADDRESS)
    os.environ[ADDRESS] = client.tracking_uri
    try:
        yield
    finally:
        del os.environ[ADDRESS]
        if before is not None:
            os.environ[ADDRESS] = before


def of_run(client: MlflowClient, experiment_id: str, run_id: str) -> LoggedModel | None:
    """Returns the latest proven artefact of a run; None where it has none.

    Args:
        client: of the store.
        experiment_id: of the run.
        run_id: MLflow's id of it.
    """
    models = client.search_logged_models(
        [experiment_id],
        f"source_run_id = '{run_id}'",
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
    )
    with_files = (model for model in models if model.tags.get(EXTERNAL) != "true")
    return next(filter(is_ready, with_files), None)


def champion(client: MlflowClient, name: str) -> LoggedModel:
    """Returns the model that a registered name stands for.

    Raises:
        BadInput: where there is no such name, or it has no champion.
    """
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_model_version_by_alias(name, CHAMPION)
        return client.get_logged_model(str(version.source).removeprefix(SOURCE))
    except MlflowException:
        names = sorted(model.name for model in client.search_registered_models())
        raise BadInput(
            f"model={name} is no registered model with a {CHAMPION}; allowed: "
            f"{', '.join(names) or 'none yet'}; register one with python -m greenexp.export run=… "
            f"register={name}"
        ) from None
