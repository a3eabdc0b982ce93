"""greenexp: what optimization tactics do to image classifiers, measured.

    import greenexp

    tactics = ["baseline", "dynamic_quantization"]
    runs = greenexp.measure([greenexp.experiment("digits_vit", tactic) for tactic in tactics])
    greenexp.show(greenexp.compare(runs))

What is listed in `__all__` is public; everything below it may change.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenexp.api.experiments import Experiment, experiment, preset
    from greenexp.api.measuring import measure
    from greenexp.api.results import (
        advice,
        compare,
        fetch,
        figures,
        frame,
        frames,
        read,
        show,
        write,
    )
    from greenexp.errors import GreenexpError
    from greenexp.runs.run import Run
    from greenexp.study.study import Study

try:
    __version__ = version("greenexp")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0"

_HOMES = {  # public name: where it is; imported when asked for, so that `import greenexp` is quick
    "Experiment": "greenexp.api.experiments",
    "GreenexpError": "greenexp.errors",
    "Run": "greenexp.runs.run",
    "Study": "greenexp.study.study",
    "advice": "greenexp.api.results",
    "compare": "greenexp.api.results",
    "experiment": "greenexp.api.experiments",
    "fetch": "greenexp.api.results",
    "figures": "greenexp.api.results",
    "frame": "greenexp.api.results",
    "frames": "greenexp.api.results",
    "measure": "greenexp.api.measuring",
    "preset": "greenexp.api.experiments",
    "read": "greenexp.api.results",
    "show": "greenexp.api.results",
    "write": "greenexp.api.results",
}

__all__ = [
    "Experiment",
    "GreenexpError",
    "Run",
    "Study",
    "__version__",
    "advice",
    "compare",
    "experiment",
    "fetch",
    "figures",
    "frame",
    "frames",
    "measure",
    "preset",
    "read",
    "show",
    "write",
]


def __getattr__(name: str) -> object:
    """Returns a public name, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
