"""From composed configurations to recorded runs: child processes, journal, tracker."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from greenexp.errors import NotJournalled
from greenexp.measuring.arm import Member
from greenexp.measuring.block import Stage, together
from greenexp.measuring.environment import version
from greenexp.measuring.isolated import isolated
from greenexp.measuring.lock import machine_lock
from greenexp.measuring.machine import conditions, fingerprint
from greenexp.runs import journalled
from greenexp.runs.doubts import constant_predictions
from greenexp.runs.files import write_atomically
from greenexp.runs.identity import BASELINE, cell_hash
from greenexp.runs.journal import PARTIAL, RECORD, Record, record_json
from greenexp.runs.result import Outcome, Result
from greenexp.runs.run import Run
from greenexp.settings.build import typed
from greenexp.settings.sweep import Isolation, Tracking
from greenexp.tracking.delivery import Delivery

CONSTANT = "constant_predictions"  # a doubt

Tell = Callable[[Stage], None]


@dataclass(frozen=True)
class Request:
    """A run to measure.

    Attributes:
        configuration: composed and resolved, as plain containers.
        choices: the options chosen: model, tactic, dataset, hardware, workload.
        title: the name a person reads.
        sweep: name of the sweep that it belongs to; None: a single run.
    """

    configuration: Mapping[str, Any]
    choices: Mapping[str, str]
    title: str
    sweep: str | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.choices["tactic"] == BASELINE


@dataclass(frozen=True)
class Measurement:
    """A run that was measured and journalled.

    Attributes:
        request: the number of what asked for it.
        is_extra: whether it repeats one for another part of its block.
        run: that was measured.
        path: of its record.
    """

    request: int
    is_extra: bool
    run: Run
    path: Path


def measure(request: Request, folder: Path) -> tuple[Run, Path]:
    """Measures in a child process and journals; returns the run and the path of its record.

    The journal comes first: what was measured outlives a tracker that does not take it.

    Raises:
        BadInput: where another process measures on this machine.
        NotJournalled: where the journal does not take it.
    """
    with machine_of(request):
        started = _now()
        result = isolated(request.configuration)
        record = _record(request, result, started, _now(), None)
    try:
        return journalled.write(record, folder), folder / RECORD
    except OSError as error:
        raise _rescued([record], folder, error) from None


def measure_block(
    requests: Sequence[Request], folder: Path, tell: Tell = lambda stage: None
) -> list[Measurement]:
    """Measures peers together and journals them, in the order of the requests.

    The journal has the block whole or not at all, each run in a folder of its own. A run without
    peers is measured alone. Where memory is too small for all, the baselines are measured several
    times, see `together`.

    Args:
        requests: they differ in their tactic alone.
        folder: of the block; must not be there.
        tell: is called as the block goes.

    Raises:
        BadInput: where another process measures on this machine.
        NotJournalled: where the journal does not take them.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}{PARTIAL}")
    with machine_of(requests[0]):
        started = _now()
        if len(requests) == 1:
            tell(Stage("prepare", 0))
            parts = [{0: isolated(requests[0].configuration)}]
        else:
            members = [Member(request.configuration, request.is_baseline) for request in requests]
            parts = together(members, uuid.uuid4().hex, tell)
        ended = _now()
    baselines = {number for number, request in enumerate(requests) if request.is_baseline}
    records: dict[tuple[int, int], Record] = {}  # by part and request
    for part, results in enumerate(parts, 1):
        name = uuid.uuid4().hex if len(requests) > 1 else None
        for number, result in beside_baselines(results, baselines).items():
            records[part, number] = _record(requests[number], result, started, ended, name)
    try:
        measured = _write_block(records, partial, folder)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise _rescued(list(records.values()), folder, error) from None
    return sorted(measured, key=lambda each: (each.is_extra, each.request))


def measured_before(folder: Path) -> list[Measurement]:
    """Returns what the journal of a block holds, in the order of `measure_block`; [] without one.

    A job that was stopped after it had journalled its block, and is started again, finds it so.
    """
    measured = []
    for path in folder.glob(f"*/{RECORD}"):
        number, _, part = path.parent.name.partition("-")
        measured.append(Measurement(int(number), bool(part), journalled.run_at(path), path))
    return sorted(measured, key=lambda each: (each.is_extra, each.request, each.path))


