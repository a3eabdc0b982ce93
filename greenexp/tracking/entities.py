"""What greenexp keeps, as MLflow's own classes: metrics, inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from greenexp.runs.run import Run
from greenexp.tracking.fields import Point
from greenexp.tracking.inputs import DataSet
from greenexp.tracking.models import counts

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, LoggedModelInput, Metric


def metrics_of(
    points: Iterable[Point], run: Run, model_id: str | None, read: Sequence[DataSet]
) -> list[Metric]:
    """Returns the points of a run; those of its metrics name the model and the data set too.

    Metrics of a run that something stands against are not the model's.

    Args:
        points: metrics, and series over time, which belong to the run alone.
        run: whose metrics they are.
        model_id: of the run's model; None: the server knows none.
        read: data sets of the run; the first is the one it was judged on.
    """
    from mlflow.entities import Metric

    named = (read[0].name, read[0].digest) if read else (None, None)
    metrics = []
    for point in points:
        plain = (point.name, point.value, point.epoch_ms, point.step)
        if model_id is not None and counts(run) and point.name in run.metrics:
            metrics.append(Metric(*plain, model_id, *named))
        else:
            metrics.append(Metric(*plain))
    return metrics


def dataset_inputs(read: Iterable[DataSet]) -> list[DatasetInput]:
    """Returns data sets as inputs of a run, each with its context."""
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    return [
        DatasetInput(
            Dataset(own.name, own.digest, own.source_type, own.source, profile=own.profile),
            [InputTag(MLFLOW_DATASET_CONTEXT, own.context)],
        )
        for own in read
    ]


def model_inputs(model_id: str | None) -> list[LoggedModelInput]:
    """Returns a model as the input of a run."""
    from mlflow.entities import LoggedModelInput

    return [] if model_id is None else [LoggedModelInput(model_id)]
