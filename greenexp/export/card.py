"""A block for a model card on the hub: what was measured, where and when, and what is proven."""

from __future__ import annotations

from collections.abc import Iterator

from greenexp.export.description import Description
from greenexp.quantities import CARBON, ENERGY, LATENCY, THROUGHPUT, TOP1
from greenexp.report.words import format as wording
from greenexp.runs.run import Run
from greenexp.study.basis import energy_basis

FILE = "model-card.md"
THOUSAND, THOUSANDS_PER_MILLION = 1000.0, 1000.0
PERCENT = 100.0


def card(description: Description, run: Run) -> str:
    """Returns the block as Markdown, to be pasted below a card's own text.

    Figures stand with their 95 % interval; what was not measured is left out.

    Args:
        description: of the artefact.
        run: that was measured.
    """
    lines = [
        f"## Measured: {description.model}, {description.tactic}",
        "",
        "| quantity | value | 95 % interval |",
        "|---|---|---|",
        *_rows(description, run),
        "",
        " ".join(_sentences(description, run)),
    ]
    return "\n".join([*lines, ""])


def _rows(description: Description, run: Run) -> Iterator[str]:
    basis = energy_basis([run.energy_source])
    estimated = basis is not None and basis.holds_estimates
    mark = " (estimated)" if estimated else ""
    for name, metric, factor in (
        (f"top-1 on {description.dataset}, %", TOP1, PERCENT),
        ("latency of a batch, median, ms", LATENCY, 1.0),
        ("throughput, images/s", THROUGHPUT, 1.0),
        (f"energy of a thousand images{mark}, J", ENERGY, THOUSAND),
        (f"carbon of a thousand images{mark}, g CO2e", CARBON, 1 / THOUSANDS_PER_MILLION),
    ):
        if metric not in run.metrics:
            continue
        ends = [run.metrics.get(f"{metric}_ci_{end}") for end in ("low", "high")]
        known = [wording.number(end * factor) for end in ends if end is not None]
        interval = " to ".join(known) if len(known) == 2 else wording.ABSENT
        yield f"| {name} | {wording.number(run.metrics[metric] * factor)} | {interval} |"


def _sentences(description: Description, run: Run) -> Iterator[str]:
    batch = description.shape[0]
    where = description.cpu or "an unnamed processor"
    yield (
        f"Measured with greenexp {description.greenexp} on {where}, "
        f"{wording.plural(description.threads, 'thread')} of torch, batches of {batch}, "
        f"{run.started[:10]}."
    )
    if run.doubts:
        yield f"Something stands against the run: {', '.join(run.doubts)}."
    proof = description.proof
    if proof is not None:
        same = "as" if proof.holds else "NOT as"
        yield (
            f"The artefact ({description.form}) classifies {same} measured: {proof.flips} of "
            f"{proof.images} images differ."
        )
    source = description.provenance.get("checkpoint")
    if source is not None and not str(source).startswith("/"):
        yield f"Checkpoint: {source}."
    licence = description.card.get("licence")
    if licence:
        yield f"Licence of the checkpoint, as declared on the hub: {licence}."
