"""Puts the `conf` folders of packages with greenexp's entry points on Hydra's search path."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class GreenexpSearchPath(SearchPathPlugin):
    """Appends them behind greenexp's own, whose options keep their names."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends the folders."""
        from greenexp.settings.plugins import conf_folders

        for folder in conf_folders():
            search_path.append("greenexp-plugins", f"file://{folder}")
