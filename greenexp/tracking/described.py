"""What a run is, in words, for its page in MLflow: who measured what, what came of it. Pure."""

from __future__ import annotations

from greenexp.quantities import ENERGY, LATENCY, TOP1
from greenexp.runs.identity import dataset_name, flattened, model_name
from greenexp.runs.run import Run

DETAILS = "what each word means: docs/trust.md"


def description(run: Run) -> str:
    """Returns paragraphs of Markdown: what was run, its figures, what stands against them.

    The page folds a long description, so doubts come before the figures.
    """
    rest = [_outcome(run), _figures(run)] if run.doubts else [_figures(run), _outcome(run)]
    return "\n\n".join(filter(None, [_what(run), *rest]))


def _what(run: Run) -> str:
    flat = flattened(run.choices, run.configuration)
    tactic = run.choices.get("tactic", "no tactic")
    of = f"**{model_name(flat)}**"
    if run.is_repeat:
        what = f"{of} as it is, measured again (A/A): how far noise alone sets runs apart"
    elif run.is_baseline:
        what = f"{of} as it is: the baseline that tactics are compared with"
    else:
        what = f"{of} with the tactic **{tactic}**"
    workload = run.choices.get("workload")
    where = [f"on the images of {dataset_name(flat)}"]
    where += [f"workload {workload}"] if workload else []
    where += [f"measured on {', '.join(run.gpus) or run.cpu}"] if run.gpus or run.cpu else []
    where += [_place(run)]
    return f"{what}; {', '.join(where)}."


def _place(run: Run) -> str:
    if run.block is None:
        return "alone, so compared with nothing"
    sweep = "" if run.sweep is None else f" of the sweep {run.sweep}"
    return f"in block {run.block}{sweep}"


def _figures(run: Run) -> str:
    if run.outcome != "ok":
        return ""
    parts = []
    if LATENCY in run.metrics:
        parts.append(f"a batch takes {run.metrics[LATENCY]:.3g} ms (median)")
    if ENERGY in run.metrics:
        sources = run.energy_source or ""
        estimate = ", an estimate" if "model" in sources else ""
        parts.append(f"an image takes {run.metrics[ENERGY]:.3g} J ({sources}{estimate})")
    if TOP1 in run.metrics:
        parts.append(f"top-1 is {run.metrics[TOP1]:.4f}")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _outcome(run: Run) -> str:
    if run.outcome != "ok":
        start = "It found" if run.is_finding else "It did not end well"
        return f"{start}: {run.outcome}: {run.reason}"
    if run.doubts:
        return f"This stands against its figures: {', '.join(run.doubts)} ({DETAILS})."
    return "Nothing stands against its figures."
