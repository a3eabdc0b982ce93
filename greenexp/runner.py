"""From a composed configuration to a recorded run: child process, journal, tracker."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from greenexp import isolation
from greenexp.config import typed
from greenexp.machine import fingerprint
from greenexp.measure import measure
from greenexp.result import Result, from_json
from greenexp.schema import Isolation
from greenexp.store import journal, tracking
from greenexp.store.journal import Record
from greenexp.sweep.plan import cell_hash


@dataclass(frozen=True)
class Naming:
    """What a run is called: see `Record` for the fields."""

    title: str
    sweep: str | None
    choices: Mapping[str, str]


def conduct(configuration: Mapping[str, Any], naming: Naming, folder: Path) -> Path:
    """Measures in a child, journals into `folder`, tracks, and returns the journal's path.

    A run that fails is recorded too, with its outcome and reason.
    """
    started = _now()
    result = isolated(configuration)
    record = Record(
        id=uuid.uuid4().hex,
        title=naming.title,
        cell=cell_hash(configuration),
        sweep=naming.sweep,
        choices=naming.choices,
        configuration=configuration,
        started=started,
        ended=_now(),
        result=result,
        machine=fingerprint(),
    )
    path = journal.write(record, folder)
    journal.mark_sent(path, tracking.send(record, path))
    return path


def isolated(configuration: Mapping[str, Any]) -> Result:
    """Measures in a child process and returns its result, or how the child died."""
    timeout_s = typed(configuration, "isolation", Isolation).timeout_s
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        path = Path(folder) / "result.json"
        ended = isolation.call(measure, dict(configuration), str(path), timeout_s=timeout_s)
        if ended.kind == "timeout":
            return Result("timeout", reason=f"{ended.detail}; raise isolation.timeout_s")
        if ended.kind in ("killed", "oom"):
            return Result(ended.kind, reason=ended.detail)
        if not path.exists():
            return Result("error", reason=ended.detail or "its process wrote no result")
        return from_json(path.read_text(encoding="utf-8"))


def _now() -> str:
    return datetime.now(UTC).isoformat()
