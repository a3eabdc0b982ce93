"""Parts of a study that other processes can do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


def begun(pool: Executor | None, task: Callable[[], T]) -> Callable[[], T]:
    """Begins a task in another process, or does it here; returns what gives its result."""
    if pool is None:
        result = task()
        return lambda: result
    return pool.submit(task).result
