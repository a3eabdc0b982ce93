"""Processes that send journals to a tracker, all beginning at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.command import ROOT

ENDS_S = 300.0
# Opens the tracker first, so that all send their first record at once.
SENDER = """
import sys
from pathlib import Path
from greenexp.runs import journal
from greenexp.settings.sweep import Tracking
from greenexp.tracking.delivery import Delivery
from greenexp.tracking.tracker import connect
uri, experiment, *folders = sys.argv[1:]
connect(Tracking(uri=uri, experiment=experiment, timeout_s=120.0))  # others may use the machine
paths = [path for folder in folders for path in sorted(Path(folder).rglob(journal.RECORD))]
print("ready", flush=True)
sys.stdin.readline()
receipts = list(Delivery(uri=uri, again=True, patience_s=120.0).send(paths))
for receipt in receipts:
    print(receipt.run_id or receipt.failure or "another sends it")
sys.exit(any(receipt.run_id is None for receipt in receipts))
"""


def send_at_once(uri: str, experiment: str, copies: Sequence[Path]) -> list[list[str]]:
    """Sends copies of journals, a process each, and returns the MLflow run ids each was told."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    senders = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER, uri, experiment, str(copy)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for copy in copies
    ]
    try:
        for sender in senders:
            assert sender.stdout is not None
            ready = sender.stdout.readline()
            assert ready == "ready\n", sender.communicate(timeout=ENDS_S)
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write("\n")
            sender.stdin.flush()
        told = [sender.communicate(timeout=ENDS_S) for sender in senders]
    finally:
        for sender in senders:
            if sender.poll() is None:
                sender.kill()
                sender.communicate()
    assert [sender.returncode for sender in senders] == [0] * len(senders), told
    return [out.splitlines() for out, _ in told]
