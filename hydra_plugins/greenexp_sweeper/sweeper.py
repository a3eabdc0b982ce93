"""The sweeper that Hydra sees: it composes the cells and hands them to `greenexp.sweep`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, FloatNode, OmegaConf
from omegaconf.errors import OmegaConfBaseException


class GreenexpSweeper(Sweeper):
    """The Cartesian product, less the pairs that don't fit, with progress and a final table."""

    def __init__(self, params: DictConfig | None = None) -> None:
        self._params = {
            str(key): "null" if value is None else str(value)
            for key, value in (params or {}).items()
        }
        self._hydra_context: HydraContext | None = None
        self._config: DictConfig | None = None
        self._launcher: Launcher | None = None

    def setup(
        self,
        *,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
    ) -> None:
        """Keeps what Hydra hands over and makes the launcher."""
        self._hydra_context = hydra_context
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Composes and checks every cell, then launches those that fit."""
        from greenexp.cli import console
        from greenexp.cli.compose import hide_password, refuse_chdir
        from greenexp.cli.compositions import Compositions
        from greenexp.cli.fitting import fitting, lacking, lacking_line
        from greenexp.cli.launchers import HydraLauncher
        from greenexp.cli.sweep import show
        from greenexp.runs.files import claim
        from greenexp.sweep import launch
        from greenexp.sweep.plan import Exclusion
        from greenexp.sweep.titles import quoted

        if self._hydra_context is None or self._config is None or self._launcher is None:
            raise RuntimeError("sweep() is called before setup()")
        loader = self._hydra_context.config_loader
        config = self._config
        refuse_chdir(changes=config.hydra.job.chdir)
        folder = claim(Path(config.hydra.sweep.dir))
        # Its jobs are composed anew, and must not find another.
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(str(folder))}")
        config.hydra.sweep.dir = str(folder)
        OmegaConf.save(config, folder / "multirun.yaml")
        hide_password(folder, str(config.tracking.uri))

        def load(overrides: Sequence[str]) -> DictConfig:
            return loader.load_sweep_config(config, list(overrides))

        repository = _repository(loader, config)
        swept = self._choices(arguments, loader, repository)
        exclusions: list[Exclusion] = []
        if "model" in swept and "model.labels" not in swept:
            labels = self._labels(config, swept)
            swept["model"], exclusions = fitting(repository, swept["model"], labels)
        compose = Compositions(load, repository, swept)
        journal = Path(config.tracking.journal)
        launcher = HydraLauncher(self._launcher, compose, folder, journal)
        lacks = lacking(repository, swept)
        for line in lacking_line(lacks):
            console.note(line)
        choices = list(swept.values())
        show(launch.sweep(choices, compose, launcher, folder, exclusions, lacks), folder)

    def _labels(self, config: DictConfig, swept: Mapping[str, Sequence[str]]) -> str | None:
        """Returns the data set's label space, None where unknown or where the sweep decides it."""
        decided = any(
            key in self._params or len(swept.get(key, ())) > 1
            for key in ("dataset", "dataset.labels")
        )
        labels: str | None = None if decided else config.dataset.get("labels")
        return labels

    def _choices(
        self, arguments: Sequence[str], loader: ConfigLoader, repository: IConfigRepository
    ) -> dict[str, list[str]]:
        """Returns, for each override, the values that it sweeps; the command line wins.

        What it chooses in a group stands alone: the experiment's values inside are dropped.
        """
        from greenexp.cli import console
        from greenexp.cli.arguments import expand_swept, halves

        parser = OverridesParser.create(config_loader=loader)
        given = parser.parse_overrides(list(arguments))
        own = {
            key: value
            for key, value in self._params.items()
            if _keys(given).isdisjoint({key, key.partition(".")[0]})
        }
        listed = expand_swept(own, repository, {*own, *_keys(given)})
        for note in listed.notes:
            console.note(note)
        swept: dict[str, list[str]] = {}
        for override in [*parser.parse_overrides(listed.arguments), *given]:
            key = override.get_key_element()
            if override.is_sweep_override() and _is_number(self._config, override.key_or_group):
                for note in halves(key, list(override.sweep_string_iterator())):
                    console.note(note)
            values: list[str] = (
                list(override.sweep_string_iterator())
                if override.is_sweep_override()
                else [override.get_value_element_as_str()]
            )
            swept[key] = [
                key if override.is_delete() else f"{key}={value}" for value in dict.fromkeys(values)
            ]
        return swept


def _repository(loader: ConfigLoader, config: DictConfig) -> IConfigRepository:
    """Returns the configuration files that Hydra composes from, `hydra.searchpath` included."""
    if not isinstance(loader, ConfigLoaderImpl):
        raise RuntimeError(f"{type(loader).__name__} is no loader of Hydra 1.3")
    _, repository = loader._parse_overrides_and_create_caching_repo(
        config.hydra.job.config_name, list(config.hydra.overrides.hydra)
    )
    return repository


def _is_number(config: DictConfig | None, key: str) -> bool:
    """Tells whether a key takes a number with a fraction."""
    if config is None:
        return False
    parent, _, last = key.rpartition(".")
    try:
        section = OmegaConf.select(config, parent) if parent else config
        node = section._get_node(last) if isinstance(section, DictConfig) else None
        return isinstance(node, FloatNode) or isinstance(OmegaConf.select(config, key), float)
    except OmegaConfBaseException:  # an option that the first choice of its group lacks
        return False


def _keys(overrides: Sequence[Override]) -> set[str]:
    return {override.key_or_group for override in overrides}