def _write_block(
    records: Mapping[tuple[int, int], Record], partial: Path, folder: Path
) -> list[Measurement]:
    """Journals a block; the folder is there whole or not at all."""
    measured: dict[int, Measurement] = {}
    extra: list[Measurement] = []
    for (part, number), record in records.items():
        again = number in measured
        own = f"{number}-{part}" if again else str(number)
        run = journalled.write(record, partial / own)
        measurement = Measurement(number, again, run, folder / own / RECORD)
        if again:
            extra.append(measurement)
        else:
            measured[number] = measurement
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial.replace(folder)
    return [*measured.values(), *extra]


def _rescued(records: Sequence[Record], folder: Path, error: OSError) -> NotJournalled:
    """Sends MLflow what the journal does not take; returns the error that says where all is."""
    delivery = Delivery()
    offline = typed(records[0].configuration, "tracking", Tracking).offline
    taken = [] if offline else [each.id for each in records if delivery.take(each) is not None]
    left = [record_json(record) for record in records if record.id not in taken]
    reason = error.strerror or type(error).__name__
    told = "it is" if len(records) == 1 else f"{len(taken)} of {len(records)} are"
    where = f"{told} in MLflow" if taken else "MLflow did not take them either"
    printed = (
        "; those left are printed as JSON, a line each: keep them as record.json" if left else ""
    )
    return NotJournalled(
        f"measured, but the journal in {folder} took nothing ({reason}): {where}{printed}; make "
        "room there, or give another hydra.run.dir or hydra.sweep.dir",
        left,
    )


def beside_baselines(
    results: Mapping[int, Result], baselines: Collection[int]
) -> dict[int, Result]:
    """Returns the results with what stands against some beside the baselines of their part."""
    dull = {number for number, result in results.items() if constant_predictions(result)}
    of_baselines = [number for number in results if number in baselines]
    if not of_baselines or dull.intersection(of_baselines):
        dull = set()
    return {
        number: replace(result, doubts=[*result.doubts, CONSTANT]) if number in dull else result
        for number, result in results.items()
    }


def record_lost(
    requests: Sequence[Request], folder: Path, outcome: Outcome, reason: str, host: str | None
) -> list[Path]:
    """Journals the runs of a block whose job will not come back; returns where.

    Args:
        requests: of the block.
        folder: of their journals.
        outcome: of the runs.
        reason: in one line.
        host: the machine they were on; None where that is not known.
    """
    now = _now()
    environment = {} if host is None else {"host": host}
    result = Result(outcome, reason, environment=environment)
    for number, request in enumerate(requests):
        record = _record(request, result, now, now, None)
        # The machine that tells of the loss is not the one that measured.
        journalled.write(replace(record, machine=None, conditions=None), folder / str(number))
    return [folder / str(number) / RECORD for number in range(len(requests))]


def machine_of(request: Request) -> AbstractContextManager[None]:
    """Returns what keeps other measurements off the machine."""
    isolation = typed(request.configuration, "isolation", Isolation)
    device = request.configuration["device"]
    return machine_lock(alone=isolation.alone, waits=isolation.wait, device=device)


def _record(request: Request, result: Result, started: str, ended: str, name: str | None) -> Record:
    return Record(
        id=uuid.uuid4().hex,
        title=request.title,
        cell=cell_hash(request.configuration),
        sweep=request.sweep,
        choices=request.choices,
        configuration=request.configuration,
        started=started,
        ended=ended,
        result=result,
        machine=fingerprint(),
        version=version("greenexp"),
        together=name,
        conditions=conditions(),
    )


def write_requests(requests: Sequence[Request], path: Path) -> None:
    """Writes the runs of a block for the job that will measure them."""
    text = json.dumps([asdict(request) for request in requests], ensure_ascii=False)
    write_atomically(path, text)


def read_requests(path: Path) -> list[Request]:
    """Returns what `write_requests` wrote."""
    return TypeAdapter(list[Request]).validate_json(path.read_bytes())


def _now() -> str:
    return datetime.now(UTC).isoformat()
