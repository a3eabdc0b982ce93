"""Blocks of the baseline and disguises of it, judged as a sweep over the models judges them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cells import MODELS, configuration
from disguise import Disguise

from greenexp.measuring.block import Stage
from greenexp.quantities import ENERGY
from greenexp.runs.run import Run
from greenexp.study.families import Effects, family, judge
from greenexp.study.labels import of_runs
from greenexp.study.pairs import contrast, groups
from greenexp.study.select import priced
from greenexp.study.verdicts import Verdict
from greenexp.sweep.record import Request, measure_block

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


def trial(number: int, shares: Sequence[float], overrides: Sequence[str], folder: Path) -> Trial:
    """Measures a block of the baseline twice and a disguise for each share of more work.

    Args:
        number: of the trial; the models take turns.
        shares: of more work; the place among them tells equal ones apart.
        overrides: of every run.
        folder: where it is journalled.

    Raises:
        RuntimeError: where a run did not end well.
    """
    clock = Clock()
    requests = requests_of(MODELS[number % len(MODELS)], shares, overrides)
    measured = measure_block(requests, folder / str(number), clock.tell)
    runs = [_own(one.run, number) for one in measured]
    return Trial(runs, clock.rounds_s, clock.cpu_s)


def name(place: int, share: float) -> str:
    """Returns what the disguise at a place is called."""
    return f"disguise {place + 1}: {share:g} more"


def requests_of(model: str, shares: Sequence[float], overrides: Sequence[str]) -> list[Request]:
    """Returns the runs of a trial: two baselines and the disguises."""
    plain = configuration(f"model={model}", *BATCH, *overrides)
    target = f"{Disguise.__module__}.{Disguise.__name__}"
    disguised = [
        {
            **plain,
            "tactic": {"_target_": target, "more": share},
            "plugins": {"allow": [Disguise.__module__]},
        }
        for share in shares
    ]
    names = ["baseline", *(name(*one) for one in enumerate(shares)), "baseline"]
    choices = {"dataset": "digits", "hardware": "local", "workload": "quick", "model": model}
    requests = []
    for number, (tactic, one) in enumerate(zip(names, [plain, *disguised, plain], strict=True)):
        place = {**one["sweep"], "block": 1, "replicate": 2 if number == len(names) - 1 else 1}
        title = f"{model} · {tactic}"
        requests.append(Request({**one, "sweep": place}, {**choices, "tactic": tactic}, title, ""))
    return requests


def judged(trials: Sequence[Trial]) -> list[Effects]:
    """Returns the effects of each trial, judged in studies of one block of each model.

    A study has no more to tell the spread between processes by than its own A/A pairs.
    """
    effects: list[Effects] = []
    for first in range(0, len(trials), len(MODELS)):
        runs = [run for one in trials[first : first + len(MODELS)] for run in one.runs]
        used, _ = priced(runs, of_runs(runs))
        families = [family(group, [ENERGY]) for group in groups(used)]
        effects += judge(families, [ENERGY], MARGIN).families
    return effects


def aa_logs(trials: Sequence[Trial]) -> list[float]:
    """Returns the logarithm of the ratio of the two baselines of each trial."""
    runs = [run for one in trials for run in one.runs]
    used, _ = priced(runs, of_runs(runs))
    contrasts = [
        contrast(run, [base], ENERGY) for group in groups(used) for run, base in group.aa_pairs()
    ]
    return [one.value for one in contrasts if one is not None]


def _own(run: Run, number: int) -> Run:
    """Returns the run as one of its own trial, so that no two trials are averaged."""
    if run.outcome != "ok":
        raise RuntimeError(f"{run.title}: {run.outcome}: {run.reason}")
    return replace(run, peers=f"trial {number}", doubts=[])
