"""Prints what each tactic did to each model, from the journals of a sweep, as Markdown.

    python -m greenexp -m model=local model.path=a,b,c dataset=folder dataset.path=photos
        dataset.held_back=50 workload=steady tactic=chain 'tactic.steps=[],[openvino]'
    python benchmarks/tactics.py multirun/2026-11-21/12-00-00 […]

Figures are medians over a cell's blocks; ratios stand within a block, against its baseline, and are
geometric means over blocks. In brackets the 95 % interval of energy per image over the windows of
the one run, or of the ratio over the blocks where there are several.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from cells import say

from greenexp.runs import journal
from greenexp.runs.run import Run, of
from greenexp.stats.paired import paired_ratio
from greenexp.study.labels import Labels, of_runs

ENERGY = "energy/per_image_j"
HEADER = (
    "tactic",
    "top-1",
    "latency p50 ms",
    "J / image",
    "weights MiB",
    "M MACs",
    "to apply s",
    "doubts",
)


def main() -> None:
    """Prints a table a model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="of sweeps")
    given = parser.parse_args()
    runs = [
        of(journal.read(path)) for folder in given.folders for path in folder.rglob("record.json")
    ]
    labels = of_runs(runs)
    models: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        models[labels[run.cell].model].append(run)
    for model, of_model in models.items():
        say(f"\n### {model}\n\n| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
        tactics: dict[tuple[str, int], list[Run]] = defaultdict(list)
        for run in of_model:
            tactics[labels[run.cell].tactic, run.replicate].append(run)
        baseline = {run.block: run for run in tactics["baseline", 1]}
        energy = {key: _median(group, ENERGY) for key, group in tactics.items()}
        for key in sorted(tactics, key=lambda key: energy[key] or float("inf")):
            say(_line(tactics[key], baseline, labels))


def _line(group: list[Run], baseline: dict[int | None, Run], labels: Mapping[str, Labels]) -> str:
    first = group[0]
    tactic = labels[first.cell].tactic
    name = f"{tactic} (A/A)" if first.replicate > 1 else tactic
    if any(run.outcome != "ok" for run in group):
        return f"| {name} | {first.outcome}: {first.reason} |{' |' * (len(HEADER) - 2)}"
    pairs = [(run, baseline[run.block]) for run in group if run.block in baseline]
    drops = [run.metrics["accuracy/top1"] - base.metrics["accuracy/top1"] for run, base in pairs]
    macs = _median(group, "complexity/macs")
    cells = (
        name,
        f"{_median(group, 'accuracy/top1'):.4f} ({100 * statistics.median(drops):+.1f} pt)",
        _ratio(group, pairs, "latency/p50_ms"),
        _ratio(group, pairs, ENERGY),
        f"{_median(group, 'complexity/weights_mib'):.1f}",
        "–" if macs is None else f"{macs / 1e6:.0f}",
        f"{_median(group, 'optimization/time_s'):.1f}",
        ", ".join(sorted({doubt for run in group for doubt in run.doubts})) or "none",
    )
    return f"| {' | '.join(cells)} |"


def _median(group: list[Run], name: str) -> float | None:
    values = [run.metrics[name] for run in group if name in run.metrics]
    return statistics.median(values) if values else None


def _ratio(group: list[Run], pairs: list[tuple[Run, Run]], name: str) -> str:
    value = _median(group, name)
    own, base = zip(*((a.metrics[name], b.metrics[name]) for a, b in pairs), strict=True)
    mean = statistics.geometric_mean(a / b for a, b in zip(own, base, strict=True))
    over_blocks = paired_ratio(own, base)
    if over_blocks is not None:
        interval = f", {over_blocks.low:.2f} to {over_blocks.high:.2f}"
    elif name == ENERGY and f"{name}_ci_low" in group[0].metrics:
        half = (group[0].metrics[f"{name}_ci_high"] - group[0].metrics[f"{name}_ci_low"]) / 2
        interval = f"; ±{100 * half / value:.1f} %"
    else:
        interval = ""
    return f"{value:.4g} (×{mean:.2f}{interval})"


if __name__ == "__main__":
    main()
