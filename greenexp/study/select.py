"""The runs that count, at the prices asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from greenexp.quantities import (
    CARBON,
    COST,
    ENERGY,
    OPTIMIZATION_J,
    OPTIMIZATION_S,
    OPTIMIZATION_USD,
    QUANTITIES,
    THROUGHPUT,
    with_own,
)
from greenexp.runs import cost as money
from greenexp.runs.identity import BASELINE
from greenexp.runs.rounds import SECONDS
from greenexp.runs.run import Run
from greenexp.settings.hardware import Hardware
from greenexp.study.counted import against, latest, why_left_out
from greenexp.study.economics import MILLION, Expense, Prices
from greenexp.study.labels import Labels
from greenexp.study.study import LeftOut, Setting

MENTIONED = 3  # examples of runs left out
PRICED = (COST, CARBON, OPTIMIZATION_USD)  # made anew at the prices asked for
Reprice = Callable[[Hardware], Hardware]  # a preset to the one to price with


@dataclass(frozen=True)
class PricedRun:
    """A run that counts, at the prices asked for.

    Attributes:
        id: MLflow's.
        setting: what else is the same for runs compared.
        model: label.
        tactic: label; `baseline` for the baseline.
        peers: equal for runs that differ in their tactic alone.
        machine: that measured; runs are compared with peers of one machine.
        conditions: there; likewise.
        origin: the store or journal that holds it, where there are several.
        sweep: that it belongs to.
        block: complete block of a sweep.
        replicate: from 2 for the further processes of a cell in its block.
        figures: measured and priced, by the metrics' names; absent is absent.
        image: what an image takes; None where speed was not measured.
        applying: what applying the tactic took; None likewise.
        prices: of the machine.
        energy_source: as tagged.
        together: equal for runs that were measured together; None: measured alone.
        rounds: what it took in each round, by metric, priced; see `Run.rounds`.
        mismatch: whether the prices are of another device than the one that ran.
        doubts: what stands against it, but for what is harmless; see `counted`.
        seconds: that the run took; None where that is not known.
    """

    id: str
    setting: Setting
    model: str
    tactic: str
    peers: str
    machine: str
    block: int
    replicate: int
    figures: Mapping[str, float]
    image: Expense | None
    applying: Expense | None
    prices: Prices
    energy_source: str | None
    mismatch: bool
    together: str | None = None
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    conditions: str = ""
    origin: str | None = None
    sweep: str | None = None
    doubts: Sequence[str] = ()
    seconds: float | None = None

    @property
    def place(self) -> str:
        """Equal for runs that are compared with each other: measured together, or in one block.

        Each sweep, and so each store and journal, counts its blocks from 1.
        """
        apart = " ".join(filter(None, [str(self.block), self.sweep, self.origin]))
        return self.together or apart

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.tactic == BASELINE

    @property
    def is_repeat(self) -> bool:
        """Whether it is a further baseline of its block (A/A)."""
        return self.is_baseline and self.replicate > 1


def own_prices(own: Hardware) -> Hardware:
    """Returns a run's preset as it is."""
    return own


def priced(
    runs: Sequence[Run],
    labels: Mapping[str, Labels],
    *,
    reprice: Reprice = own_prices,
    label: str | None = None,
    keep_flagged: bool = False,
) -> tuple[list[PricedRun], list[LeftOut]]:
    """Returns the runs that figures are made of, and why others are not.

    Args:
        runs: all there are.
        labels: what the cell of each is called.
        reprice: a preset to the one to price with.
        label: what the settings call that; None: the run's own choice.
        keep_flagged: whether runs that something stands against count as well.
    """
    names = {cell: f"{called.model} · {called.tactic}" for cell, called in labels.items()}
    counted, left = latest(runs, {cell: of.tactic for cell, of in labels.items()}, keep_flagged)
    presets = _presets(counted, reprice)
    used = [_priced(run, labels[run.cell], presets[run.cell], label) for run in counted]
    left_out = [
        LeftOut(*reason, len(those), [names[run.cell] for run in those[:MENTIONED]])
        for reason, those in left.items()
    ]
    return _told_apart(used), sorted(left_out, key=lambda exclusion: exclusion.reason)


def stand_aside(
    runs: Sequence[Run],
    labels: Mapping[str, Labels],
    *,
    reprice: Reprice = own_prices,
    label: str | None = None,
    keep_flagged: bool = False,
) -> list[PricedRun]:
    """Returns the runs that ended well and count in no comparison; arguments as `priced`."""
    aside = [
        run for run in runs if run.outcome == "ok" and why_left_out(run, keep_flagged) is not None
    ]
    presets = _presets(aside, reprice)
    return [_priced(run, labels[run.cell], presets[run.cell], label) for run in aside]


