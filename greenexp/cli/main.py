"""The command `greenexp`: its first word names what to do; without one it measures."""

from __future__ import annotations

import importlib
import sys

from greenexp.cli.version import asks_for_version, named_version
from greenexp.settings.home import home

COMMANDS = {  # word: module with `main() -> int`; imported when asked for
    "report": "greenexp.cli.report",
    "catalog": "greenexp.cli.catalog",
    "export": "greenexp.cli.export",
    "serve": "greenexp.cli.serve",
    "doctor": "greenexp.cli.doctor",
    "store": "greenexp.cli.store",
    "ui": "greenexp.cli.ui",
    "run": "greenexp.cli.run",
}


def main() -> None:
    """Runs the command that the first word names and exits with its code."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if asks_for_version(sys.argv[1:]):  # before Hydra tells its own
        print(named_version())
        return
    if word in COMMANDS:
        del sys.argv[1]
    with home() as notice:
        if notice is not None:
            print(notice, file=sys.stderr)
        sys.exit(importlib.import_module(COMMANDS.get(word, COMMANDS["run"])).main())
