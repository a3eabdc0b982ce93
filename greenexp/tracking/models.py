"""MLflow's models: one a cell and machine, so that MLflow's own search compares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenexp.runs.run import Run
from greenexp.tracking.fields import CELL_TAG, MACHINE_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

OF_CELL = "greenexp.model_of"  # tag: cell and machine
RUN = "greenexp.run"  # tag of an artefact: greenexp's id of the measured run
EXTERNAL = "mlflow.model.isExternal"  # tag of MLflow: it has no files there
TYPE = "classifier"
NOT_IN_NAMES = re.compile(r"[/:.%\"'`]+")  # MLflow refuses them
UNKNOWN = ("ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED")  # of servers before 3.0


@dataclass
class Models:
    """The models of an experiment.

    Attributes:
        client: of the store.
        experiment_id: whose models.
    """

    client: MlflowClient
    experiment_id: str
    _ids: dict[str, str | None] = field(default_factory=dict, repr=False)  # by cell and machine

    def of(self, run: Run, run_id: str) -> str | None:
        """Returns the id of the model that a run measured, made where there is none yet.

        An artefact is preferred. Without one the model is an external one: MLflow has no file of
        it, only metrics. Of two that several processes made at once the older stays.

        Args:
            run: that was measured.
            run_id: MLflow's id of it.

        Returns:
            None where the server knows no models, as those before MLflow 3.
        """
        from mlflow.exceptions import MlflowException

        key = key_of(run)
        if key not in self._ids:
            try:
                self._ids[key] = (
                    self._artefact(key)
                    or self._linked(run)
                    or self._first(key)
                    or self._made(run, run_id, key)
                )
            except MlflowException as error:
                if error.error_code not in UNKNOWN:
                    raise
                self._ids[key] = None
        return self._ids[key]

    def _made(self, run: Run, run_id: str, key: str) -> str:
        made = self.create(run, run_id, {OF_CELL: key, EXTERNAL: "true"})
        self.client.finalize_logged_model(made.model_id, "READY")
        first = self._first(key) or str(made.model_id)
        if first != made.model_id:
            self.client.delete_logged_model(made.model_id)
        return first

    def create(
        self, run: Run, run_id: str, tags: Mapping[str, str], form: str | None = None
    ) -> LoggedModel:
        """Returns a new model that waits for its files; the form of those is in its name."""
        described = {
            CELL_TAG: run.cell,
            MACHINE_TAG: run.machine,
            "greenexp.cpu": run.cpu,
            "greenexp.device": run.device,
            "greenexp.version": run.version,
        }
        known = {name: value for name, value in described.items() if value is not None}
        return self.client.create_logged_model(
            self.experiment_id,
            name=NOT_IN_NAMES.sub("-", run.title if form is None else f"{run.title} ({form})"),
            source_run_id=run_id,
            tags={**known, **tags},
            params={name: str(choice) for name, choice in run.choices.items()},
            model_type=TYPE,
        )

    def link(self, run: Run, run_id: str, model_id: str) -> None:
        """Gives a model the metrics that a run has; the run's stay as they are.

        Args:
            run: that was measured; one that something stands against gives none.
            run_id: MLflow's id of it.
            model_id: of the model.
        """
        from mlflow.entities import Metric

        if not counts(run):
            return
        inputs = self.client.get_run(run_id).inputs
        read = next(iter(inputs.dataset_inputs if inputs else ()), None)
        named = (None, None) if read is None else (read.dataset.name, read.dataset.digest)
        self.client.log_batch(
            run_id,
            metrics=[
                Metric(point.key, point.value, point.timestamp, point.step, model_id, *named)
                for name in run.metrics
                for point in self.client.get_metric_history(run_id, name)
            ],
        )

    def _artefact(self, key: str) -> str | None:
        """Returns the latest artefact of a cell."""
        return self._first(key, f" AND tags.`{RUN}` != ''")

    def _linked(self, run: Run) -> str | None:
        """Returns the external model of a cell, which its oldest run names.

        MLflow tells a model only with the metrics of all its runs, which may be thousands.
        """
        if run.machine is None:
            return None
        oldest = self.client.search_runs(
            [self.experiment_id],
            f"attributes.status = 'FINISHED' AND tags.`{CELL_TAG}` = '{run.cell}'"
            f" AND tags.`{MACHINE_TAG}` = '{run.machine}'",
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        inputs = [self.client.get_run(first.info.run_id).inputs for first in oldest]
        ids = [model.model_id for read in inputs if read for model in read.model_inputs]
        return str(ids[0]) if ids else None

    def _first(self, key: str, more: str = "") -> str | None:
        """Returns the model of a cell: its latest artefact, or the oldest of the others."""
        models = self.client.search_logged_models(
            [self.experiment_id], f"tags.`{OF_CELL}` = '{key}'{more}"
        )
        ranked = sorted(filter(is_ready, models), key=_rank)
        return str(ranked[0].model_id) if ranked else None


def counts(run: Run) -> bool:
    """Tells whether a run's metrics are its model's: nothing stands against it."""
    return run.outcome == "ok" and not run.doubts


def key_of(run: Run) -> str:
    """Returns what runs of one model have in common: the cell, and the machine that measured."""
    return f"{run.cell} {run.machine or ''}".strip()


def is_ready(model: LoggedModel) -> bool:
    """Tells whether a model has all its files, and is proven; databases can't be asked for it."""
    return str(model.status) == "READY"


def _rank(model: LoggedModel) -> tuple[bool, int, str]:
    if model.tags.get(EXTERNAL) == "true":
        return True, model.creation_timestamp, model.model_id
    return False, -model.creation_timestamp, model.model_id
