"""`greenexp serve`: a proven artefact answers requests on this machine."""

from __future__ import annotations

import re
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

import hydra
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.exit import exit_code, told
from greenexp.cli.explained import explained
from greenexp.errors import BadInput
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.serve import Serve
from greenexp.settings.sweep import Tracking

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

    from greenexp.tracking.reader import Reader

BODY = '{"dataframe_split": {"columns": ["image"], "data": [["%s"]]}}'
SECOND_S = 1.0


def main() -> int:
    """Runs the command line; returns 1 where the model does not answer as it was measured."""
    # `model` is a group of options too, and Hydra would look for one of that name.
    sys.argv[1:] = [re.sub(r"^\+{0,2}model=", "serve.model=", word) for word in sys.argv[1:]]
    return exit_code(lambda: explained(_hydra_main, "serve"))


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="serve")
def _hydra_main(cfg: DictConfig) -> None:
    with told():
        _serve(cfg)


def _serve(cfg: DictConfig) -> None:
    from greenexp.cli import console
    from greenexp.export.serving import check, served
    from greenexp.tracking.addresses import address as address_of
    from greenexp.tracking.opening import reader

    options = typed({"serve": OmegaConf.to_container(cfg.serve)}, "serve", Serve)
    where = typed({"tracking": OmegaConf.to_container(cfg.tracking)}, "tracking", Tracking)
    if (cfg.run is None) == (options.model is None):
        raise BadInput("give one of run=<MLflow run id> and model=<name in MLflow's registry>")
    opened = reader(where)
    model = _asked_for(cfg.run, options.model, opened)
    uri = address_of(where)
    signal.signal(signal.SIGTERM, _end)
    place = options.host, options.port
    with served(uri, str(model.model_id), *place, options.timeout_s) as address:
        label = check(address, opened.client, model, options.timeout_s)
        console.note(f"{model.name} answers at {address}; the known image is {label}, as measured")
        if options.check_only:
            return
        console.note("send an image:")
        console.note(f"  printf '{BODY}' \"$(base64 -w0 cat.jpg)\" |")
        console.note(f"    curl -H 'Content-Type: application/json' -d @- {address}/invocations")
        console.note("Ctrl-C stops it")
        while True:
            time.sleep(SECOND_S)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends the command by way of its contexts, which end the server."""
    del frame
    sys.exit(128 + number)


def _asked_for(run_id: str | None, name: str | None, opened: Reader) -> LoggedModel:
    """Returns the artefact of a run, or the champion of a registered name.

    Raises:
        BadInput: where there is none such.
    """
    from greenexp.tracking.registry import champion, of_run

    if name is not None:
        return champion(opened.client, name)
    model = of_run(opened.client, opened.experiment_id, str(run_id))
    if model is None:
        raise BadInput(
            f"run={run_id} has no proven artefact; make one with python -m greenexp.export "
            f"run={run_id}"
        )
    return model
