"""A clock of the sampler that stands still until a test moves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

HANG_S = 20.0  # a thread that takes longer hangs


class Clock:
    """A clock that stands still but for `run_to`, during which a sampler's thread takes turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.process_s = 0.0  # CPU time of this process, which a test moves
        self.until_s = 0.0
        self.resting = True  # no sample is due
        self.sampled = False  # a sampler waits for this clock
        self.changed = threading.Condition()

    def perf_counter(self) -> float:
        return self.now_s

    def process_time(self) -> float:
        return self.process_s

    def run_to(self, until_s: float) -> None:
        with self.changed:
            self.until_s = until_s
            if not self.sampled:
                self.now_s = until_s
                return
            self.resting = False
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self.resting, HANG_S)

    def event(self) -> Ticker:
        self.sampled = True
        return Ticker(self)

    def thread(self, target: Callable[[], None], **named: Any) -> threading.Thread:
        """A thread after whose end the clock goes on alone."""

        def run() -> None:
            try:
                target()
            finally:
                with self.changed:
                    self.sampled = False
                    if not self.resting:
                        self.now_s = self.until_s
                        self.resting = True
                    self.changed.notify_all()

        return threading.Thread(target=run, **named)


class Ticker:
    """In place of the sampler's threading.Event: waiting takes the clock's time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stopped = False

    def set(self) -> None:
        with self.clock.changed:
            self.stopped = True
            self.clock.sampled = False
            self.clock.changed.notify_all()

    def wait(self, interval_s: float) -> bool:
        clock = self.clock
        with clock.changed:
            while not self.stopped:
                if clock.now_s + interval_s <= clock.until_s + 1e-9:
                    clock.now_s += interval_s
                    return False
                clock.now_s = clock.until_s
                clock.resting = True
                clock.changed.notify_all()
                clock.changed.wait(HANG_S)
            return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of `greenexp.meters.sampler`, at 0 s."""
    clock = Clock()
    monkeypatch.setattr("greenexp.meters.sampler.time", clock)
    threads = SimpleNamespace(Event=clock.event, Thread=clock.thread)
    monkeypatch.setattr("greenexp.meters.sampler.threading", threads)
    return clock


def sampling() -> bool:
    """Whether a sampler's thread is alive."""
    return any(thread.name == "greenexp-sampler" for thread in threading.enumerate())


@pytest.fixture
def no_sampler_left() -> Iterator[None]:
    """Fails the test where it leaves a sampler's thread behind."""
    assert not sampling()
    yield
    assert not sampling()
