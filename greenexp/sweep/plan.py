"""The plan of a sweep: its cells, blocks and their order. Pure."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from greenexp.runs.identity import run_name

Key = tuple[str, int | None, int]  # cell, block, replicate
BASELINES = 2  # of a block at least: an A/A pair
FREEDOM = 5  # degrees of freedom of the spread between processes; Student's t is then 2.6


@dataclass(frozen=True)
class Cell:
    """One configuration of a sweep.

    Attributes:
        overrides: those that compose it.
        title: the name a person reads.
        id: its `cell_hash`.
        peers: equal for cells that differ in their tactic alone.
        is_baseline: whether the others of its peers are compared with it.
        inputs: digests of what it reads, see `Preflight`; part of its identity.
        settings: equal for cells that differ in what they read alone.
    """

    overrides: tuple[str, ...]
    title: str
    id: str
    peers: str
    is_baseline: bool
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep: a cell in a block. Its further processes there are replicates from 2."""

    cell: Cell
    block: int
    replicate: int

    @property
    def key(self) -> Key:
        """What tells the run from every other of the plan, and finds it again in the tracker."""
        return self.cell.id, self.block, self.replicate

    @property
    def name(self) -> str:
        """The cell's title with the run's place."""
        return run_name(self.cell.title, self.block, self.replicate, self.cell.is_baseline)


def blocks(
    cells: Sequence[Cell],
    repetitions: int,
    seed: int,
    baselines: int | None = None,
    processes: int = 1,
) -> list[list[PlannedRun]]:
    """Returns the blocks of a sweep: `repetitions` of each group of peers, in random order.

    A block holds every cell of its peers, and the baseline several times where others are compared
    with it: runs of one configuration (A/A) show how far noise alone sets runs apart. The order
    depends on the seed and the repetition only, so that more of them leave earlier ones as they
    were.

    Args:
        cells: of the sweep.
        repetitions: of each group of peers.
        seed: of the order.
        baselines: of a block; None: as many as `baselines_of` says.
        processes: of each tactic in a block that compares something.
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.peers].append(cell)
    if baselines is None:
        tactics = [_tactics(members) for members in groups.values() if _compares(members)]
        baselines = baselines_of(tactics * repetitions, processes)
    planned: list[list[PlannedRun]] = []
    for number in range(1, repetitions + 1):
        dice = random.Random(f"{seed}/{number}")
        of_number = [_block(members, number, baselines, processes) for members in groups.values()]
        for block in of_number:
            dice.shuffle(block)
            _number_processes(block)
        dice.shuffle(of_number)
        planned += of_number
    return planned


def baselines_of(tactics: Sequence[int], processes: int = 1) -> int:
    """Returns how many baselines a block of a sweep has.

    At least two, as many as a tactic has processes, and so many that all that is repeated tells
    the spread between processes with `FREEDOM` degrees of freedom.

    Args:
        tactics: how many each block has that compares something.
        processes: of each tactic.
    """
    missing = FREEDOM - sum(tactics) * (processes - 1)
    return max(BASELINES, processes, math.ceil(missing / max(1, len(tactics))) + 1)


def _tactics(members: Sequence[Cell]) -> int:
    return sum(not cell.is_baseline for cell in members)


def _compares(members: Sequence[Cell]) -> bool:
    return 0 < _tactics(members) < len(members)


def _block(
    members: Sequence[Cell], number: int, baselines: int, processes: int
) -> list[PlannedRun]:
    block = [PlannedRun(cell, number, 1) for cell in members]
    if _compares(members):
        block += [
            PlannedRun(cell, number, replicate)
            for cell in members
            for replicate in range(2, 1 + (baselines if cell.is_baseline else processes))
        ]
    return block


def _number_processes(block: list[PlannedRun]) -> None:
    """Lets the processes of each cell of a shuffled block come in the order of their replicates."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, run in enumerate(block):
        places[run.cell.id].append(place)
    for of_cell in places.values():
        in_order = sorted((block[place] for place in of_cell), key=lambda run: run.replicate)
        for place, run in zip(of_cell, in_order, strict=True):
            block[place] = run


def without_idle_baselines(
    block: Sequence[PlannedRun], finished: Collection[Key]
) -> list[PlannedRun]:
    """Returns a block without further baselines that nothing which is left is compared with."""
    idle = {run.key for run in block if run.cell.is_baseline and run.replicate > BASELINES}
    missing = any(run.key not in finished for run in block if run.key not in idle)
    return [run for run in block if missing or run.key not in idle or run.key in finished]


def left_of(block: Sequence[PlannedRun], finished: Collection[Key]) -> list[PlannedRun]:
    """Returns the runs of a block that are still to be measured.

    Pairs never cross blocks that were measured apart: whatever is missing brings its own
    baselines.
    """
    missing = {run.key for run in block if run.key not in finished}
    return [run for run in block if missing and (run.cell.is_baseline or run.key in missing)]


@dataclass(frozen=True)
class Exclusion:
    """A cell that is not run, and why; `labels` is its model's label space where that is why."""

    title: str
    reason: str
    labels: str | None = None


def product(
    choices: Sequence[Sequence[str]], lacks: Collection[tuple[str, str]] = ()
) -> list[tuple[str, ...]]:
    """Returns the Cartesian product of the overrides; the first varies slowest.

    Args:
        choices: the overrides of each key.
        lacks: pairs of an override and a key that is left out beside it, for it has no such option.
    """
    products = itertools.product(*choices)
    if not lacks:
        return list(products)
    without = [
        tuple(o for o in overrides if not any((other, key_of(o)) in lacks for other in overrides))
        for overrides in products
    ]
    return list(dict.fromkeys(without))


def key_of(override: str) -> str:
    """Returns the key that an override of the command line sets."""
    return override.lstrip("+").partition("=")[0]


def exclusion_lines(exclusions: Sequence[Exclusion], what: str) -> list[str]:
    """Returns a line for each reason: how many are left out for it, and which.

    Labels that don't match are one reason, whatever they are.

    Args:
        exclusions: in order.
        what: they are, in the plural.
    """
    spaces = Counter(exclusion.labels for exclusion in exclusions if exclusion.labels is not None)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for exclusion in exclusions:
        reason = exclusion.reason
        if len(spaces) > 1 and exclusion.labels is not None:
            counts = ", ".join(f"{number} of {name}" for name, number in spaces.most_common())
            reason = f"their labels are not the data set's: {counts}"
        by_reason[reason].append(exclusion.title)
    return [
        f"left out {len(titles)} {what if len(titles) > 1 else what.removesuffix('s')}: {reason} "
        f"({', '.join(titles[:3])}{', …' if len(titles) > 3 else ''})"
        for reason, titles in by_reason.items()
    ]
