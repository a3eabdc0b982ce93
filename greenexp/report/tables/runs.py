"""The table shown after a sweep: each cell beside the baseline of the same model and data."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from greenexp.quantities import COST
from greenexp.runs import energy, metrics
from greenexp.runs.doubts import validity
from greenexp.runs.identity import BASELINE, peers_hash
from greenexp.runs.journal import Record
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from greenexp.stats.paired import paired_ratio

POINTS = 100.0
TOP1 = "accuracy/top1"
FIGURES = {
    TOP1: "top-1",
    "latency/p50_ms": "latency p50 ms",
    "energy/per_image_j": "J / image",
    COST: "USD / million",
}


@dataclass(frozen=True)
class Row:
    """What the table shows of one run."""

    model: str
    tactic: str
    outcome: str
    reason: str | None
    metrics: Mapping[str, float]
    energy_source: str | None
    cost_holds: str | None
    doubts: Sequence[str]
    is_baseline: bool
    compared_with: str  # equal for runs that differ in their tactic alone
    block: int | None = None
    replicate: int = 1


def row(record: Record) -> Row:
    """Returns the row of a run, priced by its own hardware preset."""
    hardware = typed(record.configuration, "hardware", Hardware)
    model, _, tactic = record.title.partition(" · ")
    return Row(
        model=model,
        tactic=tactic,
        outcome=record.result.outcome,
        reason=record.result.reason,
        metrics=metrics.evaluate(record.result, hardware),
        energy_source=energy.energy_source(record.result),
        cost_holds=metrics.cost_holds(record.result, hardware),
        doubts=validity(
            record.result, hardware, typed(record.configuration, "interference", Interference)
        ),
        is_baseline=record.choices["tactic"] == BASELINE,
        compared_with=peers_hash(record.configuration),
        block=record.block,
        replicate=record.replicate,
    )


def table(rows: Sequence[Row]) -> Table:
    """Returns the table: one line a cell, its median over blocks, its change against the baseline.

    A ratio is the geometric mean of the ratios within each block; from two blocks on with its 95 %
    interval. The second baseline of the blocks (A/A) is compared with the first: the noise.
    """
    groups: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in rows:
        key = (row.model, row.tactic, row.compared_with, row.replicate)
        groups.setdefault(key, []).append(row)
    baselines = {
        key[2]: group
        for key, group in groups.items()
        if group[0].is_baseline and group[0].replicate == 1
    }
    repeated = any(len(group) > 1 for group in groups.values())
    result = Table(title="Runs; in brackets against the baseline of the same model and data")
    for name in ("model", "tactic"):
        result.add_column(name, no_wrap=True)
    for name in (*(["runs"] if repeated else []), *FIGURES.values()):
        result.add_column(name, justify="right")
    result.add_column("remarks", overflow="fold")
    previous = None
    for group in groups.values():
        first = group[0]
        if previous is not None and first.model != previous:
            result.add_section()
        previous = first.model
        baseline = baselines.get(first.compared_with, [])
        base = [] if baseline is group else baseline
        cells = (
            first.model,
            f"{first.tactic} (A/A)" if first.replicate > 1 else first.tactic,
            *([str(len(group))] if repeated else []),
            *(_figure(group, base, name) for name in FIGURES),
            _remarks(group),
        )
        result.add_row(*map(Text, cells))  # Text: a path in brackets is no markup
    return result


def footnotes(rows: Sequence[Row]) -> list[str]:
    """Returns what a reader must know of the figures: sources, what dollars hold, doubts."""
    notes = []
    sources = sorted({row.energy_source for row in rows if row.energy_source})
    if sources:
        estimated = any("model" in source for source in sources)
        notes.append(
            f"Energy: {'; '.join(sources)}."
            + (
                " `model` is an estimate from CPU utilization and rated power, no measurement;"
                " it compares runs on this machine."
                if estimated
                else ""
            )
        )
    elif any(row.outcome == "ok" for row in rows):
        notes.append("Energy: not measured on this machine, so it is absent.")
    holds = {row.cost_holds for row in rows if row.outcome == "ok" and row.cost_holds}
    if holds == {"electricity"}:
        notes.append(
            "Dollars hold electricity only: the hardware has no price; "
            "give hardware.price.usd_per_hour=… or a hardware preset."
        )
    elif holds:
        notes.append(f"Dollars hold: {'; '.join(sorted(holds))}.")
    if any("hardware_mismatch" in row.doubts for row in rows):
        notes.append(
            "hardware_mismatch: the preset prices another device than the one that ran, "
            "so these dollars are not that machine's."
        )
    return notes


def _remarks(group: Sequence[Row]) -> str:
    said = Counter(
        remark
        for row in group
        for remark in ([f"{row.outcome}: {row.reason}"] if row.outcome != "ok" else row.doubts)
    )
    return ", ".join(
        remark if len(group) == 1 else f"{remark} ({count} of {len(group)})"
        for remark, count in said.items()
    )


def _figure(group: Sequence[Row], baseline: Sequence[Row], name: str) -> str:
    """Returns a figure's median over the runs that have it, and its change within blocks."""
    values = [row.metrics[name] for row in group if name in row.metrics]
    if not values:
        return "–"
    value = statistics.median(values)
    by_block = {row.block: row.metrics[name] for row in baseline if name in row.metrics}
    pairs = [
        (row.metrics[name], by_block[row.block])
        for row in group
        if name in row.metrics and row.block in by_block
    ]
    if name == TOP1:
        if not pairs:
            return f"{value:.4f}"
        change = statistics.median(own - base for own, base in pairs)
        return f"{value:.4f} ({change * POINTS:+.1f} pt)"
    pairs = [(own, base) for own, base in pairs if own > 0 and base > 0]
    if not pairs:
        return f"{value:.4g}"
    ratio = paired_ratio(*zip(*pairs, strict=True))
    if ratio is None or name == COST:  # dollars follow seconds and joules: no need to say it twice
        mean = statistics.geometric_mean(own / base for own, base in pairs)
        return f"{value:.4g} (×{mean:.2f})"
    return f"{value:.4g} (×{ratio.ratio:.2f}, {ratio.low:.2f} to {ratio.high:.2f})"
