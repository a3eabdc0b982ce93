"""The models of the hub that the configuration offers to choose from."""

from __future__ import annotations

import re

from greenexp.settings.conf import config_dir

CONF = config_dir()
CATALOGUED = sorted(
    path.stem
    for path in (CONF / "model").glob("*.yaml")
    if re.search(r"^checkpoint: \w", path.read_text("utf-8"), re.MULTILINE)
)
