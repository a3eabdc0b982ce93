"""Exports what each tactic makes of each model, proves it, and prints the table of docs/export.md.

    python benchmarks/export.py FOLDER [--model NAME_OR_FOLDER …] [--photos FOLDER]
        [--tactic NAME …] [--answers-only] [override …]

A cell is a model and a tactic. It is measured briefly, since of that run only its predictions
count; then it is exported as `greenexp.export` does, and every image is replayed. Its speed is
measured last, in one block with the tactic. `--answers-only` leaves that to a later call with the
same arguments, on a quiet machine: the artefacts wait in the folder. Overrides are those of
`python -m greenexp`; some set how long a block takes, such as
`workload.min_windows=20 workload.max_windows=20`.

`rows.jsonl` in the folder has a line a cell, with the seconds of each phase. What it holds is not
measured again, so that what was stopped goes on. A model given as a folder is judged on the
photographs, of which 50 are held back for calibration.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cells import say
from families import tactics

from greenexp.cli.compose import configuration
from greenexp.errors import BadInput, Unsupported
from greenexp.export import proof
from greenexp.export.description import read as description_in
from greenexp.export.export import Source, export
from greenexp.measuring import isolation
from greenexp.measuring.block import Stage
from greenexp.measuring.lock import machine_lock
from greenexp.quantities import LATENCY
from greenexp.runs import journal
from greenexp.sweep.record import Request, measure

EMBEDDED = ("digits_vit", "digits_resnet")
GPU_ALONE = {"semi_structured_sparsity": "it runs on a GPU alone, and artefacts are for the CPU"}
CHAINS = {  # beside the one of `families`
    "structured_pruning > openvino": (
        "tactic=chain",
        "tactic.steps=[structured_pruning,openvino]",
    ),
}
BRIEF = (  # nothing of the measured run's speed is read
    "workload.idle_seconds=0",
    "workload.warmup_min_seconds=0",
    "workload.warmup_max_seconds=0.1",
    "workload.steady_batches=2",
    "workload.min_seconds=0.01",
    "workload.min_windows=2",
    "workload.max_windows=2",
)
MARGIN = 0.05
HEADER = (
    "model",
    "tactic",
    "form",
    "MiB",
    "classes that differ",
    "largest difference of logits",
    "latency, artefact / tactic",
    "verdict",
)

CPU = ("device=cpu",)
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A model and a tactic, by name, and the overrides that make them."""

    model: str
    tactic: str
    overrides: tuple[str, ...]


def main() -> None:
    """Writes a line a cell and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the rows and artefacts")
    parser.add_argument("--model", action="append", help="an embedded one's name, or a folder")
    parser.add_argument("--photos", type=Path, help="a folder a class, for models in folders")
    parser.add_argument("--tactic", action="append", help="by name, as in conf/tactic")
    parser.add_argument("--answers-only", action="store_true", help="measure no speed")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_intermixed_args()
    cells = {**tactics(), **CHAINS, **dict.fromkeys(GPU_ALONE, ())}
    chosen = given.tactic or list(cells)
    if unknown := [name for name in chosen if name not in cells]:
        parser.error(f"--tactic {unknown[0]}; allowed: {', '.join(cells)}")
    models = {Path(model).name: of_model(model, given.photos) for model in given.model or EMBEDDED}
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / "rows.jsonl"
    rows = rows_in(path)
    isolation.prepare()
    for model, of_cell in models.items():
        for tactic in chosen:
            cell = Cell(model, tactic, (*of_cell, *cells[tactic], *given.overrides))
            for measure_ in [answers] if given.answers_only else [answers, speed]:
                known = rows.get((model, tactic))
                row = measure_(cell, given.folder / "artefacts", known)
                if row is not known:
                    rows[model, tactic] = row
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
                    say(f"{line(row)} {json.dumps(row['seconds'])}")
    say(table(list(rows.values())))


def of_model(given: str, photos: Path | None) -> tuple[str, ...]:
    """Returns the overrides of a model and of the images that it is judged on.

    Raises:
        SystemExit: where a folder comes without photographs.
    """
    if not Path(given).is_dir():
        return (f"model={given}", "dataset=digits")
    if photos is None:
        raise SystemExit(f"--model {given} is a folder; give --photos, a folder a class")
    return (
        "model=local",
        f"model.path={Path(given).resolve()}",
        "dataset=folder",
        f"dataset.path={photos.resolve()}",
        "dataset.held_back=50",
    )


def rows_in(path: Path) -> dict[tuple[str, str], Row]:
    """Returns the cells that a file holds; of a cell measured again the last."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(row) for row in lines]
    return {(row["model"], row["tactic"]): row for row in rows}


