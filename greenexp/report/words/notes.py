"""What a reader must know of the runs, and what to run next."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from greenexp.quantities import ENERGY, LATENCY
from greenexp.report.words.format import listing, percentage, plural, share
from greenexp.runs.cost import hourly_usd
from greenexp.settings.hardware import Hardware
from greenexp.stats.power import units_needed
from greenexp.study.basis import energy_basis
from greenexp.study.blocks import blocks_needed
from greenexp.study.estimates import Effect
from greenexp.study.pairs import groups
from greenexp.study.select import PricedRun
from greenexp.study.study import Advice, Cell, LeftOut
from greenexp.study.verdicts import AdviceKind, LeftOutReason, Verdict

MOST_BLOCKS = 20  # that are proposed
TELLING_SHARE = 0.1  # of rounds that do not count
SWEEP = "python -m greenexp -m model=all tactic=all"
QUIET = (
    "the same command on a quiet machine measures them again, or let flagged runs count with "
    "report.keep_flagged=true"
)


def notes(used: Sequence[PricedRun], cells: Sequence[Cell], repriced: str | None) -> list[str]:
    """Returns what a reader must know of sources, prices and noise.

    Args:
        used: the runs.
        cells: made of them.
        repriced: what the prices are, where they are not the runs' own.
    """
    if not used:
        return []
    sentences = [*_of_energy(used)]
    machines = "; ".join(sorted({run.setting.machine for run in used if run.setting.machine}))
    if repriced is not None:
        sentences.append(
            f"Prices: {repriced}, given to this report; seconds and joules stay those measured on "
            f"{machines or 'the machine that ran'}."
        )
    if any(run.mismatch for run in used):
        sentences.append(
            "These prices are of another device than the one that ran, so the dollars are not that "
            f"machine's: measured on {machines or 'a machine that was not recorded'}."
        )
    return [*sentences, *_of_rounds(used), _of_dollars(cells)]


def of_flagged(used: Sequence[PricedRun]) -> list[str]:
    """Returns what stands against runs that count all the same; nothing where nothing does."""
    flagged = [run for run in used if run.doubts]
    if not flagged:
        return []
    doubts = sorted({doubt for run in flagged for doubt in run.doubts})
    are, count = ("is", "counts") if len(flagged) == 1 else ("are", "count")
    return [
        f"{len(flagged)} of {plural(len(used), 'run')} {are} flagged ({', '.join(doubts)}) and "
        f"{count} all the same, for report.keep_flagged=true."
    ]


def of_sources(names: Sequence[str], shared: int) -> list[str]:
    """Returns where the runs are from, if from several stores and journals.

    Args:
        names: of the stores and journals.
        shared: how many runs stand in more than one of them.
    """
    if len(names) < 2:
        return []
    twice = ""
    if shared:
        stand = "stands" if shared == 1 else "stand"
        twice = f"; {plural(shared, 'run')} that {stand} in several of them counted once"
    return [f"Runs of {listing(names)}{twice}."]


def _of_energy(used: Sequence[PricedRun]) -> list[str]:
    sources = sorted({run.energy_source for run in used if run.energy_source})
    if not sources:
        return [
            "Energy: none of these runs measured any, so there is no energy ratio, no carbon and "
            "no break-even in joules."
        ]
    sentences = [f"Energy: {'; '.join(sources)}."]
    made_of = energy_basis(sources)
    if made_of is not None and made_of.holds_estimates:
        sentences[0] += (
            " What is marked `model` is an estimate from CPU utilization and rated power, no "
            "measurement; it compares runs on one machine."
        )
    both = [pair for group in groups(used) for pair in group.every_pair()]
    apart = sum(run.energy_source != base.energy_source for run, base in both)
    if apart:
        sentences.append(
            f"Energy is not compared in {plural(apart, 'pair')} of {len(both)}: tactic and "
            "baseline have it from different sources, or one of them has none."
        )
    return sentences


def _of_rounds(used: Sequence[PricedRun]) -> list[str]:
    most, model = max((group.slow_share(), group.model) for group in groups(used))
    if most < TELLING_SHARE:
        return []
    return [
        "Ratios are those of the machine's fast state: rounds in which it was slower do not count, "
        f"at most {share(most)} of a comparison's ({model})."
    ]


def _of_dollars(cells: Sequence[Cell]) -> str:
    holds = {cell.cost_holds for cell in cells if cell.cost_holds}
    if not holds:
        return (
            "Dollars are absent: nothing that was measured has a price; give "
            "hardware.price.usd_per_hour=… or a hardware preset."
        )
    if holds == {"electricity"}:
        return (
            "Dollars hold electricity only: the machine has no price; give "
            "hardware.price.usd_per_hour=… or a hardware preset."
        )
    return (
        f"Dollars hold: {'; '.join(sorted(holds))}. Those of the machine are of the hours it "
        "computes, and saved only where these are what is paid: a machine rented by the month "
        "costs the same either way."
    )


def next_steps(
    used: Sequence[PricedRun],
    cells: Sequence[Cell],
    left_out: Sequence[LeftOut],
    advised: Sequence[Advice] = (),
) -> list[str]:
    """Returns what is missing for claims, and the command that adds it.

    Args:
        used: the runs.
        cells: made of them.
        left_out: runs that are not used.
        advised: on the cells; it says itself how many blocks decide on a single model.
    """
    if not used:
        return [_nothing_used(left_out)]
    steps = []
    baselines = {(cell.setting, cell.model) for cell in cells if cell.is_baseline}
    without = sorted({c.model for c in cells if (c.setting, c.model) not in baselines})
    if without:
        steps.append(
            f"No valid baseline of {listing(without)}, so nothing can be compared: run the sweep "
            "with tactic=baseline among its tactics."
        )
    if all(cell.is_baseline for cell in cells):
        steps.append(f"Only baselines can be used: sweep tactics beside them, e.g. {SWEEP}.")
    alone = len({(each.setting, each.model) for each in advised}) == 1
    if not (alone and advised[0].kind is AdviceKind.UNDECIDED and advised[0].repetitions):
        steps += _blocks(used, cells)
    if not any(run.is_repeat for run in used) and not all(cell.is_baseline for cell in cells):
        steps.append(
            "There is no A/A pair of baselines, so the noise floor is unknown: a sweep over the "
            "baseline and a tactic makes one."
        )
    if not any(run.energy_source for run in used):
        steps.append(
            "No energy source was at hand: keep meters.cpu_estimate for an estimate, or run where "
            "RAPL or an NVIDIA GPU can be read."
        )
    flagged = _flagged(left_out)
    if flagged:
        were = "was" if flagged == 1 else "were"
        steps.append(f"{plural(flagged, 'run')} {were} flagged and left out: {QUIET}.")
    return steps


def _blocks(used: Sequence[PricedRun], cells: Sequence[Cell]) -> list[str]:
    """Returns how many blocks are missing, for claims about single models."""
    together = [effect for cell in cells for effect in _deciding(cell) if effect.margin is not None]
    if together:
        return _undecided(together)
    tactics = Counter((c.setting, c.model) for c in cells if not c.is_baseline)
    most = max(tactics.values(), default=1)
    needed = units_needed(most)
    short = [cell for cell in cells if _units(cell) < needed]
    if not short:
        return []
    fewest = min(short, key=_units)
    # The same sweep measures again what a block has lost.
    repetitions = max(needed, *(run.block for run in used))
    added = f"the same sweep with repetitions={repetitions} adds the blocks that are missing."
    if all(cell.blocks < 2 for cell in cells):
        return [
            "One block tells nothing of the spread between runs, so ratios have no interval: "
            f"{added}"
        ]
    where = ""
    if len(short) < len(cells):
        where = f" of {fewest.model} · {fewest.tactic}"
        others = plural(len(short) - 1, "other cell")
        where += f", and those of {others}," if len(short) > 1 else ""
    return [
        f"{plural(_units(fewest), 'block')}{where} can't tell a gain from chance for a single "
        f"model; with {plural(most, 'tactic')} {needed} are needed: {added}"
    ]


def _units(cell: Cell) -> int:
    """Returns in how many blocks it stands beside the baseline; of the baseline, in how many."""
    return max((effect.units for effect in cell.effects.values()), default=cell.blocks)


def _flagged(left_out: Sequence[LeftOut]) -> int:
    return sum(exclusion.runs for exclusion in left_out if exclusion.kind is LeftOutReason.FLAGGED)


def _deciding(cell: Cell) -> list[Effect]:
    """Returns the effect that a cell is judged by, if it has one."""
    effect = cell.effects.get(ENERGY) or cell.effects.get(LATENCY)
    return [] if effect is None else [effect]


def _undecided(effects: Sequence[Effect]) -> list[str]:
    """Returns how many comparisons with the baseline are open, and what decides them."""
    left = [effect for effect in effects if effect.verdict in (Verdict.NOT_SHOWN, Verdict.TOO_FEW)]
    if not left:
        return []
    needed = [known for effect in left if (known := blocks_needed(effect)) is not None]
    fewest = max(effect.units for effect in left) + 1
    blocks = min(max(statistics.median_low(needed), fewest) if needed else fewest, MOST_BLOCKS)
    of = f"{len(left)} of {plural(len(effects), 'comparison')} with the baseline"
    return [
        f"{of} {'is' if len(left) == 1 else 'are'} not yet decided; the same sweep with "
        f"repetitions={blocks} adds blocks, which narrow the intervals."
    ]


def _nothing_used(left_out: Sequence[LeftOut]) -> str:
    if not left_out:
        return f"There is no run to report on: {SWEEP} repetitions=8."
    reasons = "; ".join(
        f"{plural(exclusion.runs, 'run')} {exclusion.reason}" for exclusion in left_out
    )
    if all(exclusion.kind is LeftOutReason.SINGLE for exclusion in left_out):
        return f"None of the runs can be compared ({reasons}): {SWEEP} makes pairs."
    if _flagged(left_out):
        return f"None of the runs counts ({reasons}): {QUIET}."
    return (
        f"None of the runs counts ({reasons}): see what became of each in MLflow, under "
        f"greenexp.reason, and run {SWEEP}."
    )


def prices(used: Iterable[PricedRun]) -> list[str]:
    """Returns for each setting what dollars and carbon are made of."""
    hardware = {run.setting: run.prices.hardware for run in used}
    return [f"{setting.name}: {', '.join(_parts(own))}." for setting, own in hardware.items()]


def _parts(own: Hardware) -> list[str]:
    price, carbon = own.price, own.carbon
    parts = [own.description]
    if price.usd_per_hour is not None:
        rent = " with electricity" if price.electricity_included else ""
        parts.append(f"{price.usd_per_hour:g} USD/h{rent}")
    elif price.purchase_usd is not None and price.lifetime_years is not None:
        parts.append(f"{price.purchase_usd:g} USD over {plural(price.lifetime_years, 'year')}")
    if hourly_usd(price) is not None and price.utilization < 1:
        parts.append(f"serving {percentage(price.utilization)} of the paid hours")
    if price.usd_per_kwh is not None:
        counted = " (not counted, the rent pays it)" if price.electricity_included else ""
        parts.append(f"{price.usd_per_kwh:g} USD/kWh{counted}")
    parts.append(f"PUE {price.pue:g}")
    if carbon.g_per_kwh is not None:
        parts.append(f"{carbon.g_per_kwh:g} g CO2e/kWh")
    if price.date is not None:
        parts.append(f"quoted {price.date}")
    return parts
