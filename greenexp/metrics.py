"""A run's metrics, by the names the design fixes: pure arithmetic on a `Result`.

What was not measured has no entry. Where several meters read the energy of one component, the
most direct one counts: counter before sampled before model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from greenexp import cost as money
from greenexp.config import Hardware
from greenexp.protocols import Reading, Source
from greenexp.result import Phase, Predictions, Result, Window
from greenexp.stats import mean_interval, proportion_interval, ratio_interval

PREFERENCE: tuple[Source, ...] = ("counter", "sampled", "model")
MILLION = 1e6
MS_PER_S = 1e3


def energy_holds(stretches: Sequence[Phase | Window]) -> dict[str, Source]:
    """Returns which components' energy was read in every stretch, and from which source.

    Of several sources of one component the most direct counts. A reading of the whole kind (`cpu`)
    counts only where its parts (`cpu:0`) were not all read throughout.
    """
    read = [
        {(r.component, r.source) for r in stretch.readings if r.quantity == "energy_j"}
        for stretch in stretches
    ]
    if not read:
        return {}
    always = set.intersection(*read)
    best = {
        component: min((s for c, s in always if c == component), key=PREFERENCE.index)
        for component, _ in sorted(always)
    }
    holds: dict[str, Source] = {}
    for kind in dict.fromkeys(_kind(component) for component in best):
        parts = {
            component
            for component, _ in set.union(*read)
            if _kind(component) == kind and component != kind
        }
        chosen = parts if parts and parts <= set(best) else {kind} & set(best)
        holds |= {component: best[component] for component in sorted(chosen)}
    return holds


def energy_by_kind(stretch: Phase | Window, holds: Mapping[str, Source]) -> dict[str, float] | None:
    """Returns joules by kind of component (`gpu`, `cpu`, `dram`) from just the sources in `holds`.

    None where `holds` is empty or the stretch lacks one of its readings. Where two meters read one
    component from one kind of source, the first counts.
    """
    joules: dict[str, float] = {}
    for component, source in holds.items():
        read = [
            r.value
            for r in stretch.readings
            if (r.quantity, r.component, r.source) == ("energy_j", component, source)
        ]
        if not read:
            return None
        joules[_kind(component)] = joules.get(_kind(component), 0.0) + read[0]
    return joules or None


def in_use(result: Result) -> Result:
    """Returns the result without the readings of GPUs that stood idle beside the run."""

    def used(readings: Sequence[Reading]) -> list[Reading]:
        return [
            r for r in readings if _kind(r.component) != "gpu" or r.component in result.components
        ]

    return replace(
        result,
        phases=[replace(phase, readings=used(phase.readings)) for phase in result.phases],
        windows=[replace(window, readings=used(window.readings)) for window in result.windows],
    )


def energy_source(result: Result) -> str | None:
    """Returns the sources of the energy by component, e.g. `cpu:counter+gpu:counter`."""
    holds = energy_holds(in_use(result).windows)
    named = dict.fromkeys(f"{_kind(component)}:{source}" for component, source in holds.items())
    return "+".join(sorted(named)) or None


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


def _kind(component: str) -> str:
    return component.partition(":")[0]


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
    p50, p90, p99 = (float(value) for value in np.percentile(latencies_ms, [50, 90, 99]))
    total_ms = [float(np.sum(window.latencies_s)) * MS_PER_S for window in windows]
    batches = [len(window.latencies_s) for window in windows]
    images = [window.images for window in windows]
    seconds = [window.duration_s for window in windows]
    medians_ms = [float(np.median(window.latencies_s)) * MS_PER_S for window in windows]
    return {
        **_ratio("latency/mean_ms", total_ms, batches),
        **_with_interval("latency/p50_ms", p50, _centred(p50, mean_interval(medians_ms))),
        "latency/p90_ms": p90,
        "latency/p99_ms": p99,
        **_ratio("throughput/images_per_s", images, seconds),
    }


def _ratio(
    name: str, numerators: Sequence[float], denominators: Sequence[float]
) -> dict[str, float]:
    """Returns total by total, with its interval over the windows."""
    ratio = sum(numerators) / sum(denominators)
    return _with_interval(name, ratio, ratio_interval(numerators, denominators))


def _centred(figure: float, interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Returns an interval of the same width about a figure over all windows."""
    if interval is None:
        return None
    half_width = (interval[1] - interval[0]) / 2
    return figure - half_width, figure + half_width


