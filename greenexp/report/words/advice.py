"""The sentences: which tactic to deploy, what it saves, when it pays back, or that none does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.words import format as wording
from greenexp.settings.report import Report
from greenexp.stats.paired import location
from greenexp.stats.power import units_needed
from greenexp.study.study import (
    Accuracy,
    Cell,
    Currency,
    Effect,
    Interval,
    Overall,
    Quantity,
    Setting,
)

SAVED = {"kwh": "kWh", "usd": "USD", "kg_co2e": "kg CO2e", "hours": "hours of the machine"}
WORTH = ("usd", "kwh", "hours")  # by which savings the tactics of a model are held together
CURRENCIES: dict[Currency, str] = {"j": "energy", "usd": "dollars", "s": "time"}


def sentences(cells: Sequence[Cell], overall: Sequence[Overall], options: Report) -> list[str]:
    """Returns a sentence for each model of each setting, then one for each setting over models."""
    result: list[str] = []
    by_setting: dict[Setting, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        by_setting[cell.setting][cell.model].append(cell)
    for setting, by_model in by_setting.items():
        at = f" on {setting.name}" if len(by_setting) > 1 else ""
        result += [of_model(model + at, found, options) for model, found in by_model.items()]
        lines = [line for line in overall if line.setting == setting]
        if lines:
            of_setting = [cell for found in by_model.values() for cell in found]
            result.append(over_models(at, lines, of_setting, options))
    return result


def of_model(model: str, cells: Sequence[Cell], options: Report) -> str:
    """Returns what to deploy for one model.

    The tactic is the one that saves most dollars a month (most kWh where dollars are unknown) among
    those shown to take less energy (less time, where none was measured) whose measured top-1 falls
    by at most `max_top1_drop`.
    """
    tried = [cell for cell in cells if not cell.is_baseline]
    if len(tried) == len(cells):
        return f"{model}: nothing can be said, for there is no valid baseline among the runs."
    if not tried:
        return f"{model}: nothing can be said, for there is only the baseline."
    compared = [cell for cell in tried if cell.effects]
    if not compared:
        return f"{model}: nothing can be said, for no tactic shares a block with the baseline."
    metric = ENERGY if any(ENERGY in cell.effects for cell in compared) else LATENCY
    allowed = [
        cell for cell in compared if metric in cell.effects and _within(cell.accuracy, options)
    ]
    shown = [cell for cell in allowed if cell.effects[metric].verdict == "lower"]
    if shown:
        return _deploy(f"{model}: ", _best(shown), metric, options)
    what = "energy" if metric == ENERGY else "time"
    none = (
        f"{model}: keep the baseline; no tactic is shown to take less {what} "
        f"at a top-1 drop of at most {_limit(options)}"
    )
    lower = [cell for cell in allowed if cell.effects[metric].ratio < 1]
    if not lower:
        return f"{none}."
    best = min(lower, key=lambda cell: cell.effects[metric].ratio)
    effect = best.effects[metric]
    seen = f"{best.tactic} took {_ratio(effect)} of the baseline's"
    blocks = wording.plural(effect.units, "block")
    if effect.verdict == "too few runs":
        return f"{none}: {seen}, but {blocks} can't tell that from chance."
    floor = ""
    if effect.floor is not None:
        floor = f", and two baselines differ by up to {wording.percentage(effect.floor)}"
    return f"{none}: {seen} over {blocks}, which is not shown to be real{floor}."


def over_models(at: str, lines: Sequence[Overall], cells: Sequence[Cell], options: Report) -> str:
    """Returns which tactic is shown to save over the models as a whole, if any.

    Args:
        at: where, in words; nothing where there is one setting.
        lines: of one setting.
        cells: of the same.
        options: what is asked and assumed.
    """
    where = f"Over models{at}"
    metric = ENERGY if any(ENERGY in line.effects for line in lines) else LATENCY
    found = [line for line in lines if metric in line.effects]
    models = max((line.effects[metric].units for line in found), default=0)
    if models == 1:
        return f"{where}: one model tells nothing of others; sweep model=all."
    allowed = [line for line in found if _within(line.accuracy, options)]
    shown = [line for line in allowed if line.effects[metric].verdict == "lower"]
    if shown:
        best = min(shown, key=lambda line: line.effects[metric].ratio)
        its = [cell for cell in cells if cell.tactic == best.tactic and metric in cell.effects]
        return _deploy_everywhere(f"{where}: ", best, its, metric, options)
    needed = units_needed(len(found))
    if models < needed:
        return (
            f"{where}: {models} models can't show what holds for others; with "
            f"{wording.plural(len(found), 'tactic')} at least {needed} are needed."
        )
    what = "energy" if metric == ENERGY else "time"
    return (
        f"{where}: keep the baseline; no tactic is shown to take less {what} "
        f"at a mean top-1 drop of at most {_limit(options)}."
    )


def _limit(options: Report) -> str:
    return wording.points(options.max_top1_drop).removeprefix("+")


def _within(accuracy: Accuracy | None, options: Report) -> bool:
    """Tells whether the measured drop of top-1 is allowed; rounding is no drop."""
    return accuracy is not None and accuracy.delta >= -options.max_top1_drop - 1e-9


def _best(shown: Sequence[Cell]) -> Cell:
    """Returns the cell that saves most of the first that is known of all."""
    for name in WORTH:
        saved = [wording.saved(cell.monthly, name) for cell in shown]
        known = [one.value for one in saved if one is not None]
        if len(known) == len(shown):
            return shown[known.index(max(known))]
    return shown[0]


def _deploy(who: str, cell: Cell, metric: str, options: Report) -> str:
    saved = {name: wording.saved(cell.monthly, name) for name in SAVED}
    images = None if cell.accuracy is None else cell.accuracy.images
    return _joined(
        f"{who}deploy {cell.tactic}, {_takes(cell.effects[metric], metric, [cell])}",
        _month(saved, options),
        _payback(cell),
        _top1(cell.accuracy, options, None if images is None else f"{images:,} images"),
    )


def _deploy_everywhere(
    who: str, line: Overall, cells: Sequence[Cell], metric: str, options: Report
) -> str:
    """Returns the same over models: savings are the mean over models, the model being the unit."""
    by_model: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_model[cell.model].append(cell)
    saved = {name: _mean(list(by_model.values()), name) for name in SAVED}
    models = wording.plural(line.effects[metric].units, "model")
    month = _month(saved, options)
    return _joined(
        f"{who}deploy {line.tactic}, {_takes(line.effects[metric], metric, cells)} over {models}",
        month and f"{month} on average over the models",
        _paybacks(cells),
        _top1(line.accuracy, options, f"{line.accuracy.models} models" if line.accuracy else None),
    )


def _joined(*clauses: str) -> str:
    return f"{'; '.join(filter(None, clauses))}."


def _takes(effect: Effect, metric: str, cells: Sequence[Cell]) -> str:
    said = f"which takes {_ratio(effect)} of the baseline's "
    if metric != ENERGY:
        return f"{said}latency"
    estimated = any(wording.is_estimate(cell.energy_source) for cell in cells)
    return f"{said}energy an image{' (estimated)' if estimated else ''}"


def _ratio(effect: Effect) -> str:
    return wording.joined(wording.ratio(effect), wording.ratio_span(effect))


def _mean(models: Sequence[Sequence[Cell]], name: str) -> Quantity | None:
    """Returns the mean saving over models; None where it is unknown of one."""
    means = []
    for cells in models:
        saved = [wording.saved(cell.monthly, name) for cell in cells]
        known = [one.value for one in saved if one is not None]
        if len(known) < len(saved):
            return None
        means.append(sum(known) / len(known))
    found = location(means)
    if found.low is None or found.high is None:
        return Quantity(found.mean)
    return Quantity(found.mean, Interval(found.low, found.high))


def _month(saved: Mapping[str, Quantity | None], options: Report) -> str:
    known = {SAVED[name]: one for name, one in saved.items() if one is not None}
    less = [_amount(one, unit) for unit, one in known.items() if one.value >= 0]
    more = [_amount(_negative(one), unit) for unit, one in known.items() if one.value < 0]
    said = [f"saves {wording.listing(less)}"] if less else []
    said += [f"takes {wording.listing(more)} more"] if more else []
    images = wording.requests(options.requests_per_month)
    return f"at {images} images a month it {' and '.join(said)}" if said else ""


def _amount(one: Quantity, unit: str) -> str:
    return wording.joined(f"{wording.quantity(one)} {unit}", wording.quantity_span(one))


def _negative(one: Quantity) -> Quantity:
    ends = one.interval
    return Quantity(-one.value, None if ends is None else Interval(-ends.high, -ends.low))


def _payback(cell: Cell) -> str:
    parts = []
    for currency, name in CURRENCIES.items():
        found = cell.paybacks.get(currency)
        if found is None or found.verdict == "one block":
            continue
        span = wording.payback_span(found) if found.verdict == "pays back" else ""
        parts.append(f"{wording.joined(wording.payback(found), span)} in {name}")
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _paybacks(cells: Sequence[Cell]) -> str:
    """Returns for how many models it pays back, and the least and the most images that takes."""
    parts = []
    for currency, name in CURRENCIES.items():
        found = [cell.paybacks[currency] for cell in cells if currency in cell.paybacks]
        known = [one for one in found if one.verdict != "one block"]
        paid = [one.images or 0.0 for one in known if one.verdict in ("pays back", "at once")]
        if known:
            said = f"for {len(paid)} of {wording.plural(len(known), 'model')} in {name}"
            parts.append(wording.joined(said, _wait(paid)))
    return f"applying it pays back {wording.listing(parts)}" if parts else ""


def _wait(images: Sequence[float]) -> str:
    """Returns the least and the most images of some models; nothing without any."""
    if not images:
        return ""
    if max(images) == 0:
        return "at once"
    return f"after {wording.span(Interval(min(images), max(images)), wording.count)} images"


def _top1(accuracy: Accuracy | None, options: Report, judged: str | None) -> str:
    """Returns the change of top-1, and whether what was judged allows for a larger drop.

    Args:
        accuracy: the change.
        options: with the limit.
        judged: what the interval is over, in words.
    """
    if accuracy is None:
        return ""
    changes = wording.joined(wording.points(accuracy.delta), wording.points_span(accuracy.interval))
    said = f"top-1 changes by {changes}"
    if accuracy.interval is None:
        return f"{said}, whose error is unknown, for predictions on the same images are missing"
    if judged is not None and accuracy.interval.low < -options.max_top1_drop:
        return f"{said}, and {judged} can't rule out a larger drop than allowed"
    return said