def answers(cell: Cell, folder: Path, known: Row | None) -> Row:
    """Returns the row of a cell once it has been exported and every image replayed."""
    if known is not None and (known["reason"] or (folder / known["folder"]).is_dir()):
        return known
    clock = Clock()
    row: Row = {"model": cell.model, "tactic": cell.tactic, "reason": GPU_ALONE.get(cell.tactic)}
    if row["reason"]:
        return {**row, "seconds": {}}
    with tempfile.TemporaryDirectory(prefix="greenexp-export-") as journal_folder:
        clock.tell(Stage("run"))
        brief, choices = configuration([*CPU, *cell.overrides, *BRIEF])
        title = f"{cell.model} · {cell.tactic}"
        run, path = measure(Request(brief, choices, title, ""), Path(journal_folder) / "run")
        predictions = journal.read(path).result.predictions
    if predictions is None:
        return {**row, "reason": f"{run.outcome}: {run.reason}", "seconds": clock.ended()}
    asked, _ = configuration([*CPU, *cell.overrides])
    source = Source(replace(run, configuration=asked), predictions, cell.model, cell.tactic)
    try:
        place, description = export(source, folder, None, clock.tell)
    except (BadInput, Unsupported) as error:
        return {**row, "reason": str(error), "seconds": clock.ended()}
    if description.proof is None:
        raise RuntimeError(f"{title}: nothing is proven")
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return {
        **row,
        **asdict(description.proof),
        "holds": description.proof.holds,
        "form": description.form,
        "folder": place.name,
        "size_mib": size / 2**20,
        "seconds": clock.ended(),
    }


def speed(cell: Cell, folder: Path, known: Row | None) -> Row:
    """Returns the row of a cell once its artefact has been measured beside the tactic."""
    if known is None or known["reason"] or known["margin"]:
        return known or {}
    clock = Clock()
    asked, _ = configuration([*CPU, *cell.overrides])
    place = folder / known["folder"]
    ratios = {}
    try:
        with machine_lock(alone=asked["isolation"]["alone"], device="cpu"):
            both = proof.measured_together(asked, place, description_in(place), clock.tell)
        ratios = {name: asdict(ratio) for name, ratio in proof.ratios(*both, MARGIN).items()}
    except Unsupported as error:
        say(f"{cell.model} · {cell.tactic}: {error}")
    seconds = {**known["seconds"], **clock.ended()}
    return {**known, "margin": MARGIN, "ratios": ratios, "seconds": seconds}


class Clock:
    """Adds up the seconds of each phase, as it is told where the work is."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._began: tuple[str, float] | None = None

    def tell(self, stage: Stage) -> None:
        """Takes note of what is done next."""
        now_s = time.monotonic()
        if self._began is not None:
            self.seconds[self._began[0]] += now_s - self._began[1]
        self._began = (stage.name, now_s)

    def ended(self) -> dict[str, float]:
        """Returns the seconds by phase, up to now."""
        self.tell(Stage("end"))
        return {name: round(value, 1) for name, value in self.seconds.items()}


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the Markdown table, and the reasons below it of those without an artefact."""
    reasons = {str(row["reason"]): None for row in rows if row["reason"]}
    numbers = {reason: number for number, reason in enumerate(reasons, 1)}
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    lines += [line(row, numbers) for row in rows]
    return "\n".join([*lines, "", *(f"{number}. {why}" for why, number in numbers.items())])


def line(row: Mapping[str, Any], numbers: Mapping[str, int] | None = None) -> str:
    """Returns a cell as a row of the table; with numbers in place of reasons, where given."""
    start = [row["model"], row["tactic"]]
    if row["reason"]:
        why = f"[{numbers[row['reason']]}]" if numbers else row["reason"]
        cells = [*start, f"none {why}", *[""] * (len(HEADER) - 3)]
    else:
        ties = f", {row['ties']} as good as equal" if row["ties"] else ""
        cells = [
            *start,
            row["form"],
            f"{row['size_mib']:.1f}",
            f"{row['flips']} of {row['images']}{ties}",
            f"{row['largest_difference']:.2g}",
            latency(row),
            "proven" if row["holds"] else "not what was measured",
        ]
    return f"| {' | '.join(cells)} |"


def latency(row: Mapping[str, Any]) -> str:
    """Returns the ratio of latencies with its interval; empty where it was not measured."""
    ratio = row["ratios"].get(LATENCY)
    if ratio is None:
        return ""
    interval = "" if ratio["low"] is None else f" ({ratio['low']:.3f} to {ratio['high']:.3f})"
    equal = f", equal within {row['margin']:.0%}" if ratio["equal"] else ""
    return f"×{ratio['value']:.3f}{interval}{equal}"


if __name__ == "__main__":
    main()
