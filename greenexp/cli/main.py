"""The command `greenexp`: its first word names what to do; without one it measures."""

from __future__ import annotations

import importlib
import sys

COMMANDS = {  # word: module with `main() -> int`; imported when asked for
    "report": "greenexp.cli.report",
    "catalog": "greenexp.cli.catalog",
    "doctor": "greenexp.cli.doctor",
    "store": "greenexp.cli.store",
    "run": "greenexp.cli.run",
}


def main() -> None:
    """Runs the command that the first word names and exits with its code."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word in COMMANDS:
        del sys.argv[1]
    sys.exit(importlib.import_module(COMMANDS.get(word, COMMANDS["run"])).main())
