"""What to advise: which tactic to deploy, or why to keep the baseline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields

from greenexp.quantities import ENERGY, LATENCY
from greenexp.settings.report import Report
from greenexp.stats.paired import location
from greenexp.stats.power import units_needed
from greenexp.study.basis import energy_basis
from greenexp.study.estimates import Accuracy, Interval, Quantity
from greenexp.study.savings import Currency, Monthly, Payback
from greenexp.study.study import Advice, Cell, Overall, Setting
from greenexp.study.verdicts import AdviceKind, Caveat, PaybackVerdict, Verdict

UNDECIDED = (Verdict.NOT_SHOWN, Verdict.TOO_FEW)
WORTH = ("usd", "kwh", "hours")  # by which savings the tactics of a model are held together
ROUNDING = 1e-9  # of a change of top-1; it is no drop


def advice(cells: Sequence[Cell], overall: Sequence[Overall], options: Report) -> list[Advice]:
    """Returns for each setting the advice on each model, then that over models.

    Args:
        cells: each tactic on each model.
        overall: each tactic over models.
        options: the largest drop of top-1 that is allowed.
    """
    result: list[Advice] = []
    by_setting: dict[Setting, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        by_setting[cell.setting][cell.model].append(cell)
    for setting, by_model in by_setting.items():
        result += [of_model(members, options) for members in by_model.values()]
        lines = [line for line in overall if line.setting == setting]
        if lines:
            of_setting = [cell for members in by_model.values() for cell in members]
            result.append(over_models(lines, of_setting, options))
    return result


def of_model(cells: Sequence[Cell], options: Report) -> Advice:
    """Returns what to deploy for one model.

    The tactic is the one that saves most dollars a month (most kWh where dollars are unknown) among
    those shown to take less energy (less time, where none was measured) whose measured top-1 falls
    by at most `max_top1_drop`.

    Args:
        cells: of one model in one setting; at least one.
        options: the largest drop of top-1 that is allowed.
    """
    setting, model = cells[0].setting, cells[0].model
    tried = [cell for cell in cells if not cell.is_baseline]
    if len(tried) == len(cells):
        return Advice(AdviceKind.NO_BASELINE, setting, model)
    if not tried:
        return Advice(AdviceKind.ONLY_BASELINE, setting, model)
    compared = [cell for cell in tried if cell.effects]
    if not compared:
        return Advice(AdviceKind.NO_PAIR, setting, model)
    metric = ENERGY if any(ENERGY in cell.effects for cell in compared) else LATENCY
    allowed = [
        cell for cell in compared if metric in cell.effects and _within(cell.accuracy, options)
    ]
    shown = [cell for cell in allowed if cell.effects[metric].verdict == Verdict.LOWER]
    if shown:
        return _deploy(_best(shown), metric, options)
    effects = {cell.tactic: cell.effects[metric] for cell in allowed}
    open_ = {
        tactic: effects[tactic]
        for tactic in sorted(effects)
        if effects[tactic].verdict in UNDECIDED
    }
    if not open_:
        return Advice(AdviceKind.KEEP_NOT_LOWER, setting, model, metric)
    few = all(effect.verdict == Verdict.TOO_FEW for effect in open_.values())
    kind = AdviceKind.KEEP_TOO_FEW if few else AdviceKind.KEEP_NOTHING_SHOWN
    return Advice(kind, setting, model, metric, undecided=open_)


def over_models(lines: Sequence[Overall], cells: Sequence[Cell], options: Report) -> Advice:
    """Returns which tactic is shown to save over the models as a whole, if any.

    Args:
        lines: of one setting; at least one.
        cells: of the same.
        options: the largest mean drop of top-1 that is allowed.
    """
    setting = lines[0].setting
    metric = ENERGY if any(ENERGY in line.effects for line in lines) else LATENCY
    candidates = [line for line in lines if metric in line.effects]
    models = max((line.effects[metric].units for line in candidates), default=0)
    if models == 1:
        return Advice(AdviceKind.ONE_MODEL, setting, metric=metric)
    allowed = [line for line in candidates if _within(line.accuracy, options)]
    shown = [line for line in allowed if line.effects[metric].verdict == Verdict.LOWER]
    if shown:
        best = min(shown, key=lambda line: line.effects[metric].ratio)
        its = [cell for cell in cells if cell.tactic == best.tactic and metric in cell.effects]
        return _deploy_everywhere(best, its, metric, options)
    few = models < units_needed(len(candidates))
    kind = AdviceKind.TOO_FEW_MODELS if few else AdviceKind.KEEP_NOTHING_SHOWN
    return Advice(kind, setting, metric=metric, models=models, tactics=len(candidates))


def _within(accuracy: Accuracy | None, options: Report) -> bool:
    """Tells whether the measured drop of top-1 is allowed."""
    return accuracy is not None and accuracy.delta >= -options.max_top1_drop - ROUNDING


def _best(shown: Sequence[Cell]) -> Cell:
    """Returns the cell that saves most of the first of WORTH that is known of all."""
    for name in WORTH:
        saved = [_saved(cell, name) for cell in shown]
        known = [saving.value for saving in saved if saving is not None]
        if len(known) == len(shown):
            return shown[known.index(max(known))]
    return shown[0]


def _deploy(cell: Cell, metric: str, options: Report) -> Advice:
    images = None if cell.accuracy is None else cell.accuracy.images
    return Advice(
        AdviceKind.DEPLOY,
        cell.setting,
        model=cell.model,
        metric=metric,
        tactic=cell.tactic,
        effect=cell.effects[metric],
        basis=energy_basis([cell.energy_source]),
        saved=cell.monthly,
        occupancy=cell.occupancy,
        paybacks=_paybacks([cell]),
        accuracy=cell.accuracy,
        caveat=_caveat(cell.accuracy, images, options),
    )


def _deploy_everywhere(
    line: Overall, cells: Sequence[Cell], metric: str, options: Report
) -> Advice:
    by_model: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_model[cell.model].append(cell)
    models = list(by_model.values())
    return Advice(
        AdviceKind.DEPLOY,
        line.setting,
        metric=metric,
        tactic=line.tactic,
        effect=line.effects[metric],
        basis=energy_basis(cell.energy_source for cell in cells),
        saved=Monthly(**{field.name: _mean(models, field.name) for field in fields(Monthly)}),
        paybacks=_paybacks(cells),
        accuracy=line.accuracy,
        caveat=_caveat(
            line.accuracy, None if line.accuracy is None else line.accuracy.models, options
        ),
        models=line.effects[metric].units,
    )


def _paybacks(cells: Sequence[Cell]) -> dict[Currency, list[Payback]]:
    """Returns the paybacks of which something may be claimed, by currency."""
    paybacks: dict[Currency, list[Payback]] = defaultdict(list)
    for cell in cells:
        for currency, payback in cell.paybacks.items():
            if payback.verdict != PaybackVerdict.ONE_BLOCK:
                paybacks[currency].append(payback)
    return dict(paybacks)


def _caveat(accuracy: Accuracy | None, judged: int | None, options: Report) -> Caveat | None:
    """Returns what must be said of a change of top-1.

    Args:
        accuracy: the change.
        judged: how many images, or models, its interval is over; None where unknown.
        options: the largest drop that is allowed.
    """
    if accuracy is None:
        return None
    if accuracy.interval is None:
        return Caveat.ERROR_UNKNOWN
    if judged is not None and accuracy.interval.low < -options.max_top1_drop:
        return Caveat.LARGER_DROP_POSSIBLE
    return None


def _mean(models: Sequence[Sequence[Cell]], name: str) -> Quantity | None:
    """Returns the mean saving over models; None where it is unknown of one."""
    means = []
    for cells in models:
        saved = [_saved(cell, name) for cell in cells]
        known = [saving.value for saving in saved if saving is not None]
        if len(known) < len(saved):
            return None
        means.append(sum(known) / len(known))
    estimate = location(means)
    if estimate.low is None or estimate.high is None:
        return Quantity(estimate.mean)
    return Quantity(estimate.mean, Interval(estimate.low, estimate.high))


def _saved(cell: Cell, name: str) -> Quantity | None:
    quantity: Quantity | None = None if cell.monthly is None else getattr(cell.monthly, name)
    return quantity
