"""Where a thread runs: what is said of it, and moving it without holding it there."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from greenexp.measuring.processor import current_cpu, move_to


@pytest.mark.parametrize("cpu", sorted(os.sched_getaffinity(0))[:4])
def test_a_thread_that_is_moved_is_there_and_free_to_leave(cpu: int) -> None:
    allowed = os.sched_getaffinity(0)
    seen = set()
    for _ in range(20):  # the system may move it on at any time
        move_to(cpu)
        seen.add(current_cpu())
    assert cpu in seen
    assert os.sched_getaffinity(0) == allowed


def test_each_thread_is_told_its_own_and_moves_alone() -> None:
    cpu = min(os.sched_getaffinity(0))

    def held() -> tuple[int | None, set[int]]:
        os.sched_setaffinity(0, {cpu})
        move_to(cpu)
        return current_cpu(), os.sched_getaffinity(0)

    before = os.sched_getaffinity(threading.get_native_id())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(held).result() == (cpu, {cpu})
    assert os.sched_getaffinity(0) == before


def test_a_cpu_that_is_not_allowed_is_left_alone() -> None:
    allowed = os.sched_getaffinity(0)
    move_to(max(allowed) + 1)
    assert os.sched_getaffinity(0) == allowed
