"""One run in a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenexp.measuring import isolation
from greenexp.measuring.child import measure
from greenexp.measuring.isolation import ProcessEnd
from greenexp.runs.result import Result, from_json
from greenexp.settings.build import typed
from greenexp.settings.sweep import Isolation


def isolated(configuration: Mapping[str, Any]) -> Result:
    """Measures in a child process and returns its result, or how the child died."""
    timeout_s = typed(configuration, "isolation", Isolation).timeout_s
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        path = Path(folder) / "result.json"
        ended = isolation.call(measure, dict(configuration), str(path), timeout_s=timeout_s)
        return result_of(ended, path)


def result_of(ended: ProcessEnd, path: Path) -> Result:
    """Returns the result that a process wrote to a file, or how it died.

    Args:
        ended: how the process ended.
        path: of the file.
    """
    if ended.kind == "timeout":
        return Result("timeout", reason=f"{ended.detail}; raise isolation.timeout_s")
    if ended.kind in ("killed", "oom"):
        return Result(ended.kind, reason=ended.detail)
    if not path.exists():
        return Result("error", reason=ended.detail or "its process wrote no result")
    return from_json(path.read_text(encoding="utf-8"))
