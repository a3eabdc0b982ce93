"""Runs that are measured together, and what becomes of a block when one of them goes wrong."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psutil
import pytest

import greenexp
from greenexp.measuring import block
from greenexp.measuring.arm import Arm, Member
from greenexp.measuring.block import Stage, together
from greenexp.measuring.turns import Turn, WindowRequest
from greenexp.runs.result import Result

pytestmark = pytest.mark.slow

FAULTY = "tests.support.misbehaving.Faulty"
ENOUGH_S = 300.0  # for a run on a busy machine
HANGS_S = 60.0  # that the one which hangs is waited for
SHORT = {
    "workload.batch_size": 32,
    "workload.pool_images": 64,
    "workload.idle_seconds": 0.1,
    "workload.warmup_min_seconds": 0.05,
    "workload.warmup_max_seconds": 1.0,
    "workload.min_windows": 12,
    "workload.max_windows": 12,
    "isolation.timeout_s": ENOUGH_S,
}


def member(tactic: str = "baseline", deed: str | None = None, **settings: Any) -> Member:
    made = greenexp.experiment("digits_mobilenet_v2", tactic, settings=SHORT | settings)
    configuration = dict(made.configuration)
    if deed is not None:
        configuration |= {
            "tactic": {"_target_": FAULTY, "deed": deed},
            "plugins": {"allow": ["tests"]},
        }
    return Member(configuration, tactic == "baseline" and deed is None)


def pair_and(*others: Member) -> list[Member]:
    return [member(), *others, member()]


def rounds(result: Result) -> list[int]:
    return [window.round for window in result.windows]


def phases(result: Result) -> list[str]:
    return [phase.name for phase in result.phases]


def descendants() -> list[psutil.Process]:
    """Returns the runs that are there: descendants of this process but its fork server."""
    return [process for process in psutil.Process().children(recursive=True) if _is_run(process)]


def _is_run(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.parent() not in (None, psutil.Process()) and process.is_running()
    return False


def test_runs_of_a_block_measure_the_same_rounds() -> None:
    (results,) = together(pair_and(member("local_pruning")), "seed")
    assert [results[n].outcome for n in range(3)] == ["ok"] * 3
    for result in results.values():
        kept = rounds(result)
        assert kept == sorted(set(kept))
        assert len(kept) + result.discarded_windows == 12
        assert phases(result).count("idle") == 1
        assert phases(result).count("parked") == 1
        assert "outputs_changed" not in result.doubts
    assert not descendants()


def test_runs_whose_speed_alone_is_asked_for_judge_no_image() -> None:
    members = [replace(member(), judges=False), replace(member("local_pruning"), judges=False)]
    (results,) = together(members, "seed")
    for result in results.values():
        assert result.outcome == "ok"
        assert result.predictions is None
        assert "accuracy" not in phases(result)
        assert rounds(result)


def test_windows_of_a_round_begin_on_one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: dict[int, list[tuple[int | None, int | None]]] = {}
    turn = Arm.turn

    def noted(arm: Arm, asked: WindowRequest, others: Sequence[Arm]) -> Turn | None:
        taken = turn(arm, asked, others)
        if taken is not None:
            turns.setdefault(asked.round, []).append((asked.cpu, taken.cpu))
        return taken

    monkeypatch.setattr(Arm, "turn", noted)
    together(pair_and(member("local_pruning")), "seed")
    for first, *others in turns.values():
        assert first[0] is None
        assert {asked for asked, _ in others} <= {first[1]}
    begun = [cpu == asked for of_round in turns.values() for asked, cpu in of_round[1:]]
    assert sum(begun) > 0.7 * len(begun)  # the system is free to move a thread on


def test_progress_tells_what_a_block_does() -> None:
    stages: list[Stage] = []
    together([member(), member()], "seed", stages.append)
    names = [stage.name for stage in stages]
    assert names[:3] == ["prepare", "prepare", "watch"]
    assert [stage.round for stage in stages if stage.name == "measure"] == list(range(1, 13))
    assert names[-2:] == ["record", "record"]


@pytest.mark.parametrize(
    ("deed", "outcome", "reason"),
    [
        pytest.param("kill", "killed", "SIGKILL", id="it is killed"),
        pytest.param("memory", "oom", "MemoryError", id="memory runs out"),
        pytest.param("hang", "timeout", "longer than", id="it hangs"),
    ],
)
def test_a_run_that_fails_in_its_turn_leaves_the_others(
    deed: str, outcome: str, reason: str
) -> None:
    settings = {"isolation.timeout_s": HANGS_S} if deed == "hang" else {}
    faulty = member(deed=deed, **settings)
    (results,) = together(pair_and(faulty, member("local_pruning")), "seed")
    assert [results[n].outcome for n in range(4)] == ["ok", outcome, "ok", "ok"]
    assert reason in (results[1].reason or "")
    assert all(len(rounds(results[n])) > 0 for n in (0, 2, 3))
    assert not descendants()


def test_a_parked_run_that_spins_voids_the_windows_of_others() -> None:
    (results,) = together(pair_and(member(deed="spin")), "seed")
    assert [results[n].outcome for n in range(3)] == ["ok"] * 3
    for baseline in (results[0], results[2]):
        assert "parked_runs_busy" in baseline.doubts
        assert baseline.discarded_windows > 6
    assert "parked_runs_busy" not in results[1].doubts  # it spins in its own turns alone


def test_where_memory_is_too_small_a_block_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    tactics = ["local_pruning", "global_pruning", "channels_last"]
    _make_room_for(3, monkeypatch)
    parts = together(pair_and(*map(member, tactics)), "seed")
    assert [sorted(part) for part in parts] == [[0, 1, 4], [0, 2, 4], [0, 3, 4]]
    assert all(result.outcome == "ok" for part in parts for result in part.values())
    assert not descendants()


def test_where_two_fit_one_baseline_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    _make_room_for(2, monkeypatch)
    (part,) = together(pair_and(member("local_pruning")), "seed")
    assert [part[n].outcome for n in range(3)] == ["ok", "ok", "oom"]
    assert "MiB are free" in (part[2].reason or "")


def test_further_baselines_are_measured_as_far_as_they_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _make_room_for(4, monkeypatch)
    (part,) = together([*pair_and(member("local_pruning")), member(), member()], "seed")
    assert [part[n].outcome for n in range(5)] == ["ok", "ok", "ok", "ok", "unsupported"]
    assert "two are enough" in (part[4].reason or "")


def test_where_none_fits_beside_the_baseline_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _make_room_for(1, monkeypatch)
    (part,) = together(pair_and(member("local_pruning")), "seed")
    assert [part[n].outcome for n in range(3)] == ["ok", "oom", "oom"]


def _make_room_for(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def available_mib() -> float:
        return 0.0 if len(descendants()) >= runs else 1e9

    monkeypatch.setattr(block, "available_mib", available_mib)


@pytest.mark.parametrize("seed", range(10))
def test_a_run_that_is_killed_at_any_time_leaves_the_others(seed: int) -> None:
    dice = random.Random(seed)
    fatal = dice.randrange(2, 18)
    stages: list[Stage] = []
    killed: list[int] = []

    def tell(stage: Stage) -> None:
        stages.append(stage)
        runs = sorted(descendants(), key=lambda process: process.pid)
        if len(stages) == fatal and runs:
            victim = dice.choice(runs)
            killed.append(victim.pid)
            victim.send_signal(signal.SIGKILL)

    (results,) = together(pair_and(member("local_pruning")), str(seed), tell)
    outcomes = sorted(results[n].outcome for n in range(3))
    assert killed
    assert outcomes == ["killed", "ok", "ok"]
    assert not descendants()
