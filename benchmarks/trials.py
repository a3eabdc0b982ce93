"""Blocks of baselines and disguises of them, judged as a sweep over the models judges them.

A trial is such a block, and a study is a trial of each model. Hundreds of trials take hours, so a
file keeps each study once it is measured, and a later call goes on where an earlier one stopped.
"""

from __future__ import annotations

import datetime
import math
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cells import MODELS, configuration, say
from disguise import Disguise
from pydantic import TypeAdapter

from greenexp.measuring.block import Stage
from greenexp.quantities import ENERGY
from greenexp.runs.identity import BASELINE
from greenexp.runs.run import Run
from greenexp.study.blocks import Layout
from greenexp.study.estimates import Effect
from greenexp.study.families import Family, family, judge
from greenexp.study.labels import of_runs
from greenexp.study.pairs import contrast, groups
from greenexp.study.select import priced
from greenexp.study.study import Setting
from greenexp.study.verdicts import Verdict
from greenexp.sweep.record import Request, measure, measure_block

# Images of a batch that are computed twice are the known work; a batch has room for them.
BATCH = ("workload.batch_size=100", "workload.pool_images=300")
CLAIMS = (Verdict.LOWER, Verdict.HIGHER)
MARGIN = 0.03


@dataclass(frozen=True)
class Design:
    """What a trial consists of.

    Attributes:
        shares: of more work that the disguises do; the place among them tells equal ones apart.
        overrides: of every run.
        baselines: of its block.
        processes: of each disguise in the block.
    """

    shares: Sequence[float]
    overrides: Sequence[str]
    baselines: int = 2
    processes: int = 1


@dataclass(frozen=True)
class Trial:
    """A block that was measured.

    Attributes:
        runs: of it.
        rounds_s: in rounds, without loading and warm-up.
        parent_cpu_s: CPU time of the process that leads the block, in the rounds.
    """

    runs: Sequence[Run]
    rounds_s: float
    parent_cpu_s: float


@dataclass(frozen=True)
class Study:
    """A trial of each model, judged together.

    Attributes:
        date: of its end, ISO.
        cpu: name of the processor.
        cpu_threads: logical CPUs of the machine.
        shares: of the design.
        overrides: of the design.
        effects: by trial, of each disguise in the order of `shares`, on energy. As a tracker would
            hold them, earlier studies of the machine help to tell how processes differ.
        aa_logs: by trial, the logarithm of the ratio of its two baselines.
        apart_logs: the same of two baselines that were measured one after the other.
        runs: of all trials.
        rounds_s: of all trials.
        parent_cpu_s: of all trials.
        layouts: by model, how the processes of its trial compare with the mean of its baselines.
        baselines: of the design.
        processes: of the design.
    """

    date: str
    cpu: str | None
    cpu_threads: int | None
    shares: Sequence[float]
    overrides: Sequence[str]
    effects: Sequence[Sequence[Effect]]
    aa_logs: Sequence[float]
    apart_logs: Sequence[float]
    runs: int
    rounds_s: float
    parent_cpu_s: float
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    baselines: int = 2
    processes: int = 1

    @property
    def design(self) -> Design:
        """What its trials consist of."""
        return Design(list(self.shares), list(self.overrides), self.baselines, self.processes)


STUDY = TypeAdapter(Study)


def studies(number: int, design: Design, rows: Path | None, *, apart: bool) -> list[Study]:
    """Returns studies, of which those that a file does not hold yet are measured and added to it.

    Args:
        number: of studies.
        design: of their trials.
        rows: a file with a study a line; None: none is kept.
        apart: whether baselines are measured one after the other as well.

    Raises:
        SystemExit: where the file holds studies of another design.
        RuntimeError: where a run did not end well.
    """
    lines = rows.read_text(encoding="utf-8").splitlines() if rows and rows.exists() else []
    known = [STUDY.validate_json(line) for line in lines]
    for study in known:
        if study.design != design:
            raise SystemExit(f"{rows} holds studies of {study.design}; give another file")
    for place in range(len(known), number):
        known.append(_study(design, known, apart=apart))
        say(f"study {place + 1} of {number}: {_described(known[-1])}")
        if rows is not None:
            with rows.open("a", encoding="utf-8") as file:
                file.write(STUDY.dump_json(known[-1]).decode() + "\n")
    return known[:number]


