"""What the benchmarks share: configurations, runs in fresh processes, the last line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from hydra import compose, initialize_config_dir

from greenexp.cli.compose import register, settings
from greenexp.runs.doubts import validity
from greenexp.runs.result import Result
from greenexp.settings.build import typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference

MODELS = ("digits_convnext", "digits_mobilenet_v2", "digits_resnet", "digits_swin", "digits_vit")
NOT_A_DISTURBANCE = ("hardware_mismatch", "warmup_not_settled", "precision_not_reached")


def configuration(*overrides: str) -> dict[str, Any]:
    """Returns the composed configuration of one run."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return settings(compose("config", overrides=list(overrides)))


def disturbed_by(result: Result, given: Mapping[str, Any]) -> list[str]:
    """Returns what the run says it was disturbed by; its other doubts are left out.

    Raises:
        RuntimeError: where the run did not end well, so that there is nothing to judge.
    """
    if result.outcome != "ok":
        raise RuntimeError(f"{result.outcome}: {result.reason}")
    limits = typed(given, "interference", Interference)
    doubts = validity(result, typed(given, "hardware", Hardware), limits)
    return [doubt for doubt in doubts if doubt not in NOT_A_DISTURBANCE]


def say(line: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def last_line(figures: Mapping[str, object]) -> None:
    """Prints the figures as the JSON object that ends a benchmark."""
    rounded = {
        key: round(value, 4) if isinstance(value, float) else value
        for key, value in figures.items()
    }
    say(json.dumps(rounded))
