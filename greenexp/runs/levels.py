"""Metrics that are made of readings, by the list of quantities. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.quantities import Quantity
from greenexp.runs.energy import kind
from greenexp.runs.ratios import ratio
from greenexp.runs.result import Window


def levels(windows: Sequence[Window], quantities: Sequence[Quantity]) -> dict[str, float]:
    """Returns the metrics that are made of readings, by the list of quantities."""
    metrics: dict[str, float] = {}
    for quantity in quantities:
        metrics |= _level(windows, quantity)
    for of_kind in ("gpu", "process"):  # the memory that holds the model
        peaks = [value for value, _ in _read(windows, "memory_mib", of_kind)]
        if peaks:
            metrics["memory/peak_mib"] = max(peaks)
            break
    return metrics


def _level(windows: Sequence[Window], quantity: Quantity) -> dict[str, float]:
    read = _read(windows, quantity.reads, quantity.component)
    if not read:
        return {}
    values, held_by = [value for value, _ in read], [window for _, window in read]
    match quantity.combines:
        case "mean over time":
            weighted = [value * window.duration_s for value, window in read]
            metrics = ratio(quantity.name, weighted, [window.duration_s for window in held_by])
        case "sum per image":
            totals: dict[int, float] = {}  # a window may have a reading of each component
            for value, window in read:
                totals[id(window)] = totals.get(id(window), 0.0) + value
            images = [window.images for window in {id(w): w for w in held_by}.values()]
            metrics = ratio(quantity.name, list(totals.values()), images)
        case _:
            return {quantity.name: max(values)}
    return metrics if quantity.interval else {quantity.name: metrics[quantity.name]}


def _read(
    windows: Sequence[Window], reads: str | None, component: str
) -> list[tuple[float, Window]]:
    """Returns the values of a reading with the window each is of; `component` is a kind, or any."""
    return [
        (reading.value, window)
        for window in windows
        for reading in window.readings
        if reading.quantity == reads and component in ("", kind(reading.component))
    ]
