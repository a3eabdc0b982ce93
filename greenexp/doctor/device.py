"""What the device asked for means on this machine, by torch's word."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenexp.doctor.checks import Fact

PROBE_TIMEOUT_S = 120.0
PROBE = (
    "import sys; from greenexp.measuring.child import probe_device; "
    "probe_device(sys.argv[1], sys.argv[2])"
)


@dataclass(frozen=True)
class Device:
    """What the configuration's device means here.

    Attributes:
        request: auto, cpu or cuda.
        meant: cpu or cuda; None where it can't be told.
        refusal: why it can't be used; empty where it can.
    """

    request: str
    meant: str | None
    refusal: str = ""

    def fact(self) -> Fact:
        """Returns the device as a line."""
        if self.refusal:
            return Fact("device", f"{self.request}: absent", there=False)
        if self.request != "auto":
            return Fact("device", self.request)
        because = "torch sees no CUDA device" if self.meant == "cpu" else "torch sees it"
        return Fact("device", f"{self.meant}, as device=auto: {because}")


class Probe:
    """Asks torch for the device, in a process that was started beforehand."""

    def __init__(self, request: str, process: subprocess.Popen[str], answer: Path) -> None:
        self._request = request
        self._process = process
        self._answer = answer

    def device(self) -> Device:
        """Waits for the answer and returns it."""
        try:
            _, errors = self._process.communicate(timeout=PROBE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            errors = f"no answer within {PROBE_TIMEOUT_S:g} s"
        if not self._answer.exists():
            last = (errors.strip().splitlines() or ["its process was killed"])[-1]
            refusal = (
                f"device={self._request}: what there is can't be told, {last}; give device=cpu"
            )
            return Device(self._request, None, refusal)
        meant, _, refusal = self._answer.read_text(encoding="utf-8").partition("\n")
        return Device(self._request, meant, refusal)


@contextmanager
def probing(request: str) -> Iterator[Probe]:
    """Starts asking torch for the device, which takes seconds; the process ends with the context.

    In a process of its own, since asking CUDA takes the device, and may end badly.
    """
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        answer = Path(folder) / "answer"
        process = subprocess.Popen(
            [sys.executable, "-c", PROBE, request, str(answer)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Probe(request, process, answer)
        finally:
            process.kill()
            process.communicate()
