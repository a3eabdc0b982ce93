"""A run's metrics, by the names the design fixes: pure arithmetic on a `Result`.

What was not measured has no entry. Where several meters read the energy of one component, the
most direct one counts: counter before sampled before model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from greenexp import cost as money
from greenexp.config import Hardware
from greenexp.protocols import Reading, Source
from greenexp.result import Phase, Predictions, Result, Window
from greenexp.stats import mean_interval, proportion_interval

PREFERENCE: tuple[Source, ...] = ("counter", "sampled", "model")
MILLION = 1e6
MS_PER_S = 1e3


def energy_by_component(readings: Iterable[Reading]) -> dict[str, tuple[float, Source]]:
    """Returns joules and their source for each kind of component (`gpu`, `cpu`, `dram`).

    Devices of one kind are added (`gpu:0`, `gpu:1`), taking the best source present.
    """
    energies = [reading for reading in readings if reading.quantity == "energy_j"]
    totals: dict[str, tuple[float, Source]] = {}
    for kind in dict.fromkeys(_kind(reading) for reading in energies):
        of_kind = [reading for reading in energies if _kind(reading) == kind]
        best = min((reading.source for reading in of_kind), key=PREFERENCE.index)
        joules = sum(reading.value for reading in of_kind if reading.source == best)
        totals[kind] = (joules, best)
    return totals


def in_use(result: Result) -> Result:
    """Returns the result without the readings of GPUs that stood idle beside the run."""

    def used(readings: Sequence[Reading]) -> list[Reading]:
        return [r for r in readings if _kind(r) != "gpu" or r.component in result.components]

    return replace(
        result,
        phases=[replace(phase, readings=used(phase.readings)) for phase in result.phases],
        windows=[replace(window, readings=used(window.readings)) for window in result.windows],
    )


def energy_source(result: Result) -> str | None:
    """Returns the sources of the energy by component, e.g. `cpu:counter+gpu:counter`."""
    if not result.windows:
        return None
    totals = energy_by_component(in_use(result).windows[0].readings)
    return "+".join(f"{kind}:{source}" for kind, (_, source) in sorted(totals.items())) or None


def energy_j(phase: Phase | Window) -> float | None:
    """Returns the gross joules of a phase or window, None where nothing was measured."""
    totals = energy_by_component(phase.readings)
    return sum(joules for joules, _ in totals.values()) if totals else None


def evaluate(result: Result, hardware: Hardware) -> dict[str, float]:
    """Returns every metric that the result supports, priced by the preset."""
    result = in_use(result)
    metrics: dict[str, float] = {}
    if result.predictions is not None:
        metrics |= _accuracy(result.predictions)
    if result.windows:
        metrics |= _speed(result.windows)
        metrics |= _energy(result)
        metrics |= _levels(result.windows)
        metrics |= _price_of_images(result, hardware)
    metrics |= _optimization(result, hardware)
    if result.after is not None:
        metrics["complexity/parameters"] = result.after.parameters
        metrics["complexity/weights_mib"] = result.after.weights_mib
        metrics["complexity/sparsity"] = result.after.sparsity
        if result.after.macs is not None:
            metrics["complexity/macs"] = result.after.macs
    return metrics


def _kind(reading: Reading) -> str:
    return reading.component.partition(":")[0]


def _with_interval(
    name: str, value: float, interval: tuple[float, float] | None
) -> dict[str, float]:
    if interval is None:
        return {name: value}
    return {name: value, f"{name}_ci_low": interval[0], f"{name}_ci_high": interval[1]}


def _accuracy(predictions: Predictions) -> dict[str, float]:
    metrics: dict[str, float] = {}
    trials = len(predictions.targets)
    for k in (1, 5):
        hits = sum(
            target in ranked[:k]
            for target, ranked in zip(predictions.targets, predictions.ranked, strict=True)
        )
        metrics |= _with_interval(
            f"accuracy/top{k}", hits / trials, proportion_interval(hits, trials)
        )
    return metrics


def _speed(windows: Sequence[Window]) -> dict[str, float]:
    latencies_ms = np.concatenate([window.latencies_s for window in windows]) * MS_PER_S
    mean_ms_by_window = [float(np.mean(window.latencies_s)) * MS_PER_S for window in windows]
    median_ms_by_window = [float(np.median(window.latencies_s)) * MS_PER_S for window in windows]
    rates = [window.images / window.duration_s for window in windows]
    total_rate = sum(w.images for w in windows) / sum(w.duration_s for w in windows)
    p50, p90, p99 = np.percentile(latencies_ms, [50, 90, 99])
    return {
        **_with_interval(
            "latency/mean_ms", float(np.mean(latencies_ms)), mean_interval(mean_ms_by_window)
        ),
        **_with_interval("latency/p50_ms", float(p50), mean_interval(median_ms_by_window)),
        "latency/p90_ms": float(p90),
        "latency/p99_ms": float(p99),
        **_with_interval("throughput/images_per_s", total_rate, mean_interval(rates)),
    }


def _energy(result: Result) -> dict[str, float]:
    per_window = [energy_by_component(window.readings) for window in result.windows]
    kinds = set.intersection(*(set(totals) for totals in per_window))
    if not kinds:
        return {}
    metrics: dict[str, float] = {}
    images = sum(window.images for window in result.windows)
    seconds = sum(window.duration_s for window in result.windows)
    for kind in kinds & {"gpu", "cpu"}:
        metrics[f"energy/{kind}_per_image_j"] = sum(t[kind][0] for t in per_window) / images
    gross_j = [sum(totals[kind][0] for kind in kinds) for totals in per_window]
    metrics |= _with_interval(
        "energy/per_image_j",
        sum(gross_j) / images,
        mean_interval([j / w.images for j, w in zip(gross_j, result.windows, strict=True)]),
    )
    metrics["power/mean_w"] = sum(gross_j) / seconds
    idle_w = _idle_w(result, per_window[0])
    if idle_w is not None:
        net_j = [
            j - idle_w * window.duration_s
            for j, window in zip(gross_j, result.windows, strict=True)
        ]
        metrics["power/idle_w"] = idle_w
        metrics |= _with_interval(
            "energy/net_per_image_j",
            sum(net_j) / images,
            mean_interval([j / w.images for j, w in zip(net_j, result.windows, strict=True)]),
        )
    return metrics


def _idle_w(result: Result, measured: dict[str, tuple[float, Source]]) -> float | None:
    """Returns the idle power of just those components and sources that the windows hold."""
    idle = next((phase for phase in result.phases if phase.name == "idle"), None)
    if idle is None or idle.duration_s == 0:
        return None
    totals = energy_by_component(idle.readings)
    if any(totals.get(kind, (0, None))[1] != source for kind, (_, source) in measured.items()):
        return None
    return sum(totals[kind][0] for kind in measured) / idle.duration_s


def _levels(windows: Sequence[Window]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for kind in ("gpu", "cpu"):
        shares = [
            (reading.value, window.duration_s)
            for window in windows
            for reading in window.readings
            if reading.quantity == "utilization_pct" and _kind(reading) == kind
        ]
        if shares:
            values, weights = zip(*shares, strict=True)
            metrics[f"utilization/{kind}_pct"] = float(np.average(values, weights=weights))
    for kind in ("gpu", "process"):  # the memory that holds the model
        peaks = [
            reading.value
            for window in windows
            for reading in window.readings
            if reading.quantity == "memory_mib" and _kind(reading) == kind
        ]
        if peaks:
            metrics["memory/peak_mib"] = max(peaks)
            break
    return metrics


def _price_of_images(result: Result, hardware: Hardware) -> dict[str, float]:
    images = sum(window.images for window in result.windows)
    energies = [energy_j(window) for window in result.windows]
    known = [joules for joules in energies if joules is not None]
    joules = sum(known) / images * MILLION if len(known) == len(energies) else None
    price = money.cost(
        hardware.price,
        seconds=sum(window.duration_s for window in result.windows) / images * MILLION,
        energy_j=joules,
        share=money.share(hardware, result.device or "cpu"),
    )
    grams = money.carbon_g(hardware.carbon, pue=hardware.price.pue, energy_j=joules)
    named = {
        "cost/usd_per_million_images": price.total_usd,
        "cost/machine_usd_per_million_images": price.machine_usd,
        "cost/electricity_usd_per_million_images": price.electricity_usd,
        "carbon/g_per_million_images": grams,
    }
    return {name: value for name, value in named.items() if value is not None}


def _optimization(result: Result, hardware: Hardware) -> dict[str, float]:
    phase = next((phase for phase in result.phases if phase.name == "optimize"), None)
    if phase is None:
        return {}
    joules = energy_j(phase)
    usd = money.cost(
        hardware.price,
        seconds=phase.duration_s,
        energy_j=joules,
        share=money.share(hardware, result.device or "cpu"),
    ).total_usd
    named = {
        "optimization/time_s": phase.duration_s,
        "optimization/energy_j": joules,
        "optimization/cost_usd": usd,
    }
    return {name: value for name, value in named.items() if value is not None}


def cost_holds(result: Result, hardware: Hardware) -> str:
    """Returns which parts `cost/usd_per_million_images` holds, see `Cost.holds`."""
    joules = energy_j(result.windows[0]) if result.windows else None
    return money.cost(hardware.price, seconds=0.0, energy_j=joules, share=1.0).holds


def validity(result: Result, hardware: Hardware) -> list[str]:
    """Returns the reasons against trusting the run's figures as they stand; none means valid."""
    doubts = list(result.doubts)
    environment = result.environment
    if result.device is not None and not money.matches(
        hardware,
        device=result.device,
        cpu=str(environment.get("cpu", "")),
        gpus=[str(gpu) for gpu in environment.get("gpus", [])],
    ):
        doubts.append("hardware_mismatch")
    return doubts
