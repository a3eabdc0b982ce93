"""When the blocks of journals were measured, and whether they took turns."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from pathlib import Path

from greenexp.runs import journal


def stretches(*folders: Path) -> list[tuple[datetime, datetime]]:
    """Returns when each block of some journals was measured, in order."""
    records = [
        json.loads(path.read_bytes())
        for folder in folders
        for path in folder.rglob(f"multirun/**/{journal.RECORD}")
    ]
    blocks = {
        record["together"] or record["id"]: tuple(
            datetime.fromisoformat(record[name]) for name in ("started", "ended")
        )
        for record in records
        if record["result"]["outcome"] == "ok"
    }
    return sorted((begin, end) for begin, end in blocks.values())


def take_turns(stretched: list[tuple[datetime, datetime]]) -> bool:
    """Tells whether no block began before the one before it had ended."""
    return all(end <= begin for (_, end), (begin, _) in itertools.pairwise(stretched))
