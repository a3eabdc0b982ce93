"""The ready sweeps of `conf/experiment`: what stands in the files, and what a dry run plans."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from greenexp.settings.conf import config_dir

CONF = config_dir()
STUDY = ["baseline", "dynamic_quantization", "torch_compile", "local_pruning", "global_pruning"]
CPU_TACTICS = sorted(
    {path.stem for path in (CONF / "tactic").glob("*.yaml")} - {"chain", "semi_structured_sparsity"}
)
DIGITS = sorted(path.stem for path in (CONF / "model").glob("digits_*.yaml"))
COMBINED = [
    "structured_pruning",
    "half_precision",
    "int8_dynamic",
    "channels_last",
    "torch_compile",
    "openvino",
]
PAIRS = list(itertools.permutations(COMBINED, 2))
# Nothing follows an engine or a compiler's wrapper, and int8 layers keep their shape and type.
IMPOSSIBLE = [
    *((first, then) for first, then in PAIRS if first in ("torch_compile", "openvino")),
    ("half_precision", "openvino"),
    ("int8_dynamic", "structured_pruning"),
    ("int8_dynamic", "half_precision"),
    ("int8_dynamic", "openvino"),
]


def swept(name: str) -> dict[str, list[Any]]:
    """Returns the values of each key that an experiment sweeps, as Hydra reads them."""
    loaded = yaml.safe_load((CONF / "experiment" / f"{name}.yaml").read_text("utf-8"))
    parser = OverridesParser.create()
    values = {}
    for key, text in loaded["hydra"]["sweeper"]["params"].items():
        override = parser.parse_override(f"{key}={text}")
        value = override.value()
        values[key] = value.list if override.is_sweep_override() else [value]
    return values


@dataclass(frozen=True)
class DryRun:
    """What a dry run wrote and said."""

    runs: Sequence[Mapping[str, Any]]
    excluded: Mapping[str, str]
    forecast: Mapping[str, Any]
    words: str

    @property
    def titles(self) -> Counter[str]:
        """The title of each run, the second baseline of a block apart."""
        return Counter(run["title"] for run in self.runs if run["replicate"] == 1)

    @property
    def twice(self) -> Counter[str]:
        """The title of each second baseline (A/A)."""
        return Counter(run["title"] for run in self.runs if run["replicate"] == 2)
