"""The command with results that nobody measured: for what surrounds measuring, at any size.

    python -m tests.support.unmeasured IMAGES word…

runs `greenexp word…` in this process, but each run of a block has made-up windows and predictions
on IMAGES images, at no cost. The last line is a JSON object: resident memory in MiB after each
block, and the largest there was.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from greenexp.cli.main import main
from greenexp.measuring.arm import Member
from greenexp.measuring.block import Tell
from greenexp.measuring.memory import peak_mib
from greenexp.runs.result import Predictions, Result
from greenexp.sweep import record
from tests.support.builders import cpu_run, energy, window

CLASSES = 10
MIB = 2**20
WINDOWS = 8
DIFFERENT = 3  # predictions; making them takes longer than writing them


class Unmeasured:
    """Makes up the results of blocks.

    Args:
        images: that each run judges.
        seed: of what is made up.
    """

    def __init__(self, images: int, seed: int = 0) -> None:
        self.resident_mib: list[float] = []
        self._random = random.Random(seed)
        self._predictions = [self._guesses(images) for _ in range(DIFFERENT)]

    def together(self, members: Sequence[Member], seed: str, tell: Tell) -> list[dict[int, Result]]:
        """Stands in for `block.together`; every run ends well."""
        del seed, tell
        self.resident_mib.append(psutil.Process().memory_info().rss / MIB)
        return [{number: self._result() for number in range(len(members))}]

    def alone(self, configuration: Mapping[str, Any]) -> Result:
        """Stands in for `isolated.isolated`."""
        del configuration
        return self._result()

    def _result(self) -> Result:
        return cpu_run(
            *(
                window(energy("cpu", self._random.uniform(1, 1.1)), latencies_s=[0.1, 0.11])
                for _ in range(WINDOWS)
            ),
            predictions=self._random.choice(self._predictions),
            duration_s=1.0,
        )

    def _guesses(self, images: int) -> Predictions:
        return Predictions(
            [f"{number % CLASSES}/{number:08d}.png" for number in range(images)],
            [number % CLASSES for number in range(images)],
            [self._random.sample(range(CLASSES), 5) for _ in range(images)],
        )


def run() -> None:
    """Runs the command and prints what memory it took."""
    made = Unmeasured(int(sys.argv.pop(1)))
    record.together = made.together  # type: ignore[assignment]
    try:
        main()
    finally:
        print(json.dumps({"resident_mib": made.resident_mib, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    run()
