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

from cells import MODELS, configuration, say
from disguise import Disguise
from pydantic import TypeAdapter

from greenexp.measuring.block import Stage
from greenexp.quantities import ENERGY
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
        shares: of more work that the disguises do.
        overrides: of every run.
        effects: by trial, of each disguise in the order of `shares`, on energy. As a tracker would
            hold them, earlier studies of the machine help to tell how processes differ.
        aa_logs: by trial, the logarithm of the ratio of its two baselines.
        apart_logs: the same of two baselines that were measured one after the other.
        runs: of all trials.
        rounds_s: of all trials.
        parent_cpu_s: of all trials.
        layouts: by model, how the processes of its trial compare with the mean of its baselines.
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


STUDY = TypeAdapter(Study)


def studies(
    number: int,
    shares: Sequence[float],
    overrides: Sequence[str],
    rows: Path | None,
    *,
    apart: bool,
    baselines: int = 2,
) -> list[Study]:
    """Returns studies, of which those that a file does not hold yet are measured and added to it.

    Args:
        number: of studies.
        shares: of more work that the disguises do.
        overrides: of every run.
        rows: a file with a study a line; None: none is kept.
        apart: whether baselines are measured one after the other as well.
        baselines: of each block.

    Raises:
        SystemExit: where the file holds studies of other disguises or overrides.
        RuntimeError: where a run did not end well.
    """
    lines = rows.read_text(encoding="utf-8").splitlines() if rows and rows.exists() else []
    known = [STUDY.validate_json(line) for line in lines]
    for study in known:
        if (list(study.shares), list(study.overrides)) != (list(shares), list(overrides)):
            raise SystemExit(
                f"{rows} holds studies of {list(study.shares)} more work with overrides "
                f"{list(study.overrides)}; give another file"
            )
    for place in range(len(known), number):
        known.append(_study(shares, overrides, known, apart=apart, baselines=baselines))
        say(f"study {place + 1} of {number}: {_described(known[-1])}")
        if rows is not None:
            with rows.open("a", encoding="utf-8") as file:
                file.write(STUDY.dump_json(known[-1]).decode() + "\n")
    return known[:number]


def _study(
    shares: Sequence[float],
    overrides: Sequence[str],
    earlier: Sequence[Study],
    *,
    apart: bool,
    baselines: int,
) -> Study:
    with tempfile.TemporaryDirectory() as folder:
        trials = [
            trial(place, shares, overrides, Path(folder), baselines) for place in range(len(MODELS))
        ]
        logs = [_apart_log(model, overrides, Path(folder)) for model in MODELS if apart]
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
        shares=list(shares),
        overrides=list(overrides),
        effects=[
            [effects[name(*share)][ENERGY] for share in enumerate(shares)] for effects in judged
        ],
        aa_logs=_aa_logs(trials),
        apart_logs=logs,
        runs=len(runs),
        rounds_s=sum(each.rounds_s for each in trials),
        parent_cpu_s=sum(each.parent_cpu_s for each in trials),
        layouts={each.model: each.layouts[ENERGY] for each in families},
    )


def _described(study: Study) -> str:
    ratios = ", ".join(f"×{math.exp(log):.4f}" for log in study.aa_logs)
    return f"{study.rounds_s:.0f} s of rounds, A/A {ratios}"


def _apart_log(model: str, overrides: Sequence[str], folder: Path) -> float:
    """Returns the logarithm of the ratio of two baselines, one run after the other."""
    request = requests_of(model, [], overrides)[0]
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


def trial(
    number: int, shares: Sequence[float], overrides: Sequence[str], folder: Path, baselines: int
) -> Trial:
    """Measures a block of baselines and a disguise for each share of more work.

    Args:
        number: of the trial; the models take turns.
        shares: of more work; the place among them tells equal ones apart.
        overrides: of every run.
        folder: where it is journalled.
        baselines: how many it has.

    Raises:
        RuntimeError: where a run did not end well.
    """
    clock = Clock()
    requests = requests_of(MODELS[number % len(MODELS)], shares, overrides, baselines)
    measured = measure_block(requests, folder / str(number), clock.tell)
    runs = [_own(each.run, number) for each in measured]
    return Trial(runs, clock.rounds_s, clock.cpu_s)


def name(place: int, share: float) -> str:
    """Returns what the disguise at a place is called."""
    return f"disguise {place + 1}: {share:g} more"


def requests_of(
    model: str, shares: Sequence[float], overrides: Sequence[str], baselines: int = 1
) -> list[Request]:
    """Returns the runs of a trial: baselines, of which the first comes first, and disguises."""
    plain = configuration(f"model={model}", *BATCH, *overrides)
    target = f"{Disguise.__module__}.{Disguise.__name__}"
    disguised = [
        {
            **plain,
            "tactic": {"_target_": target, "more": share, "place": place},
            "plugins": {"allow": [Disguise.__module__]},
        }
        for place, share in enumerate(shares)
    ]
    names = ["baseline", *(name(*each) for each in enumerate(shares))]
    names += ["baseline"] * (baselines - 1)
    every = [plain, *disguised, *[plain] * (baselines - 1)]
    choices = {"dataset": "digits", "hardware": "local", "workload": "quick", "model": model}
    requests = []
    for number, (tactic, each) in enumerate(zip(names, every, strict=True)):
        replicate = 1 + max(0, number - len(shares))
        place = {**each["sweep"], "block": 1, "replicate": replicate}
        title = f"{model} · {tactic}"
        requests.append(Request({**each, "sweep": place}, {**choices, "tactic": tactic}, title, ""))
    return requests


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
        contrast(run, [base], ENERGY) for group in groups(used) for run, base in group.aa_pairs()
    ]
    return [each.value for each in contrasts if each is not None]


def _own(run: Run, number: int) -> Run:
    """Returns the run as one of its own trial, so that no two trials are averaged."""
    if run.outcome != "ok":
        raise RuntimeError(f"{run.title}: {run.outcome}: {run.reason}")
    return replace(run, peers=f"trial {number}", doubts=[])
