"""The sweeper that Hydra sees: it composes the cells and hands them to `greenexp.sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class GreenexpSweeper(Sweeper):
    """The Cartesian product, less the pairs that don't fit, with progress and a final table."""

    def __init__(self, params: DictConfig | None = None) -> None:
        self._params = {str(key): value for key, value in (params or {}).items()}
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
        from greenexp.sweep.conduct import Composed, conduct

        if self._hydra_context is None or self._config is None or self._launcher is None:
            raise RuntimeError("sweep() is called before setup()")
        loader = self._hydra_context.config_loader
        config = self._config
        folder = Path(config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "multirun.yaml")

        def compose(overrides: Sequence[str]) -> Composed:
            return Composed.of(loader.load_sweep_config(config, list(overrides)))

        conduct(self._choices(arguments, loader), compose, self._launcher, folder)

    def _choices(self, arguments: Sequence[str], loader: ConfigLoader) -> list[list[str]]:
        """Returns, for each override, the values that it sweeps; the command line wins."""
        parser = OverridesParser.create(config_loader=loader)
        swept: dict[str, list[str]] = {}
        listed = [f"{key}={value}" for key, value in self._params.items()]
        for override in parser.parse_overrides([*listed, *arguments]):
            key = override.get_key_element()
            values: list[str] = (
                list(override.sweep_string_iterator())
                if override.is_sweep_override()
                else [override.get_value_element_as_str()]
            )
            swept[key] = [key if override.is_delete() else f"{key}={value}" for value in values]
        return list(swept.values())
