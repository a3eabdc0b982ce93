"""What a set of runs says: the plain values that tables, figures, page and advice are made of.

Nothing here computes. `compare` makes a `Study`; everything a reader sees is read off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Literal

from greenexp.quantities import QUANTITIES, compared, in_tables
from greenexp.quantities import Quantity as Described
from greenexp.runs.identity import BASELINE

Currency = Literal["j", "usd", "s"]


class Verdict(StrEnum):
    """What may be claimed of a ratio to the baseline."""

    LOWER = "lower"
    HIGHER = "higher"
    NOT_SHOWN = "no difference shown"
    TOO_FEW = "too few runs"


class PaybackVerdict(StrEnum):
    """What may be claimed of break-even."""

    AT_ONCE = "at once"  # applying the tactic is free
    PAYS_BACK = "pays back"
    NEVER = "never"  # the interval of the saving includes 0 or less
    ONE_BLOCK = "one block"  # there is no interval, so nothing is claimed


class EnergyBasis(Enum):
    """What joules are made of, by the least certain of their sources."""

    COUNTER = auto()  # hardware counters alone
    SAMPLED = auto()  # measured, at least in part by integrating sampled power
    ESTIMATED = auto()  # estimates alone
    MIXED = auto()  # an estimate in part, measured in part

    @property
    def holds_estimates(self) -> bool:
        """Whether any part of the joules is an estimate."""
        return self in (EnergyBasis.ESTIMATED, EnergyBasis.MIXED)


class LeftOutReason(StrEnum):
    """Why no figure is made of a run; the texts read on into the detail of `LeftOut`."""

    FAILED = "ended as"
    OLD = "recorded before runs said what they are compared with (no tag greenexp.peers)"
    SINGLE = "in no block of a sweep, so beside no baseline"
    FLAGGED = "flagged:"
    REPEATED = "measured again later"


class AdviceKind(Enum):
    """What is advised, or why nothing is."""

    DEPLOY = auto()
    KEEP_NOTHING_SHOWN = auto()  # keep the baseline: enough runs show no allowed tactic to save
    KEEP_TOO_FEW = auto()  # keep the baseline: too few runs tell the best tactic from chance
    KEEP_NOT_LOWER = auto()  # keep the baseline: no allowed tactic took less
    NO_BASELINE = auto()
    ONLY_BASELINE = auto()
    NO_PAIR = auto()  # no tactic shares a block with the baseline
    ONE_MODEL = auto()  # one model tells nothing of others
    TOO_FEW_MODELS = auto()


class Caveat(Enum):
    """What a reader must know of the top-1 of a tactic that is advised."""

    ERROR_UNKNOWN = auto()  # predictions on the same images are missing
    LARGER_DROP_POSSIBLE = auto()  # the interval holds larger drops than allowed


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """How many times a baseline's quantity a tactic's is.

    Attributes:
        ratio: geometric mean of the ratios of pairs; below 1 the tactic takes less.
        units: what was averaged over: blocks of one model, or models.
        interval: of the ratio; None below two units.
        p_value: that the ratio is 1, unadjusted; None below two units.
        adjusted_p: the same by Holm's procedure over the tactics that stand together.
        test: which test gave it.
        cliffs_delta: -1 where every run of the tactic took less than every one of the baseline.
        detectable: the saving, as a fraction, that would be shown with 80 % power.
        floor: how far, as a fraction, a ratio of two baselines can be from 1; None without A/A.
        verdict: what may be claimed.
    """

    ratio: float
    units: int
    interval: Interval | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    test: str | None = None
    cliffs_delta: float | None = None
    detectable: float | None = None
    floor: float | None = None
    verdict: Verdict = Verdict.TOO_FEW


@dataclass(frozen=True)
class Accuracy:
    """Top-1 of a tactic against the baseline's on the same images.

    Attributes:
        top1: fraction right under the tactic; of the overall line, None.
        delta: tactic less baseline, as a fraction of 1.
        interval: of delta, over images (one model) or over images and models (overall).
        images: judged by both; None where the predictions are gone.
        lost: images that only the baseline had right.
        gained: images that only the tactic had right.
        p_value: McNemar's exact, that neither is more often right; of the overall line, that the
            mean change over models is 0.
        models: how many models the overall change is of.
    """

    delta: float
    top1: float | None = None
    interval: Interval | None = None
    images: int | None = None
    lost: int | None = None
    gained: int | None = None
    p_value: float | None = None
    models: int = 1


@dataclass(frozen=True)
class Quantity:
    """A measured or priced figure of one cell: its mean over blocks."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Payback:
    """When applying a tactic has paid for itself, in one currency.

    Attributes:
        currency: joules, dollars or seconds.
        price: of applying the tactic once.
        saving: per image, against the baseline; negative where the tactic takes more.
        saving_interval: None below two blocks.
        images: break-even N at the point estimates; None where nothing is saved.
        interval: of N; its `high` is infinite where the saving can't be told from none; None below
            two blocks.
        verdict: what may be claimed.
    """

    currency: Currency
    price: float
    saving: float
    saving_interval: Interval | None
    images: float | None
    interval: Interval | None
    verdict: PaybackVerdict


