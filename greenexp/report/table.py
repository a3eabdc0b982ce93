"""The table shown after a sweep: each run beside the baseline of the same model and data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from greenexp import metrics
from greenexp.config import Hardware, typed
from greenexp.store.journal import Record

BASELINE = "baseline"
POINTS = 100.0


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


def row(record: Record) -> Row:
    """Returns the row of a run, priced by its own hardware preset."""
    hardware = typed(record.configuration, "hardware", Hardware)
    model, _, tactic = record.title.partition(" · ")
    rest = {
        key: value for key, value in record.configuration.items() if key not in ("tactic", "title")
    }
    return Row(
        model=model,
        tactic=tactic,
        outcome=record.result.outcome,
        reason=record.result.reason,
        metrics=metrics.evaluate(record.result, hardware),
        energy_source=metrics.energy_source(record.result),
        cost_holds=metrics.cost_holds(record.result, hardware),
        doubts=metrics.validity(record.result, hardware),
        is_baseline=record.choices["tactic"] == BASELINE,
        compared_with=json.dumps(rest, sort_keys=True),
    )


def table(rows: Sequence[Row]) -> Table:
    """Returns the table; a figure is followed by its change against the baseline."""
    baselines = {row.compared_with: row for row in rows if row.is_baseline}
    result = Table(title="Runs; in brackets against the baseline of the same model and data")
    for name in ("model", "tactic"):
        result.add_column(name, no_wrap=True)
    for name in ("top-1", "latency p50 ms", "J / image", "USD / million"):
        result.add_column(name, justify="right")
    result.add_column("remarks", overflow="fold")
    previous = None
    for row in rows:
        if previous is not None and row.model != previous:
            result.add_section()
        previous = row.model
        baseline = baselines.get(row.compared_with)
        base = baseline.metrics if baseline is not None and baseline is not row else {}
        cells = (
            row.model,
            row.tactic,
            _difference(row.metrics, base, "accuracy/top1"),
            _ratio(row.metrics, base, "latency/p50_ms"),
            _ratio(row.metrics, base, "energy/per_image_j"),
            _ratio(row.metrics, base, "cost/usd_per_million_images"),
            _remarks(row),
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


def _remarks(row: Row) -> str:
    if row.outcome != "ok":
        return f"{row.outcome}: {row.reason}"
    return ", ".join(row.doubts)


def _ratio(values: Mapping[str, float], base: Mapping[str, float], name: str) -> str:
    if name not in values:
        return "–"
    if base.get(name, 0.0) == 0.0:
        return f"{values[name]:.4g}"
    return f"{values[name]:.4g} (×{values[name] / base[name]:.2f})"


def _difference(values: Mapping[str, float], base: Mapping[str, float], name: str) -> str:
    if name not in values:
        return "–"
    if name not in base:
        return f"{values[name]:.4f}"
    return f"{values[name]:.4f} ({(values[name] - base[name]) * POINTS:+.1f} pt)"
