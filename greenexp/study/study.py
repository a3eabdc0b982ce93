"""What a set of runs says: the plain values that tables, figures, page and advice are made of.

Nothing here computes. `compare` makes a `Study`; everything a reader sees is read off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from greenexp.quantities import QUANTITIES, compared, in_tables
from greenexp.quantities import Quantity as Described
from greenexp.runs.identity import BASELINE
from greenexp.study.estimates import Accuracy, Effect, Quantity
from greenexp.study.savings import Bill, Currency, Monthly, Occupancy, Payback, Sensitivity
from greenexp.study.verdicts import AdviceKind, Caveat, EnergyBasis, LeftOutReason


@dataclass(frozen=True)
class Setting:
    """What is the same for all that is compared, but for model and tactic."""

    dataset: str
    hardware: str
    workload: str
    machine: str  # the device that ran, as its maker calls it
    varied: str = ""  # what else tells it from other settings, e.g. `batch_size=8`

    @property
    def name(self) -> str:
        """What a heading calls it."""
        words = [self.dataset, self.hardware, self.workload, self.varied]
        return " · ".join(word for word in words if word)


@dataclass(frozen=True)
class Cell:
    """One tactic on one model in one setting.

    Attributes:
        setting: where it ran.
        model: as labelled.
        tactic: as labelled; `baseline` for the baseline.
        blocks: those with a valid run of it.
        quantities: by the run's metric, see `quantities.QUANTITIES`. Absent is absent.
        effects: by the metrics that are compared; empty for the baseline and where it has no pair.
        accuracy: against the baseline; None for the baseline and where unknown.
        paybacks: by currency; empty likewise.
        monthly: against the baseline; None likewise.
        occupancy: of the machine, by the baseline; None likewise.
        bill: None where dollars are unknown.
        sensitivities: of the monthly saving.
        on_front: whether no other cell of the setting is shown to be better or equal in
            accuracy, energy and dollars and better in one; None where a figure is missing.
        energy_source: counter, sampled, model, or a mixture, as the runs say; None: no energy.
        cost_holds: which parts dollars hold; None: no dollars.
        run_ids: MLflow's, of the valid runs.
        doubts: what stands against its runs, or those that it is compared with.
    """

    setting: Setting
    model: str
    tactic: str
    blocks: int
    quantities: Mapping[str, Quantity]
    effects: Mapping[str, Effect] = field(default_factory=dict)
    accuracy: Accuracy | None = None
    paybacks: Mapping[Currency, Payback] = field(default_factory=dict)
    monthly: Monthly | None = None
    occupancy: Occupancy | None = None
    bill: Bill | None = None
    sensitivities: Sequence[Sensitivity] = ()
    on_front: bool | None = None
    energy_source: str | None = None
    cost_holds: str | None = None
    run_ids: Sequence[str] = ()
    doubts: Sequence[str] = ()

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.tactic == BASELINE


@dataclass(frozen=True)
class Failure:
    """Runs of one tactic on one model that ended alike, and not well.

    Attributes:
        model: as labelled.
        tactic: as labelled.
        outcome: `oom`, `unsupported`, `timeout`, `killed` or `error`.
        reason: one line.
        runs: how many.
    """

    model: str
    tactic: str
    outcome: str
    reason: str
    runs: int


@dataclass(frozen=True)
class Overall:
    """One tactic over the models of one setting; the model is the unit. Doubts are its cells'."""

    setting: Setting
    tactic: str
    models: int
    effects: Mapping[str, Effect]
    accuracy: Accuracy | None
    doubts: Sequence[str] = ()


@dataclass(frozen=True)
class LeftOut:
    """Runs that no figure is made of, and why.

    Attributes:
        kind: of the reason.
        detail: the outcome of failed runs, the doubts of flagged ones; empty for other kinds.
        runs: how many.
        examples: what a few of them are called.
    """

    kind: LeftOutReason
    detail: str
    runs: int
    examples: Sequence[str]

    @property
    def reason(self) -> str:
        """The reason in words."""
        return f"{self.kind} {self.detail}" if self.detail else str(self.kind)