@dataclass(frozen=True)
class Monthly:
    """What a tactic saves in a month of `requests_per_month` images; negative: it takes more."""

    kwh: Quantity | None
    usd: Quantity | None
    kg_co2e: Quantity | None
    hours: Quantity | None


@dataclass(frozen=True)
class Bill:
    """What serving costs over the months asked about, in dollars, applying the tactic included."""

    total_usd: Quantity
    baseline_usd: Quantity


@dataclass(frozen=True)
class Sensitivity:
    """The dollars (or kg CO2e, for carbon) saved a month when one price is another.

    Attributes:
        name: what is varied: electricity, rent, PUE, carbon.
        unit: of `values`.
        values: the price tried.
        saved: what a month then saves, for each value.
        saved_unit: USD or kg CO2e.
    """

    name: str
    unit: str
    values: Sequence[float]
    saved: Sequence[float]
    saved_unit: str


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
        bill: None where dollars are unknown.
        sensitivities: of the monthly saving.
        on_front: whether no other cell of the setting is shown to be better or equal in
            accuracy, energy and dollars and better in one; None where a figure is missing.
        energy_source: counter, sampled, model, or a mixture, as the runs say; None: no energy.
        cost_holds: which parts dollars hold; None: no dollars.
        run_ids: MLflow's, of the valid runs.
        doubts: of a cell that no comparison is made with: what stands against its runs.
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
    """One tactic over the models of one setting; the model is the unit."""

    setting: Setting
    tactic: str
    models: int
    effects: Mapping[str, Effect]
    accuracy: Accuracy | None


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
        tactic: to deploy; where the baseline is kept, the allowed one that took least, if any.
        effect: of that tactic on the metric.
        basis: of the tactic's energy; None where none was measured.
        saved: what the tactic saves in a month; over models the mean, the model being the unit.
        paybacks: of the tactic, one a model, as far as something may be claimed.
        accuracy: of the tactic against the baseline's; None where unknown.
        caveat: what must be said of the accuracy.
        models: how many there are to tell what holds for others.
        tactics: how many are tested together over models.
    """

    kind: AdviceKind
    setting: Setting
    model: str | None = None
    metric: str | None = None
    tactic: str | None = None
    effect: Effect | None = None
    basis: EnergyBasis | None = None
    saved: Monthly | None = None
    paybacks: Mapping[Currency, Sequence[Payback]] = field(default_factory=dict)
    accuracy: Accuracy | None = None
    caveat: Caveat | None = None
    models: int = 1
    tactics: int = 1


@dataclass(frozen=True)
class Study:
    """All that the report says.

    Attributes:
        title: what the runs are, e.g. the experiment's name.
        cells: each tactic on each model, baselines included; per setting and model the baseline
            first, then by energy ratio.
        overall: each tactic over models, per setting, best energy first.
        noise: A/A effects over all models of a setting, by setting's name and metric.
        aside: cells of runs that ended well and that no comparison is made with: single runs, and
            those that something stands against. They have figures alone.
        failures: runs that did not end well.
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
        made: ISO time of the report.
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