def _study(design: Design, earlier: Sequence[Study], *, apart: bool) -> Study:
    with tempfile.TemporaryDirectory() as folder:
        trials = [trial(place, design, Path(folder)) for place in range(len(MODELS))]
        logs = [_apart_log(model, design.overrides, Path(folder)) for model in MODELS if apart]
    runs = [run for each in trials for run in each.runs]
    families = _families(trials)
    known = [
        _known(model, layout, families[0].setting)
        for study in earlier
        if (study.cpu, study.cpu_threads) == (runs[0].cpu, runs[0].cpu_threads)
        for model, layout in study.layouts.items()
    ]
    judged = judge(families, [ENERGY], MARGIN, known).families
    return Study(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        cpu=runs[0].cpu,
        cpu_threads=runs[0].cpu_threads,
        shares=design.shares,
        overrides=design.overrides,
        effects=[
            [effects[name(*share)][ENERGY] for share in enumerate(design.shares)]
            for effects in judged
        ],
        aa_logs=_aa_logs(trials),
        apart_logs=logs,
        runs=len(runs),
        rounds_s=sum(each.rounds_s for each in trials),
        parent_cpu_s=sum(each.parent_cpu_s for each in trials),
        layouts={each.model: each.layouts[ENERGY] for each in families},
        baselines=design.baselines,
        processes=design.processes,
    )


def _described(study: Study) -> str:
    ratios = ", ".join(f"×{math.exp(log):.4f}" for log in study.aa_logs)
    return f"{study.rounds_s:.0f} s of rounds, A/A {ratios}"


def _apart_log(model: str, overrides: Sequence[str], folder: Path) -> float:
    """Returns the logarithm of the ratio of two baselines, one run after the other."""
    request = requests_of(model, Design([], overrides, baselines=1))[0]
    first, second = (
        measure(request, folder / uuid.uuid4().hex)[0].metrics[ENERGY] for _ in range(2)
    )
    return math.log(second / first)


class Clock:
    """Adds up what a block spends in rounds."""

    def __init__(self) -> None:
        self.rounds_s = 0.0
        self.cpu_s = 0.0
        self._began: tuple[float, float] | None = None

    def tell(self, stage: Stage) -> None:
        """Takes note of what the block does next."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        if self._began is not None:
            self.rounds_s += now_s - self._began[0]
            self.cpu_s += cpu_s - self._began[1]
        self._began = (now_s, cpu_s) if stage.name == "measure" else None


def trial(number: int, design: Design, folder: Path) -> Trial:
    """Measures a block of baselines and a disguise for each share of more work.

    Args:
        number: of the trial; the models take turns.
        design: of it.
        folder: where it is journalled.

    Raises:
        RuntimeError: where a run did not end well.
    """
    clock = Clock()
    requests = requests_of(MODELS[number % len(MODELS)], design)
    measured = measure_block(requests, folder / str(number), clock.tell)
    runs = [_own(each.run, number) for each in measured]
    return Trial(runs, clock.rounds_s, clock.cpu_s)


def name(place: int, share: float) -> str:
    """Returns what the disguise at a place is called."""
    return f"disguise {place + 1}: {share:g} more"


def requests_of(model: str, design: Design) -> list[Request]:
    """Returns the runs of a trial: the first baseline, the disguises, and further baselines."""
    plain = configuration(f"model={model}", *BATCH, *design.overrides)
    target = f"{Disguise.__module__}.{Disguise.__name__}"
    allowed = {"allow": [Disguise.__module__]}
    runs: list[tuple[str, dict[str, Any], int]] = [(BASELINE, plain, 1)]
    for place, share in enumerate(design.shares):
        tactic = {"_target_": target, "more": share, "place": place}
        disguised = {**plain, "tactic": tactic, "plugins": allowed}
        runs += [(name(place, share), disguised, n) for n in range(1, design.processes + 1)]
    runs += [(BASELINE, plain, replicate) for replicate in range(2, design.baselines + 1)]
    return [_request(model, *run) for run in runs]


def _request(model: str, tactic: str, own: Mapping[str, Any], replicate: int) -> Request:
    choices = {"dataset": "digits", "hardware": "local", "workload": "quick", "model": model}
    place = {**own["sweep"], "block": 1, "replicate": replicate}
    title = f"{model} · {tactic}"
    return Request({**own, "sweep": place}, {**choices, "tactic": tactic}, title, "")


def _families(trials: Sequence[Trial]) -> list[Family]:
    runs = [run for each in trials for run in each.runs]
    used, _ = priced(runs, of_runs(runs))
    return [family(group, [ENERGY]) for group in groups(used)]


def _known(model: str, layout: Layout, setting: Setting) -> Family:
    """Returns what an earlier trial tells of how the processes of its model differ."""
    return Family(setting, model, pairs={}, logs={}, contrasts={}, layouts={ENERGY: list(layout)})


def _aa_logs(trials: Sequence[Trial]) -> list[float]:
    """Returns the logarithm of the ratio of the two baselines of each trial."""
    runs = [run for each in trials for run in each.runs]
    used, _ = priced(runs, of_runs(runs))
    contrasts = [
        contrast([run], [base], ENERGY) for group in groups(used) for run, base in group.aa_pairs()
    ]
    return [each.value for each in contrasts if each is not None]


def _own(run: Run, number: int) -> Run:
    """Returns the run as one of its own trial, so that no two trials are averaged."""
    if run.outcome != "ok":
        raise RuntimeError(f"{run.title}: {run.outcome}: {run.reason}")
    return replace(run, peers=f"trial {number}", doubts=[])
