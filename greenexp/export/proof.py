"""Shows, from an artefact alone, that it is what was measured: its answers, then its speed."""

from __future__ import annotations

import math
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenexp.errors import Unsupported
from greenexp.export.description import Description, Proof, Ratio
from greenexp.export.making import IMAGES, REFERENCE
from greenexp.measuring.arm import Member
from greenexp.measuring.block import Tell, together
from greenexp.quantities import ENERGY, LATENCY
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.result import Result
from greenexp.runs.rounds import ROUND, rounds_of
from greenexp.stats.intervals import CONFIDENCE
from greenexp.stats.proportions import mcnemar
from greenexp.stats.robust import center

TIE = 1e-3  # of the range of an image's logits; classes that are nearer are as good as equal
REPLAY_S = 3600.0
PROCESSES = 2  # fresh ones of the measured tactic, and as many of the artefact
TACTIC = "greenexp.tactics.exported.ExportedModel"

Logits = NDArray[np.float32]


def replayed(folder: Path, work: Path) -> tuple[Logits, Logits]:
    """Returns the logits of the measured tactic, and of the artefact in a process of its own.

    Raises:
        Unsupported: where the artefact does not run without greenexp.
    """
    out = work / "replayed.npz"
    done = subprocess.run(
        [sys.executable, "-E", "model.py", "--logits", str(work / IMAGES), str(out)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=REPLAY_S,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise Unsupported(f"the artefact does not run by itself: {lines[-1]}")
    with np.load(out) as answer, np.load(work / REFERENCE) as reference:
        if any(str(name).partition(".")[0] == "greenexp" for name in answer["modules"]):
            raise Unsupported("the artefact imports greenexp, so it proves nothing by itself")
        return reference["logits"], answer["logits"]


def compared(
    reference: Logits, answer: Logits, targets: Sequence[int], measured: ImageOutcomes
) -> Proof:
    """Returns what the answers of an artefact show. Pure.

    Args:
        reference: (images, outputs), of the measured tactic.
        answer: of the artefact.
        targets: (images,), the true output of each.
        measured: which images the measured run had right, in the same order.
    """
    best, own = reference.argmax(axis=1), answer.argmax(axis=1)
    flips = np.flatnonzero(best != own)
    margins = reference[flips, best[flips]] - reference[flips, own[flips]]
    ties = int((margins <= TIE * np.ptp(reference[flips], axis=1)).sum()) if len(flips) else 0
    right = own == np.asarray(targets)
    lost = int((measured.correct & ~right).sum())
    gained = int((~measured.correct & right).sum())
    return Proof(
        images=len(reference),
        flips=len(flips),
        ties=ties,
        lost=lost,
        gained=gained,
        p_value=mcnemar(lost, gained),
        largest_difference=float(np.abs(reference - answer).max()),
    )


def measured_together(
    configuration: Mapping[str, Any], folder: Path, description: Description, tell: Tell
) -> tuple[list[Result], list[Result]]:
    """Measures the tactic and the artefact in one block; returns the results of both.

    Raises:
        Unsupported: where a run does not end well.
    """
    tactic = {
        "_target_": TACTIC,
        "folder": str(folder.resolve()),
        "batch_size": description.shape[0],
        "threads": description.threads,
    }
    exported = {**configuration, "tactic": tactic}
    members = [
        *[Member(configuration, is_baseline=True, judges=False)] * PROCESSES,
        *[Member(exported, is_baseline=False, judges=False)] * PROCESSES,
    ]
    parts = together(members, uuid.uuid4().hex, tell)
    results = [parts[0].get(number) for number in range(len(members))]
    ended = [result for result in results if result is not None and result.outcome == "ok"]
    if len(ended) < len(members):
        reasons = [result.reason for result in results if result is not None and result.reason]
        raise Unsupported(
            "its speed can't be measured beside the tactic's: "
            f"{reasons[0] if reasons else 'memory is too small for both'}"
        )
    return ended[:PROCESSES], ended[PROCESSES:]


def ratios(
    measured: Sequence[Result], exported: Sequence[Result], margin: float
) -> dict[str, Ratio]:
    """Returns how many times the tactic's latency and joules the artefact's are. Pure.

    In each round every process is held against the mean of all; what a process takes is the
    trimmed mean over rounds. Processes are the units: Student's t for the interval, two one-sided
    tests at 5 % for equality (Schuirmann, 1987, J. Pharmacokinet. Biopharm. 15:657).

    Args:
        measured: results of the tactic, of one block.
        exported: of the artefact, of the same block.
        margin: fraction within which both are called equal.
    """
    rounds = [rounds_of(result) for result in (*measured, *exported)]
    known = {}
    for metric in (LATENCY, ENERGY):
        if all(metric in of_run for of_run in rounds):
            levels = _levels(rounds, metric)
            if levels is not None:
                known[metric] = _ratio(levels[: len(measured)], levels[len(measured) :], margin)
    return known


def _levels(rounds: Sequence[Mapping[str, Sequence[float]]], metric: str) -> list[float] | None:
    """Returns the logarithm of what each process takes, relative to all; None for few rounds."""
    values = [dict(zip(run[ROUND], run[metric], strict=True)) for run in rounds]
    common = sorted(set.intersection(*map(set, values)))
    table = np.log([[of_run[number] for number in common] for of_run in values])
    centers = [center(row.tolist()) for row in table - table.mean(axis=0)]
    known = [of_run.value for of_run in centers if of_run is not None]
    return known if len(known) == len(rounds) else None


def _ratio(measured: Sequence[float], exported: Sequence[float], margin: float) -> Ratio:
    from statsmodels.stats.weightstats import CompareMeans

    value = math.exp(float(np.mean(exported) - np.mean(measured)))
    if np.ptp(exported) == np.ptp(measured) == 0:  # nothing tells how far processes differ
        return Ratio(value, None, None, equal=False)
    means = CompareMeans.from_data(exported, measured)
    low, high = means.tconfint_diff(alpha=1 - CONFIDENCE)
    p_value, *_ = means.ttost_ind(-math.log1p(margin), math.log1p(margin))
    return Ratio(
        value=value,
        low=math.exp(low),
        high=math.exp(high),
        equal=bool(p_value < 1 - CONFIDENCE),
    )