@dataclass(frozen=True)
class Advice:
    """What to do about one model in one setting, or about all models of one setting.

    Attributes:
        kind: what is advised, or why nothing is.
        setting: where.
        model: as labelled; None: over models.
        metric: by which tactics are held together: ENERGY, or LATENCY where no energy was
            measured; None where nothing was compared.
        tactic: to deploy; None where the baseline is kept.
        effect: of that tactic on the metric.
        undecided: effects on the metric of allowed tactics that are shown neither to save nor not
            to save more than the margin.
        uncompared: allowed tactics that the metric can't be compared of.
        settled: effects on the metric of allowed tactics that are shown not to save more.
        refused: changes of top-1 of tactics that lose more than is allowed.
        margin: fraction by which nothing else is better where the baseline is kept.
        blocks: how many more decide, roughly; None where that can't be told.
        repetitions: of a sweep that has them; None likewise.
        blocks_s: what they take, by those that were measured, in s; None likewise.
        basis: of the tactic's energy; None where none was measured.
        saved: what the tactic saves in a month; over models the mean, the model being the unit.
        occupancy: of the machine; None over models.
        paybacks: of the tactic, one a model, as far as something may be claimed.
        accuracy: of the tactic against the baseline's; None where unknown.
        caveat: what must be said of the accuracy.
        doubts: what stands against the runs that it is made of.
        cost_holds: which parts the dollars saved hold; None: no dollars.
        models: how many there are to tell what holds for others.
        tactics: how many are tested together over models.
    """

    kind: AdviceKind
    setting: Setting
    model: str | None = None
    metric: str | None = None
    tactic: str | None = None
    effect: Effect | None = None
    undecided: Mapping[str, Effect] = field(default_factory=dict)
    uncompared: Sequence[str] = ()
    settled: Mapping[str, Effect] = field(default_factory=dict)
    refused: Mapping[str, Accuracy] = field(default_factory=dict)
    margin: float | None = None
    blocks: int | None = None
    repetitions: int | None = None
    blocks_s: float | None = None
    basis: EnergyBasis | None = None
    saved: Monthly | None = None
    occupancy: Occupancy | None = None
    paybacks: Mapping[Currency, Sequence[Payback]] = field(default_factory=dict)
    accuracy: Accuracy | None = None
    caveat: Caveat | None = None
    doubts: Sequence[str] = ()
    cost_holds: str | None = None
    models: int = 1
    tactics: int = 1


@dataclass(frozen=True)
class Deployment:
    """A model on one machine: what to deploy there, and what an image takes then.

    Attributes:
        setting: the machine, its preset and the workload.
        cell: the tactic that is advised there, else the baseline; None where neither is known.
        is_advised: whether it is a tactic that the study advises.
    """

    setting: Setting
    cell: Cell | None
    is_advised: bool


@dataclass(frozen=True)
class Machines:
    """A model on the machines that measured it, cheapest first; those without dollars come last.

    They were measured apart, so nothing is claimed of one beside another.
    """

    dataset: str
    model: str
    deployments: Sequence[Deployment]


@dataclass(frozen=True)
class Study:
    """All that the report says.

    Attributes:
        title: what the runs are, e.g. the experiment's name.
        cells: each tactic on each model, baselines included; per setting and model the baseline
            first, then by energy ratio.
        overall: each tactic over models, per setting, best energy first; of settings with several.
        noise: A/A effects over all models of a setting, by setting's name and metric.
        aside: cells of runs that ended well and that no comparison is made with: single runs, and
            those that something stands against. They have figures alone.
        failures: runs that did not end well.
        machines: each model of each data set that several machines, or one at several presets,
            have measured.
        left_out: runs not used, and why.
        notes: one line each that a reader must know: energy sources, what dollars hold, prices
            that are not the machine's.
        next_steps: one line each: what is missing for a claim, and the command that adds it.
        advice: for each setting, one a model, then one over models.
        prices: what dollars and carbon are made of, one line a setting.
        requests_per_month: images served a month, assumed.
        months: over which bills are summed.
        max_top1_drop: asked for, as a fraction of 1.
        runs: how many were used.
        flagged: how many of them something stands against.
        made: ISO time of the report.
        ran_on: the machines whose runs were used, with cores and memory.
        measured: the day, or the first and the last, of these runs.
        quantities: that its figures are of, in order.
        power: for a few runs (named as a legend would) the points (s, W) of power over time.
    """

    title: str
    cells: Sequence[Cell]
    overall: Sequence[Overall]
    noise: Mapping[str, Mapping[str, Effect]]
    left_out: Sequence[LeftOut]
    notes: Sequence[str]
    next_steps: Sequence[str]
    advice: Sequence[Advice]
    prices: Sequence[str]
    requests_per_month: float
    months: float
    max_top1_drop: float
    runs: int
    made: str
    quantities: Sequence[Described] = QUANTITIES
    aside: Sequence[Cell] = ()
    failures: Sequence[Failure] = ()
    flagged: int = 0
    ran_on: Sequence[str] = ()
    measured: str = ""
    machines: Sequence[Machines] = ()
    power: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    @property
    def compared(self) -> list[Described]:
        """Those by which tactics are held against the baseline."""
        return compared(self.quantities)

    @property
    def tabled(self) -> list[Described]:
        """Those that the page's tables of measured figures show."""
        return in_tables(self.quantities)

    @property
    def tabled_narrow(self) -> list[Described]:
        """Those that a terminal and a printed page have room for."""
        return in_tables(self.quantities, narrow=True)

    @property
    def settings(self) -> list[Setting]:
        """Those of its cells, in order."""
        return list(dict.fromkeys(cell.setting for cell in self.cells))
