"""From YAML and the command line to plain settings: the one place where Hydra composes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from greenexp.cli.schema import Config, DoctorConfig, ExportConfig, ReportConfig, ServeConfig
from greenexp.errors import BadInput, nearest
from greenexp.runs.files import claim
from greenexp.settings.conf import config_dir
from greenexp.settings.secrets import FROM_ENVIRONMENT, is_secret, keep, keep_each
from greenexp.sweep.titles import choices_of

GROUPS = ("model", "tactic", "dataset", "hardware", "workload")
SWEEPER = "hydra_plugins.greenexp_sweeper.sweeper.GreenexpSweeper"


def register() -> None:
    """Puts the schema and the sweeper in Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name="base_config", node=Config)
    store.store(name="base_report", node=ReportConfig)
    store.store(name="base_export", node=ExportConfig)
    store.store(name="base_serve", node=ServeConfig)
    store.store(name="base_doctor", node=DoctorConfig)
    OmegaConf.register_new_resolver(
        "free_folder", lambda folder: str(claim(Path(folder))), use_cache=True, replace=True
    )
    # `params` holds overrides to sweep, as with Hydra's own sweeper.
    store.store(group="hydra/sweeper", name="greenexp", node={"_target_": SWEEPER, "params": {}})


def settings(cfg: DictConfig) -> dict[str, Any]:
    """Returns the resolved configuration as plain containers; what is missing stays `???`.

    The steps of a chain, given by name, become the options that they name. A secret that comes from
    the environment stays `${oc.env:NAME}`, and the password of the tracker stands in the
    environment alone.
    """
    container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)
    plain = cast("dict[str, Any]", container)
    _leave_secrets(plain, OmegaConf.to_container(cfg, resolve=False))
    if isinstance(plain.get("tracking"), dict):
        uri = plain["tracking"]["uri"]
        several = isinstance(uri, list)
        plain["tracking"]["uri"] = keep_each(list(map(str, uri))) if several else keep(str(uri))
    tactic = plain.get("tactic")
    steps = tactic.get("steps") if isinstance(tactic, dict) else None
    if isinstance(steps, list):
        plain["tactic"]["steps"] = [_step(given) for given in steps]
    elif steps not in (None, "???"):
        raise BadInput(f"tactic.steps={steps} is no list; give tactic.steps=[{steps}]")
    return plain


def refuse_chdir(*, changes: bool | None) -> None:
    """Refuses `hydra.job.chdir=true`.

    Raises:
        BadInput: where each run would move to a folder of its own.
    """
    if changes:
        raise BadInput(
            "hydra.job.chdir=true moves each run into a folder of its own, where relative paths "
            "name other files; leave it out"
        )


def hide_password(folder: Path, uri: str) -> None:
    """Takes the password of an address out of what Hydra has written into a folder.

    Args:
        folder: of Hydra's own files.
        uri: as it was composed.
    """
    hidden = keep(uri)
    if hidden == uri:
        return
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if uri in text:
            path.write_text(text.replace(uri, hidden), encoding="utf-8")


def _leave_secrets(resolved: Any, written: Any) -> None:
    """Puts back what was written for each secret that comes from the environment."""
    if isinstance(resolved, dict) and isinstance(written, dict):
        for key, value in written.items():
            if isinstance(value, str) and is_secret(str(key)) and FROM_ENVIRONMENT.search(value):
                resolved[key] = value
            else:
                _leave_secrets(resolved.get(key), value)
    elif isinstance(resolved, list) and isinstance(written, list):
        for of_resolved, of_written in zip(resolved, written, strict=True):
            _leave_secrets(of_resolved, of_written)


def steps_given(cfg: DictConfig) -> list[Any] | None:
    """Returns the steps of a chain as they were given, None where the tactic is no chain."""
    tactic = OmegaConf.to_container(cfg.tactic, resolve=True, throw_on_missing=False)
    steps = tactic.get("steps") if isinstance(tactic, dict) else None
    return steps if isinstance(steps, list) else None


def _step(given: Any) -> dict[str, Any]:
    """Returns a chain's step with all its options: `name`, or `{name: {option: value}}`."""
    named = {given: {}} if isinstance(given, str) else given
    if not isinstance(named, Mapping) or len(named) != 1:
        raise BadInput(
            f"tactic.steps holds {given}; allowed: names of tactics, or {{name: {{option: value}}}}"
        )
    ((name, options),) = named.items()
    if not isinstance(options, Mapping | None):
        raise BadInput(f"tactic.steps.{name}={options}; allowed: {{option: value}}")
    loader = GlobalHydra.instance().config_loader()
    option = _option(loader, str(name))
    if "steps" in option:
        raise BadInput(f"tactic.steps holds {name}, which is a chain; give its steps in its place")
    return {str(name): option | dict(options or {})}


@lru_cache(maxsize=64)
def _composed(loader: ConfigLoader, name: str) -> DictConfig:
    del loader  # only tells one configuration from another
    try:
        return compose("config", overrides=[f"tactic={name}"])
    except MissingConfigException as error:
        options = list(error.options or [])
        raise BadInput(
            f"tactic.steps holds {name}, which is no tactic; allowed: {', '.join(options)}."
            f"{nearest(name, options)}"
        ) from None


def _option(loader: ConfigLoader, name: str) -> dict[str, Any]:
    """Returns an option of the group `tactic` as its YAML and the search path give it."""
    option = OmegaConf.to_container(_composed(loader, name).tactic, resolve=True)
    return cast("dict[str, Any]", option)


def configuration(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns the configuration that some overrides compose, and the options chosen by group.

    For callers outside the command that measures.

    Raises:
        BadInput: where they compose none.
    """
    from greenexp.cli.messages import one_line

    register()
    try:
        if GlobalHydra.instance().is_initialized():  # inside a command
            return _cell(overrides)
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return _cell(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise BadInput(one_line(error) or str(error)) from None


def _cell(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    wanted = [*overrides, "hydra.output_subdir=null"]
    return without_hydra(compose("config", overrides=wanted, return_hydra_config=True))


def without_hydra(cell: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns a composed cell without Hydra's own section, and the choices that section names."""
    chosen = cell.hydra.runtime.choices
    steps = steps_given(cell)
    with open_dict(cell):
        del cell["hydra"]
    return settings(cell), choices_of(chosen, GROUPS, steps)
