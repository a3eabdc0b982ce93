"""What to advise: which tactic to deploy, or why to keep the baseline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from greenexp.quantities import ENERGY, LATENCY
from greenexp.settings.report import Report
from greenexp.stats.paired import location
from greenexp.stats.power import units_needed
from greenexp.study.basis import energy_basis
from greenexp.study.estimates import Accuracy, Interval, Quantity
from greenexp.study.savings import Currency, Monthly, Payback
from greenexp.study.study import Advice, Cell, Overall, Setting
from greenexp.study.undecided import BlockPace, is_settled, more_blocks
from greenexp.study.verdicts import AdviceKind, Caveat, PaybackVerdict, Verdict

WORTH = ("usd", "kwh", "hours")  # by which savings the tactics of a model are held together
ROUNDING = 1e-9  # of a change of top-1; it is no drop


def advice(
    cells: Sequence[Cell],
    overall: Sequence[Overall],
    options: Report,
    paces: Mapping[tuple[Setting, str], BlockPace] | None = None,
) -> list[Advice]:
    """Returns for each setting the advice on each model, then that over models.

    Args:
        cells: each tactic on each model.
        overall: each tactic over models.
        options: the largest drop of top-1 that is allowed, and the margin within which nothing
            else is better where the baseline is kept.
        paces: of the blocks of each model of each setting; None: unknown.
    """
    result: list[Advice] = []
    by_setting: dict[Setting, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        by_setting[cell.setting][cell.model].append(cell)
    for setting, by_model in by_setting.items():
        for model, members in by_model.items():
            result.append(of_model(members, options, (paces or {}).get((setting, model))))
        lines = [line for line in overall if line.setting == setting]
        if lines:
            of_setting = [cell for members in by_model.values() for cell in members]
            result.append(over_models(lines, of_setting, options))
    return result


def of_model(cells: Sequence[Cell], options: Report, pace: BlockPace | None = None) -> Advice:
    """Returns what to deploy for one model.

    The tactic is the one that saves most dollars a month (most kWh where dollars are unknown) among
    those shown to take less energy (less time, where none was measured) whose measured top-1 falls
    by at most `max_top1_drop`. The baseline is kept where each of the others is shown not to save
    more than `equal_within`.

    Args:
        cells: of one model in one setting; at least one.
        options: see `advice`.
        pace: of its blocks; None: unknown.
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
    shown = [
        cell
        for cell in compared
        if metric in cell.effects
        and cell.effects[metric].verdict == Verdict.LOWER
        and _within(cell.accuracy, options)
    ]
    if shown:
        return _deploy(_best(shown), metric, options)
    kept = _without_a_tactic(tried, metric, options, setting, model)
    kept = replace(kept, doubts=_doubts(compared))
    if kept.kind is AdviceKind.KEEP or kept.uncompared:
        return kept
    tactics = sum(metric in cell.effects for cell in tried)
    blocks = more_blocks(kept.undecided, tactics, options.equal_within)
    if blocks is None:
        return kept
    return replace(
        kept,
        blocks=blocks,
        repetitions=None if pace is None else pace.last + blocks,
        blocks_s=None if pace is None or pace.block_s is None else pace.block_s * blocks,
    )


def over_models(lines: Sequence[Overall], cells: Sequence[Cell], options: Report) -> Advice:
    """Returns which tactic is shown to save over the models as a whole, if any.

    Args:
        lines: of one setting; at least one.
        cells: of the same.
        options: see `advice`.
    """
    setting = lines[0].setting
    metric = ENERGY if any(ENERGY in line.effects for line in lines) else LATENCY
    candidates = [line for line in lines if metric in line.effects]
    models = max((line.effects[metric].units for line in candidates), default=0)
    allowed = [line for line in candidates if _within(line.accuracy, options)]
    shown = [line for line in allowed if line.effects[metric].verdict == Verdict.LOWER]
    if shown:
        best = min(shown, key=lambda line: line.effects[metric].ratio)
        its = [cell for cell in cells if cell.tactic == best.tactic and metric in cell.effects]
        return _deploy_everywhere(best, its, metric, options)
    if models < units_needed(len(candidates)):
        few = AdviceKind.TOO_FEW_MODELS
        return Advice(few, setting, metric=metric, models=models, tactics=len(candidates))
    kept = _without_a_tactic(lines, metric, options, setting, None)
    return replace(kept, models=models, tactics=len(candidates), doubts=_doubts(lines))


def _without_a_tactic(
    tried: Sequence[Cell] | Sequence[Overall],
    metric: str,
    options: Report,
    setting: Setting,
    model: str | None,
) -> Advice:
    """Returns whether the baseline is kept where no tactic is shown to save, or what is open."""
    refused = {
        each.tactic: each.accuracy
        for each in tried
        if each.accuracy is not None and not _within(each.accuracy, options)
    }
    allowed = sorted(
        (each for each in tried if each.tactic not in refused), key=lambda each: each.tactic
    )
    effects = {each.tactic: each.effects[metric] for each in allowed if metric in each.effects}
    settled = {
        tactic: effect
        for tactic, effect in effects.items()
        if is_settled(effect, options.equal_within)
    }
    undecided = {tactic: effects[tactic] for tactic in effects if tactic not in settled}
    uncompared = [each.tactic for each in allowed if metric not in each.effects]
    return Advice(
        AdviceKind.UNDECIDED if undecided or uncompared else AdviceKind.KEEP,
        setting,
        model,
        metric,
        undecided=undecided,
        uncompared=uncompared,
        settled=settled,
        refused=refused,
        margin=options.equal_within,
    )


def _doubts(members: Sequence[Cell] | Sequence[Overall]) -> list[str]:
    return list(dict.fromkeys(doubt for each in members for doubt in each.doubts))


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
        doubts=cell.doubts,
        cost_holds=cell.cost_holds,
    )


def _deploy_everywhere(
    line: Overall, cells: Sequence[Cell], metric: str, options: Report
) -> Advice:
    holds = sorted({cell.cost_holds for cell in cells if cell.cost_holds})
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
        doubts=line.doubts,
        cost_holds="; ".join(holds) or None,
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
