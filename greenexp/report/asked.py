"""What is asked of the runs at hand: which of them, and by whose settings."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import BadInput, nearest
from greenexp.report.words.format import listing
from greenexp.runs.run import Run
from greenexp.settings.report import Report
from greenexp.settings.secrets import without_secrets
from greenexp.settings.stores import listed
from greenexp.study.labels import of_runs

REMEMBERED = ("max_top1_drop", "requests_per_month", "months", "equal_within", "keep_flagged")
LAST = "last"
LONGEST_NAME = 80  # characters of a folder
DIGEST = 8
# What says where and how, and nothing of what a report holds.
NO_QUESTION = (
    "hydra.",
    "tracking.journal",
    "tracking.artifacts",
    "tracking.offline",
    "tracking.timeout_s",
    "tracking.locked_s",
)
UNSAFE = re.compile(r"[^\w.=,+-]+")


@dataclass(frozen=True)
class Asked:
    """What is asked of which runs.

    Attributes:
        runs: that are reported on.
        others: of the same machines, perhaps; they help to tell how processes differ.
        options: what is given, else what the latest sweep was given.
        remembered: a line on what is from that sweep; empty where nothing is.
    """

    runs: Sequence[Run]
    others: Sequence[Run]
    options: Report
    remembered: str


def asked(runs: Sequence[Run], given: Mapping[str, Any]) -> Asked:
    """Returns what is asked.

    Args:
        runs: at hand.
        given: settings of the report that were given; others are the latest sweep's own.

    Raises:
        BadInput: for a value out of range, or a model or sweep that no run is of.
    """
    options = Report(**given)
    chosen = of_sweeps(of_models(runs, options.model), options.sweep)
    ids = {id(run) for run in chosen}
    own = _own(chosen)
    kept = {key: value for key, value in own.items() if key not in given}
    return Asked(
        chosen,
        [run for run in runs if id(run) not in ids],
        Report(**{**kept, **given}),
        _told(chosen, kept),
    )


def of_models(runs: Sequence[Run], names: Any) -> list[Run]:
    """Returns the runs of some models, by label or by choice; all where none is named.

    Raises:
        BadInput: for a model that no run is of.
    """
    if names is None:
        return list(runs)
    labels = of_runs(runs)
    called = [{labels[run.cell].model, run.choices.get("model", "")} for run in runs]
    known = sorted({labels[run.cell].model for run in runs})
    wanted = listed("report.model", names, "a model, or a list: [model,model]")
    for name in wanted:
        if not any(name in each for each in called):
            raise BadInput(_unknown("report.model", name, known))
    return [run for run, own in zip(runs, called, strict=True) if own.intersection(wanted)]


def of_sweeps(runs: Sequence[Run], names: Any) -> list[Run]:
    """Returns the runs of some sweeps, by name or by its beginning; `last` is the latest.

    Raises:
        BadInput: for a sweep that no run is of.
    """
    if names is None:
        return list(runs)
    known = sorted({run.sweep for run in runs if run.sweep is not None})
    wanted: set[str] = set()
    for name in listed("report.sweep", names, f"a sweep, a day, {LAST}, or a list of them"):
        latest = [max(runs, key=_age).sweep or ""] if any(run.sweep for run in runs) else []
        matching = latest if name == LAST else [sweep for sweep in known if sweep.startswith(name)]
        if not matching:
            raise BadInput(_unknown("report.sweep", name, [*known, LAST]))
        wanted |= set(matching)
    return [run for run in runs if run.sweep in wanted]


def _age(run: Run) -> tuple[bool, str]:
    return run.sweep is not None, run.started


def _unknown(key: str, name: str, known: Sequence[str]) -> str:
    shown = ", ".join(known) or "nothing, for there are no runs"
    return f"{key}={name} is of no run; allowed: {shown}.{nearest(name, known)}"


def _own(runs: Sequence[Run]) -> dict[str, Any]:
    """Returns what the latest of the runs was given of the report's settings."""
    latest = max(runs, key=lambda run: run.started, default=None)
    section = {} if latest is None else latest.configuration.get("report", {})
    return {key: section[key] for key in REMEMBERED if key in section}


def _told(runs: Sequence[Run], kept: Mapping[str, Any]) -> str:
    usual = Report()
    changed = [
        f"report.{key}={_written(value)}"
        for key, value in kept.items()
        if value != getattr(usual, key)
    ]
    if not changed:
        return ""
    latest = max(runs, key=lambda run: run.started)
    sweep = f"the sweep {latest.sweep}" if latest.sweep else "the latest run"
    were = "is" if len(changed) == 1 else "are"
    return f"{listing(changed)} {were} from {sweep}."


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def folder_of(base: Path, overrides: Sequence[str]) -> Path:
    """Returns the folder of a report, so that one that asks something else overwrites none.

    Args:
        base: of the reports; that which asks for nothing in particular stands there.
        overrides: as given, `key=value`.
    """
    named = sorted(
        without_secrets(override.lstrip("+")).removeprefix("report.")
        for override in overrides
        if not override.lstrip("+").startswith(NO_QUESTION)
    )
    if not named:
        return base
    name = UNSAFE.sub("-", ",".join(named)).strip("-.")
    if len(name) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:DIGEST]
        name = f"{name[: LONGEST_NAME - DIGEST - 1]}-{digest}"
    return base / name