def _energy(result: Result) -> dict[str, float]:
    holds = energy_holds(result.windows)
    by_window = [energy_by_kind(window, holds) or {} for window in result.windows]
    gross_j = [sum(kinds.values()) for kinds in by_window]
    if not holds:
        return {}
    images = [window.images for window in result.windows]
    seconds = [window.duration_s for window in result.windows]
    metrics = {
        f"energy/{kind}_per_image_j": sum(kinds[kind] for kinds in by_window) / sum(images)
        for kind in ("gpu", "cpu")
        if kind in by_window[0]
    }
    metrics |= _ratio("energy/per_image_j", gross_j, images)
    metrics["power/mean_w"] = sum(gross_j) / sum(seconds)
    idle_w = _idle_w(result, holds)
    if idle_w is not None:
        net_j = [j - idle_w * s for j, s in zip(gross_j, seconds, strict=True)]
        metrics["power/idle_w"] = idle_w
        metrics |= _ratio("energy/net_per_image_j", net_j, images)
    return metrics


def _idle_w(result: Result, holds: Mapping[str, Source]) -> float | None:
    """Returns the idle power of just those components and sources that the windows hold."""
    idle = next((phase for phase in result.phases if phase.name == "idle"), None)
    if idle is None or idle.duration_s == 0:
        return None
    joules = energy_by_kind(idle, holds)
    return None if joules is None else sum(joules.values()) / idle.duration_s


def _levels(windows: Sequence[Window]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for kind in ("gpu", "cpu"):
        shares = [
            (reading.value, window.duration_s)
            for window in windows
            for reading in window.readings
            if reading.quantity == "utilization_pct" and _kind(reading.component) == kind
        ]
        if shares:
            values, weights = zip(*shares, strict=True)
            metrics[f"utilization/{kind}_pct"] = float(np.average(values, weights=weights))
    for kind in ("gpu", "process"):  # the memory that holds the model
        peaks = [
            reading.value
            for window in windows
            for reading in window.readings
            if reading.quantity == "memory_mib" and _kind(reading.component) == kind
        ]
        if peaks:
            metrics["memory/peak_mib"] = max(peaks)
            break
    return metrics


def _price_of_images(result: Result, hardware: Hardware) -> dict[str, float]:
    images = sum(window.images for window in result.windows)
    joules = _joules(result, result.windows)
    joules_of_million = None if joules is None else joules / images * MILLION
    price = money.cost(
        hardware.price,
        seconds=sum(window.duration_s for window in result.windows) / images * MILLION,
        energy_j=joules_of_million,
        share=money.share(hardware, result.device or "cpu"),
    )
    return _known(
        {
            "cost/usd_per_million_images": price.total_usd,
            "cost/machine_usd_per_million_images": price.machine_usd,
            "cost/electricity_usd_per_million_images": price.electricity_usd,
            "carbon/g_per_million_images": money.carbon_g(
                hardware.carbon, pue=hardware.price.pue, energy_j=joules_of_million
            ),
        }
    )


def _optimization(result: Result, hardware: Hardware) -> dict[str, float]:
    phase = next((phase for phase in result.phases if phase.name == "optimize"), None)
    if phase is None:
        return {}
    joules = _joules(result, [phase])
    price = money.cost(
        hardware.price,
        seconds=phase.duration_s,
        energy_j=joules,
        share=money.share(hardware, result.device or "cpu"),
    )
    return _known(
        {
            "optimization/time_s": phase.duration_s,
            "optimization/energy_j": joules,
            "optimization/cost_usd": price.total_usd,
        }
    )


def _joules(result: Result, stretches: Sequence[Phase | Window]) -> float | None:
    """Returns the gross joules of some stretches, of the same sources as the windows'."""
    holds = energy_holds(result.windows or stretches)
    by_stretch = [energy_by_kind(stretch, holds) for stretch in stretches]
    read = [sum(joules.values()) for joules in by_stretch if joules is not None]
    return sum(read) if len(read) == len(stretches) else None


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}


def cost_holds(result: Result, hardware: Hardware) -> str | None:
    """Returns which parts `cost/usd_per_million_images` holds, see `Cost`; None without one."""
    if not result.windows:
        return None
    result = in_use(result)
    joules = _joules(result, result.windows)
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
