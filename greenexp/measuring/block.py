"""A block: what is to be compared is measured together, in rounds.

Each run has a fresh process. One after the other they are brought to the steady state and parked.
Then, in each round, each measures one short window, in an order drawn anew, while all others
sleep. A run whose figures are known well enough leaves the rounds; the baselines stay as long as
any other does. A run that fails leaves them too, and the others go on.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from greenexp.measuring.arm import Arm, Member
from greenexp.measuring.memory import available_mib
from greenexp.measuring.rounds import Rounds
from greenexp.measuring.turns import RestRequest, Turn, WindowRequest
from greenexp.runs.result import Phase, Result
from greenexp.settings.build import typed
from greenexp.settings.workload import Workload

AA_PAIR = 2  # baselines that each part of a block has
HEADROOM = 1.25  # the next run may take so many times what the largest so far did


@dataclass(frozen=True)
class Stage:
    """Where a block is: what it does, for which of its runs, in which round of how many."""

    name: str
    member: int | None = None
    round: int = 0
    rounds: int = 0


Tell = Callable[[Stage], None]


def together(
    members: Sequence[Member], seed: str, tell: Tell = lambda stage: None
) -> list[dict[int, Result]]:
    """Measures the runs of a block and returns their results by the members' numbers.

    All are measured together where memory allows. Else in parts, one after the other, each with
    the first two baselines; a run that does not fit beside one of them is not measured. Further
    baselines are measured with the last part, as far as they fit.

    Args:
        members: they differ in their tactic alone.
        seed: of the order of the turns.
        tell: is called as the block goes.
    """
    dice = random.Random(seed)
    baselines = [number for number, member in enumerate(members) if member.is_baseline]
    left = [number for number in range(len(members)) if number not in baselines]
    parts: list[dict[int, Result]] = []
    while left or not parts:
        part, left = _part(members, baselines[:AA_PAIR], left, baselines[AA_PAIR:], dice, tell)
        parts.append(part)
    return parts


def _part(
    members: Sequence[Member],
    baselines: Sequence[int],
    others: Sequence[int],
    further: Sequence[int],
    dice: random.Random,
    tell: Tell,
) -> tuple[dict[int, Result], list[int]]:
    """Measures as many runs together as fit; returns their results, and who is left.

    Where all others fit, so many of the further baselines as fit beside them are measured too.
    """
    workload = typed(members[0].configuration, "workload", Workload)
    arms: dict[int, Arm] = {}
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder, ExitStack() as stack:
        idle: Sequence[Phase] = ()
        results: dict[int, Result] = {}
        left = list(others)
        for number in [*baselines, *others, *further]:
            if not _fits(list(arms.values())):
                if number in others and any(other in arms for other in others):
                    break
                if number in others and len(arms) > 1:  # a baseline makes room
                    _, last = arms.popitem()
                    last.end()
                    results[baselines[-1]] = _too_large(last)
            if number in others:
                left.remove(number)
            if not _fits(list(arms.values())):
                results[number] = _no_room() if number in further else _too_large(*arms.values())
                continue
            tell(Stage("prepare", number))
            arm = arms[number] = Arm(members[number], Path(folder) / str(number))
            stack.callback(arm.end)
            arm.start(watches_idle=not idle)
            if arm.parked is not None:
                idle = idle or arm.parked.idle
        parked = [arm for arm in arms.values() if arm.parked is not None]
        standing_by = _standing_by(parked, workload, tell)
        _measure_rounds(list(arms.values()), parked, workload, dice, tell)
        for number, arm in arms.items():
            tell(Stage("record", number))
            arm.finish()
            results[number] = _with_phases(arm, idle, standing_by)
    return results, left


def _fits(arms: Sequence[Arm]) -> bool:
    """Tells whether another run fits into memory beside those that are parked."""
    known = [arm.parked.memory for arm in arms if arm.alive and arm.parked is not None]
    if not known:
        return True
    if available_mib() < HEADROOM * max(memory.peak_mib for memory in known):
        return False
    on_gpu = [memory for memory in known if memory.gpu_peak_mib and memory.gpu_free_mib is not None]
    if not on_gpu:
        return True
    peak_mib = max(memory.gpu_peak_mib or 0.0 for memory in on_gpu)
    return (on_gpu[-1].gpu_free_mib or 0.0) > HEADROOM * peak_mib


def _no_room() -> Result:
    return Result(
        "unsupported",
        reason="not measured: a further baseline does not fit into memory beside the others; two "
        "are enough for a comparison, more of them narrow its interval",
    )


def _too_large(*arms: Arm) -> Result:
    peaks = [arm.parked.memory.peak_mib for arm in arms if arm.parked is not None]
    return Result(
        "oom",
        reason=f"not measured: a run takes up to {HEADROOM * max(peaks, default=0):.0f} MiB, and "
        f"beside the baseline that it would be compared with {available_mib():.0f} MiB are free",
    )


def _standing_by(parked: Sequence[Arm], workload: Workload, tell: Tell) -> list[Phase]:
    """Returns the machine while all runs sleep: what their contexts on a GPU cost, say."""
    if len(parked) < 2 or workload.idle_seconds == 0:
        return []
    tell(Stage("watch"))
    for arm in parked:
        phases: list[Phase] | None = arm.ask(RestRequest(workload.idle_seconds), list)
        if phases is not None:
            return phases
    return []


def _measure_rounds(
    arms: Sequence[Arm],
    parked: Sequence[Arm],
    workload: Workload,
    dice: random.Random,
    tell: Tell,
) -> None:
    """Lets the parked runs measure in turn until each is known well enough."""
    needs = [arm.parked.shortest for arm in parked if arm.parked is not None]
    seconds = max([workload.min_seconds, *(need.seconds for need in needs)])
    batches = max([workload.min_batches, *(need.batches for need in needs)])
    baselines = [arms.index(arm) for arm in parked if arm.member.is_baseline]
    rounds = Rounds([arms.index(arm) for arm in parked], baselines, workload)
    while rounds.open:
        tell(Stage("measure", None, rounds.number + 1, workload.max_windows))
        order = dice.sample(rounds.open, len(rounds.open))
        taken: dict[int, Turn] = {}
        cpu: int | None = None  # where the first of a round is, the others begin as well
        for number in order:
            # Lengths vary, so that no disturbance with a period of its own keeps step.
            length_s = seconds * dice.uniform(1.0, 1.25)
            asked = WindowRequest(rounds.number + 1, length_s, batches, cpu)
            turn = arms[number].turn(asked, [arm for arm in parked if arm is not arms[number]])
            if turn is not None:
                taken[number] = turn
                cpu = cpu if cpu is not None else turn.cpu
        rounds.add(taken, gone=[n for n in rounds.open if not arms[n].alive])
    for number, settled in rounds.settled.items():
        arms[number].settled = settled


def _with_phases(arm: Arm, idle: Sequence[Phase], standing_by: Sequence[Phase]) -> Result:
    """Returns the run's result with what was seen once for the whole block."""
    result = arm.result()
    if not result.phases:
        return result
    own = arm.parked is not None and arm.parked.idle
    return replace(result, phases=[*([] if own else idle), *standing_by, *result.phases])
