"""Configurations of one run that a preflight checks, and the line in which it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from greenexp.cli.compose import register, settings
from greenexp.settings.conf import config_dir
from greenexp.sweep.preflight import Preflight

CONFIGURATION: dict[str, Any] = {
    "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
    "dataset": {"_target_": "greenexp.datasets.digits.Digits"},
    "tactic": {"_target_": "greenexp.tactics.baseline.Baseline"},
    "meters": {},
    "repetitions": 1,
    "device": "cpu",
}


def tactic(name: str, **options: Any) -> dict[str, Any]:
    """Returns the configuration of a tactic, by the module and class that make it."""
    return {"_target_": f"greenexp.tactics.{name}", **options}


def chain(*steps: dict[str, Any]) -> dict[str, Any]:
    named = [{step["_target_"].split(".")[2]: step} for step in steps]
    return tactic("chain.Chain", steps=named)


ONNX = tactic("onnx_runtime.OnnxRuntime")
OPENVINO = tactic("openvino.OpenVino")
STATIC = tactic("static_quantization.StaticQuantization")
SPARSE = tactic("semi_structured_sparsity.SemiStructuredSparsity")
LAYOUT = tactic("layout.ChannelsLast")
HALF = tactic("precision.HalfPrecision")
COMPILED = tactic("compilation.TorchCompile")


def reason(kind: type[Exception], call: Callable[[], object]) -> str:
    """Returns the one line of an exception of exactly this kind."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text == " ".join(text.split())
    return text


def planned(**changes: Any) -> Callable[[], object]:
    """Returns a check as planning does it, which looks at neither model nor data."""
    return lambda: Preflight(looks=False).check(CONFIGURATION | changes)


def composed(name: str, *overrides: str) -> dict[str, Any]:
    """Returns the plain configuration with a tactic chosen."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return settings(compose("config", overrides=[f"tactic={name}", *overrides]))
