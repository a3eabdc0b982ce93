"""A run's metrics, by the names the design fixes: pure arithmetic on a `Result`.

What was not measured has no entry. Where several meters read the energy of one component, the
most direct one counts: counter before sampled before model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from greenexp.protocols import Source
from greenexp.quantities import with_own
from greenexp.runs import cost as money
from greenexp.runs.energy import (
    energy_by_kind,
    energy_holds,
    in_use,
    systematic_error,
    total_energy_j,
)
from greenexp.runs.levels import levels
from greenexp.runs.ratios import Interval, ratio, with_interval
from greenexp.runs.result import Complexity, Phase, Predictions, Result, Window
from greenexp.settings.hardware import Hardware
from greenexp.stats.intervals import (
    mean_interval,
    on_logarithms,
    proportion_interval,
    ratio_interval,
)

MILLION = 1e6
MS_PER_S = 1e3
PERCENTILES = (50, 90, 99)


def evaluate(result: Result, hardware: Hardware) -> dict[str, float]:
    """Returns every metric that the result supports, priced by the preset.

    `_ci_low` and `_ci_high` hold the 95 % interval over the run's windows (over images for the
    accuracy); `_combined_low` and `_combined_high` hold the meters' systematic error besides.
    """
    result = in_use(result)
    metrics: dict[str, float] = {}
    if result.predictions is not None:
        metrics |= _accuracy(result.predictions)
    if result.windows:
        metrics |= _speed(result.windows)
        metrics |= _energy(result)
        metrics |= levels(result.windows, with_own(result.quantities))
        metrics |= _price_of_images(result, hardware)
        metrics["windows/measured"] = len(result.windows)
        metrics["windows/discarded"] = result.discarded_windows
    metrics |= _optimization(result, hardware)
    metrics |= _whole_run(result, hardware)
    if result.after is not None:
        metrics |= _complexity(result.after)
    return metrics


def _complexity(complexity: Complexity) -> dict[str, float]:
    figures = {
        "complexity/parameters": complexity.parameters,
        "complexity/macs": complexity.macs,
        "complexity/weights_mib": complexity.weights_mib,
        "complexity/weights_in_memory_mib": complexity.weights_in_memory_mib,
        "complexity/sparsity": complexity.sparsity,
    }
    return _known(figures)


def _accuracy(predictions: Predictions) -> dict[str, float]:
    metrics: dict[str, float] = {}
    trials = len(predictions.targets)
    for k in (1, 5):
        hits = sum(
            target in ranked[:k]
            for target, ranked in zip(predictions.targets, predictions.ranked, strict=True)
        )
        metrics |= with_interval(
            f"accuracy/top{k}", hits / trials, proportion_interval(hits, trials)
        )
    return metrics


def _speed(windows: Sequence[Window]) -> dict[str, float]:
    pooled_ms = np.concatenate([window.latencies_s for window in windows]) * MS_PER_S
    total_ms = [float(np.sum(window.latencies_s)) * MS_PER_S for window in windows]
    batches = [len(window.latencies_s) for window in windows]
    images = [window.images for window in windows]
    seconds = [window.duration_s for window in windows]
    metrics = ratio("latency/mean_ms", total_ms, batches)
    for percent in PERCENTILES:
        pooled = float(np.percentile(pooled_ms, percent))
        by_window = [
            float(np.percentile(window.latencies_s, percent)) * MS_PER_S for window in windows
        ]
        half = _half_width(mean_interval(by_window))
        interval = on_logarithms(pooled, _about(pooled, half))
        metrics |= with_interval(f"latency/p{percent}_ms", pooled, interval)
    return metrics | ratio("throughput/images_per_s", images, seconds)


def _half_width(interval: Interval | None) -> float | None:
    return None if interval is None else (interval[1] - interval[0]) / 2


def _about(figure: float, half_width: float | None) -> Interval | None:
    return None if half_width is None else (figure - half_width, figure + half_width)


def _energy(result: Result) -> dict[str, float]:
    holds = energy_holds(result.windows)
    if not holds:
        return {}
    by_window = [energy_by_kind(window, holds) or {} for window in result.windows]
    gross_j = [sum(joules.values()) for joules in by_window]
    images = [window.images for window in result.windows]
    seconds = [window.duration_s for window in result.windows]
    metrics: dict[str, float] = {}
    for of_kind in ("gpu", "cpu"):
        if of_kind in by_window[0]:
            joules = [kinds[of_kind] for kinds in by_window]
            metrics |= ratio(f"energy/{of_kind}_per_image_j", joules, images)
    metrics |= ratio("energy/per_image_j", gross_j, images)
    metrics |= _combined(metrics, result.windows, holds)
    metrics |= ratio("power/mean_w", gross_j, seconds)
    return metrics | _net(result, holds, gross_j)


def _combined(
    metrics: Mapping[str, float], windows: Sequence[Window], holds: Mapping[str, Source]
) -> dict[str, float]:
    """Returns the interval of energy per image that holds spread and systematic error together.

    Independent parts add up in squares (JCGM 100:2008, 5.1.2); the bounds of the meters are taken
    as wide as the spread's 95 % interval is.
    """
    name = "energy/per_image_j"
    systematic = systematic_error(windows, holds)
    if f"{name}_ci_low" not in metrics or systematic is None:
        return {}
    value = metrics[name]
    images = sum(window.images for window in windows)
    low, high = metrics[f"{name}_ci_low"], metrics[f"{name}_ci_high"]
    spread = math.log(high / low) / 2 * value if low > 0 else (high - low) / 2
    half = math.hypot(spread, systematic.scale_j / images, systematic.ends_j / images)
    ends = _about(value, half)
    low, high = (on_logarithms(value, ends) if value > 0 else None) or (value - half, value + half)
    return {f"{name}_combined_low": low, f"{name}_combined_high": high}


def _net(result: Result, holds: Mapping[str, Source], gross_j: Sequence[float]) -> dict[str, float]:
    """Returns power at rest, and energy less what rest takes, of just what the windows hold.

    Where runs were measured together, rest is with all of them parked: what the others' contexts
    on a GPU take is not the run's own.
    """
    rests = {name: _rest(result, holds, name) for name in ("idle", "parked")}
    metrics: dict[str, float] = {}
    for name, rest in rests.items():
        if rest is not None:
            metrics |= ratio(f"power/{name}_w", *rest)
    away = "parked" if rests["parked"] is not None else "idle"
    known = rests[away]
    if known is None:
        return metrics
    idle_w = metrics[f"power/{away}_w"]
    images = [window.images for window in result.windows]
    seconds = [window.duration_s for window in result.windows]
    net_j = [joules - idle_w * s for joules, s in zip(gross_j, seconds, strict=True)]
    net = sum(net_j) / sum(images)
    spread = _half_width(ratio_interval(net_j, images))
    of_idle = _half_width(ratio_interval(*known))
    if spread is not None and of_idle is not None:
        spread = math.hypot(spread, of_idle * sum(seconds) / sum(images))
    return metrics | with_interval("energy/net_per_image_j", net, _about(net, spread))


def _rest(
    result: Result, holds: Mapping[str, Source], name: str
) -> tuple[list[float], list[float]] | None:
    """Returns joules and seconds of the phases in which the machine rested; None without any."""
    phases = [phase for phase in result.phases if phase.name == name and phase.duration_s > 0]
    joules = [taken for phase in phases if (taken := total_energy_j(phase, holds)) is not None]
    if not phases or len(joules) < len(phases):
        return None
    return joules, [phase.duration_s for phase in phases]


def _price_of_images(result: Result, hardware: Hardware) -> dict[str, float]:
    images = [window.images for window in result.windows]
    figures = _prices(result, hardware, result.windows)
    metrics: dict[str, float] = {}
    for name in ("usd", "machine_usd", "electricity_usd"):
        by_window = [price[name] for price in figures if name in price]
        if len(by_window) == len(images):
            metrics |= ratio(f"cost/{name}_per_million_images", by_window, images, MILLION)
    grams = [price["carbon_g"] for price in figures if "carbon_g" in price]
    if len(grams) == len(images):
        metrics |= ratio("carbon/g_per_million_images", grams, images, MILLION)
    return metrics


def _optimization(result: Result, hardware: Hardware) -> dict[str, float]:
    """Returns what applying the tactic took, and each step of a chain besides."""
    phases = [phase for phase in result.phases if phase.name == "optimize"]
    metrics = _spent("optimization", result, hardware, phases)
    for step in dict.fromkeys(phase.step for phase in phases if phase.step):
        of_step = [phase for phase in phases if phase.step == step]
        metrics |= _spent(f"optimization/{step}", result, hardware, of_step)
    return metrics


def _spent(
    name: str, result: Result, hardware: Hardware, stretches: Sequence[Phase | Window]
) -> dict[str, float]:
    """Returns seconds, joules and dollars of some stretches together, as far as known."""
    if not stretches:
        return {}
    metrics = {f"{name}/time_s": sum(stretch.duration_s for stretch in stretches)}
    prices = _prices(result, hardware, stretches)
    if len({frozenset(price) for price in prices}) == 1:  # else the sum would mix what it holds
        for suffix, key in (("energy_j", "energy_j"), ("cost_usd", "usd")):
            if key in prices[0]:
                metrics[f"{name}/{suffix}"] = sum(price[key] for price in prices)
    return metrics


def _whole_run(result: Result, hardware: Hardware) -> dict[str, float]:
    """Returns what the run itself took: seconds, and joules and dollars of its timed stretches."""
    if result.duration_s is None:
        return {}
    spent = _spent("run", result, hardware, [*result.phases, *result.windows])
    return {**spent, "run/time_s": result.duration_s}


def _prices(
    result: Result, hardware: Hardware, stretches: Sequence[Phase | Window]
) -> list[dict[str, float]]:
    """Returns joules, dollars and grams of each stretch, as far as known.

    Joules are gross and of the windows' sources, so that what is measured of one stretch is
    measured of all.
    """
    holds = energy_holds(result.windows or stretches)
    share = money.share(hardware, result.device or "cpu")
    rows = []
    for stretch in stretches:
        joules = total_energy_j(stretch, holds)
        price = money.cost(hardware.price, seconds=stretch.duration_s, energy_j=joules, share=share)
        grams = money.carbon_g(hardware.carbon, pue=hardware.price.pue, energy_j=joules)
        figures = {
            "energy_j": joules,
            "usd": price.total_usd,
            "machine_usd": price.machine_usd,
            "electricity_usd": price.electricity_usd,
            "carbon_g": grams,
        }
        rows.append(_known(figures))
    return rows


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}


def cost_holds(result: Result, hardware: Hardware) -> str | None:
    """Returns which parts `cost/usd_per_million_images` holds, see `Cost`; None without one."""
    if not result.windows:
        return None
    windows = in_use(result).windows
    joules = total_energy_j(windows[0], energy_holds(windows))
    return money.cost(hardware.price, seconds=0.0, energy_j=joules, share=1.0).holds
