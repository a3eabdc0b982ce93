"""From a measured run to a proven artefact in a folder."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from greenexp.errors import BadInput, Unsupported
from greenexp.export import card, proof
from greenexp.export.description import Description
from greenexp.export.making import full_disk, made_in, make
from greenexp.export.portable import nearest
from greenexp.measuring import isolation
from greenexp.measuring.block import Stage
from greenexp.measuring.environment import version
from greenexp.measuring.lock import machine_lock
from greenexp.measuring.machine import fingerprint
from greenexp.measuring.temporary import check_temporary
from greenexp.measuring.waiting import waiting
from greenexp.runs.files import write_atomically
from greenexp.runs.identity import dataset_name, flattened
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.result import Predictions
from greenexp.runs.run import Run
from greenexp.settings.build import build, typed
from greenexp.settings.plugins import allowed
from greenexp.settings.sweep import Isolation

SPACE = 3.0  # times the checkpoint's weights that must be free


@dataclass(frozen=True)
class Source:
    """A measured run to export.

    Attributes:
        run: that was measured.
        predictions: of it.
        model: as labelled.
        tactic: as labelled.
    """

    run: Run
    predictions: Predictions
    model: str
    tactic: str


def check(run: Run) -> None:
    """Checks that a run can be exported on this machine.

    Raises:
        BadInput: where it failed, or was measured elsewhere.
    """
    if run.outcome != "ok":
        raise BadInput(
            f"{run.title} ended as {run.outcome}: {run.reason}; export a run that ended well"
        )
    if run.device != "cpu":
        alike = nearest(run.choices["tactic"])
        cure = f"{alike} comes nearest: measure that" if alike else "measure it"
        raise BadInput(
            f"{run.title} was measured on {run.device}, and artefacts are made for the CPU; "
            f"{cure} with device=cpu first"
        )
    if run.machine != fingerprint():
        raise BadInput(
            f"{run.title} was measured on another kind of machine ({run.cpu}); export it there, or "
            "measure it here first"
        )


def export(
    source: Source, folder: Path, margin: float | None, tell: Callable[[Stage], None]
) -> tuple[Path, Description]:
    """Makes and proves an artefact; returns its folder and what it says of itself.

    Args:
        source: what is exported.
        folder: of all artefacts; a new one is made in it.
        margin: fraction within which speed is called equal; None: speed is not measured.
        tell: is called as it goes: `make`, `replay`, and the stages of the proof's block.

    Raises:
        BadInput: where the run can't be exported here, or the disk is too small.
        Unsupported: where the tactic has no form that runs without greenexp.
    """
    check(source.run)
    configuration = dict(source.run.configuration)
    tactic = build(configuration["tactic"], "tactic", allowed(configuration))
    check_temporary(compiles="compiled" in tactic.traits.makes)
    rules = typed(configuration, "isolation", Isolation)
    place = _claimed(folder, source)
    try:
        with tempfile.TemporaryDirectory(prefix="greenexp-") as temporary:
            work = Path(temporary)
            tell(Stage("make"))
            with (
                machine_lock(alone=rules.alone, waits=rules.wait, device="cpu"),
                waiting(f"the artefact of {source.run.title} to be made"),
            ):
                ended = isolation.call(
                    make, configuration, str(place), str(work), timeout_s=rules.timeout_s
                )
            if ended.kind != "returned":
                raise Unsupported(f"{ended.detail}{full_disk(str(place), str(work))}")
            description = _described(source, work)
            description.write(place)
            tell(Stage("replay"))
            with waiting(f"the images to be replayed by {place.name}"):
                reference, answer = proof.replayed(place, work)
        shown = proof.compared(
            reference,
            answer,
            source.predictions.targets,
            ImageOutcomes.of(source.predictions),
        )
        if margin is not None:
            with machine_lock(alone=rules.alone, waits=rules.wait, device="cpu"):
                both = proof.measured_together(configuration, place, description, tell)
            shown = replace(shown, margin=margin, ratios=proof.ratios(*both, margin))
    except Unsupported as error:
        shutil.rmtree(place, ignore_errors=True)
        alike = nearest(source.run.choices["tactic"])
        cure = f"; {alike} comes nearest and has a form" if alike else ""
        raise Unsupported(f"{source.run.title} has no artefact: {error}{cure}") from None
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    description = replace(description, proof=shown)
    description.write(place)
    write_atomically(place / card.FILE, card.card(description, source.run))
    return place, description


def _claimed(folder: Path, source: Source) -> Path:
    """Returns a new folder, named by what it holds."""
    name = re.sub(r"[^\w.=-]+", "_", f"{source.model}-{source.tactic}").strip("_")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        place = folder / (name if number == 1 else f"{name}-{number}")
        try:
            place.mkdir()
        except FileExistsError:
            continue
        needed_mib = SPACE * source.run.metrics.get("complexity/weights_mib", 0.0)
        free_mib = shutil.disk_usage(place).free / 2**20
        if free_mib < needed_mib:
            place.rmdir()
            raise BadInput(
                f"{folder} has {free_mib:.0f} MiB free, and an artefact of {source.model} may take "
                f"{needed_mib:.0f}; make room, or give another with export.folder=…"
            )
        return place
    raise BadInput(f"{folder} holds 1,000 artefacts of {name}; give another with export.folder=…")


def _described(source: Source, work: Path) -> Description:
    made, run = made_in(work), source.run
    card = run.configuration.get("model", {}).get("card") or {}
    return Description(
        form=made.files.form,
        file=made.files.name,
        options=made.files.options,
        shape=made.shape,
        threads=made.threads,
        labels=made.labels,
        versions=made.versions,
        model=source.model,
        tactic=source.tactic,
        run=run.id,
        tracked=run.tracked,
        machine=fingerprint(),
        cpu=run.cpu,
        greenexp=version("greenexp"),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        provenance=run.provenance,
        card=card,
        dataset=dataset_name(flattened(run.choices, run.configuration)),
        example=made.example,
    )