def _presets(runs: Iterable[Run], reprice: Reprice) -> dict[str, Hardware]:
    """Returns what each cell is priced with; the last of its runs speaks for it."""
    speakers = {run.cell: run for run in runs}
    return {cell: reprice(run.hardware) for cell, run in speakers.items()}


def _priced(run: Run, called: Labels, preset: Hardware, label: str | None) -> PricedRun:
    device, cpu = run.device or "cpu", run.cpu or ""
    own = called.hardware
    setting = Setting(
        dataset=called.dataset,
        hardware=own if label is None or label == own else f"{label} (measured as {own})",
        workload=called.workload,
        machine=", ".join(run.gpus) if device == "cuda" else cpu or run.machine or "",
        varied=called.setting_varied,
    )
    prices = Prices(preset, money.share(preset, device))
    figures = {
        quantity.name: run.metrics[quantity.name]
        for quantity in (with_own(run.quantities) if run.quantities else QUANTITIES)
        if quantity.name in run.metrics and quantity.name not in PRICED
    }
    image = applying = None
    if figures.get(THROUGHPUT):
        image = Expense(1 / figures[THROUGHPUT], figures.get(ENERGY))
        figures |= _known({COST: _times(prices.usd(image)), CARBON: _times(prices.grams(image))})
    if OPTIMIZATION_S in figures:
        applying = Expense(figures[OPTIMIZATION_S], figures.get(OPTIMIZATION_J))
        figures |= _known({OPTIMIZATION_USD: prices.usd(applying)})
    return PricedRun(
        id=run.tracked or run.id,
        setting=setting,
        model=called.model,
        tactic=called.tactic,
        peers=run.peers or "",
        machine=run.machine or "",
        block=run.block or 0,
        replicate=run.replicate,
        figures=figures,
        image=image,
        applying=applying,
        prices=prices,
        energy_source=run.energy_source,
        mismatch=not money.matches(preset, device=device, cpu=cpu, gpus=run.gpus),
        together=run.together,
        rounds=_priced_rounds(run.rounds, prices),
        conditions=run.conditions or "",
        origin=run.origin,
        sweep=run.sweep,
        doubts=against(run),
        seconds=run.seconds,
    )


def _priced_rounds(
    rounds: Mapping[str, Sequence[float]], prices: Prices
) -> Mapping[str, Sequence[float]]:
    """Returns what a run took in each round, with its dollars."""
    if SECONDS not in rounds:
        return rounds
    joules = rounds.get(ENERGY, [None] * len(rounds[SECONDS]))
    spent = [Expense(s, j) for s, j in zip(rounds[SECONDS], joules, strict=True)]
    usd = [prices.usd(expense) for expense in spent]
    known = [value * MILLION for value in usd if value is not None]
    return {**rounds, COST: known} if len(known) == len(usd) else rounds


def _told_apart(used: Sequence[PricedRun]) -> list[PricedRun]:
    """Returns the runs; settings of one name are told apart by machine, then by its conditions."""
    machines: dict[str, dict[str, str]] = defaultdict(dict)  # by setting and fingerprint
    for run in used:
        machines[run.setting.name][run.machine] = run.setting.machine
    runs = [
        run if len(of_name := machines[run.setting.name]) == 1 else _on_machine(run, of_name)
        for run in used
    ]
    conditions: dict[str, list[set[str]]] = defaultdict(list)
    for run in runs:
        conditions[run.setting.name].append(_conditions(run))
    shared = {name: set.intersection(*each) for name, each in conditions.items()}
    return [_under_conditions(run, shared[run.setting.name]) for run in runs]


def _conditions(run: PricedRun) -> set[str]:
    return set(filter(None, run.conditions.split(", ")))


def _under_conditions(run: PricedRun, shared: Collection[str]) -> PricedRun:
    own = [words for words in run.conditions.split(", ") if words and words not in shared]
    return _varied(run, ", ".join(own)) if own else run


def _on_machine(run: PricedRun, machines: Mapping[str, str]) -> PricedRun:
    fingerprint, machine = run.machine, run.setting.machine
    if list(machines.values()).count(machine) > 1:
        machine = f"{machine} {fingerprint}"
    return _varied(run, machine)


def _varied(run: PricedRun, by: str) -> PricedRun:
    """Returns the run with what its setting varies by besides."""
    words = filter(None, [run.setting.varied, by])
    return replace(run, setting=replace(run.setting, varied=" · ".join(words)))


def _times(per_image: float | None) -> float | None:
    return None if per_image is None else per_image * MILLION


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}
