"""Small records for tests: plain values, every one overridable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from greenexp.protocols import Reading, Source
from greenexp.runs.journal import Record
from greenexp.runs.result import Phase, Result, Window
from greenexp.runs.run import Run, of
from greenexp.settings.hardware import Carbon, Hardware, Price

ANY_MACHINE = Hardware(any_device=True)


def energy(
    component: str,
    joules: float,
    source: Source = "counter",
    meter: str = "m",
    *,
    relative_error: float | None = None,
    resolution: float | None = None,
) -> Reading:
    return Reading("energy_j", component, joules, source, meter, relative_error, resolution)


def level(quantity: str, component: str, value: float) -> Reading:
    return Reading(quantity, component, value, "sampled", "m")


def phase(name: str, duration_s: float, *readings: Reading) -> Phase:
    return Phase(name, 0.0, duration_s, list(readings))


def window(
    *readings: Reading,
    duration_s: float = 1.0,
    images: int = 10,
    latencies_s: Sequence[float] = (0.1,),
) -> Window:
    return Window(0.0, duration_s, images, list(latencies_s), list(readings))


def cpu_run(*windows: Window, **fields: Any) -> Result:
    given: dict[str, Any] = {
        "outcome": "ok",
        "device": "cpu",
        "components": ["cpu", "dram", "process"],
        "windows": list(windows),
    }
    return Result(**(given | fields))


def cuda_run(*windows: Window, **fields: Any) -> Result:
    components = ["cpu", "dram", "process", "gpu:0"]
    return cpu_run(*windows, **({"device": "cuda", "components": components} | fields))


def hardware(
    *, g_per_kwh: float | None = None, price: Mapping[str, Any] | None = None, **fields: Any
) -> Hardware:
    given = {"any_device": True} | fields
    return Hardware(price=Price(**(price or {})), carbon=Carbon(g_per_kwh=g_per_kwh), **given)


def record(
    result: Result, *, title: str, configuration: Mapping[str, Any] | None = None, **fields: Any
) -> Record:
    given: dict[str, Any] = {
        "id": "0",
        "cell": "0",
        "sweep": None,
        "choices": {"model": "digits_vit", "tactic": "baseline"},
        "started": "2026-01-01T00:00:00+00:00",
        "ended": "2026-01-01T00:01:00+00:00",
    }
    plain = {"hardware": {"any_device": True}, **(configuration or {})}
    return Record(title=title, configuration=plain, result=result, **(given | fields))


def a_run(**fields: Any) -> Run:
    """Returns a finished baseline of `digits_vit` on `digits`, with fields in place of its own."""
    choices = {"model": "digits_vit", "tactic": "baseline", "dataset": "digits"}
    made = of(record(cpu_run(window()), title="digits_vit · baseline", choices=choices))
    return replace(made, **fields)
