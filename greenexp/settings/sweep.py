"""How a sweep runs, in what process, and where its runs go."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.errors import BadInput
from greenexp.settings.checks import check_range

RERUN = ("flagged", True, False)


@dataclass
class Sweep:
    """In which order a sweep runs, what it skips, and which of its runs this one is."""

    seed: int = 0  # of the order of the cells within each block
    rerun: str | bool = "flagged"  # what was measured already and is measured again, see RERUN
    attempts: int = 3  # with rerun=flagged, how often a run is measured until it stays flagged
    dry_run: bool = False  # True: the plan is shown and written, and nothing is measured
    baselines: int | None = None  # of a block; None: two, and more where a sweep has few blocks
    processes: int = 1  # of each tactic in a block, so that more than its rounds is repeated
    probe: bool = True  # False: no job asks the machine that measures, where that is another
    block: int | None = None  # set by the sweep: the complete block this run belongs to, from 1
    requests: str | None = None  # set by the sweep: file of the runs of the block to measure
    survey: str | None = None  # set by the sweep: file of the cells that a job is to look at
    replicate: int = 1  # set by the sweep: from 2 for further processes of a block

    def __post_init__(self) -> None:
        if self.rerun not in RERUN:
            raise BadInput(
                f"sweep.rerun={self.rerun} is unknown; allowed: flagged (runs that something "
                "stands against), true (all), false (none)"
            )
        check_range("sweep.attempts", self.attempts, at_least=1)
        check_range("sweep.baselines", self.baselines, at_least=2)
        check_range("sweep.processes", self.processes, at_least=1)


@dataclass
class Isolation:
    """The child process that each run has for itself."""

    timeout_s: float = 3600.0  # s after which a run is killed and recorded as a timeout
    alone: bool = True  # False: measurements may run side by side on a machine
    wait: bool = True  # for the end of another measurement; False: this one is refused

    def __post_init__(self) -> None:
        check_range("isolation.timeout_s", self.timeout_s, above=0)


@dataclass
class Tracking:
    """Where MLflow keeps the runs."""

    uri: str = "sqlite:///mlruns/mlflow.db"
    experiment: str = "greenexp"
    artifacts: str | None = None  # where a new experiment's files go; None: as the store has it
    journal: str = "multirun"  # folder of the journals, searched for runs that MLflow missed
    offline: bool = False  # True: runs stay in the journal; python -m greenexp.store sends them
    timeout_s: float = 10.0  # s that one answer of a server may take
    locked_s: float = 60.0  # s that a SQLite store is waited for while another process holds it

    def __post_init__(self) -> None:
        check_range("tracking.timeout_s", self.timeout_s, above=0)
        check_range("tracking.locked_s", self.locked_s, at_least=0)
        if not self.experiment.strip():
            raise BadInput(
                f"tracking.experiment={self.experiment!r} is empty; give a name, e.g. greenexp"
            )
