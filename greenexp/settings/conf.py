"""Where the YAML files are."""

from __future__ import annotations

from pathlib import Path


def config_dir() -> Path:
    """Returns the folder of the YAML files: beside the package, or inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else package / "conf"
