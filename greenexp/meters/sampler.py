"""A thread that reads an instrument at a fixed interval, and the meters that have one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

from greenexp.protocols import Meter, Series, Source

Values = Mapping[tuple[str, str], float]
"""(quantity, component) to value; what can't be read is left out."""


@dataclass(frozen=True)
class Sample:
    """What was read at `t_s` (time.perf_counter)."""

    t_s: float
    values: Values


class Sampler:
    """Calls `read` every `interval_s` in a thread, and once more whenever `now` is called."""

    def __init__(self, read: Callable[[], Values], interval_s: float) -> None:
        self._read = read
        self._interval_s = interval_s
        self._samples: list[Sample] = []
        self._failure: Exception | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts sampling, the first time or after `rest`."""
        if self._failure is not None:
            return
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="greenexp-sampler")
        self._thread.start()

    def rest(self) -> None:
        """Takes no samples until `start` but those of `now`; there is no thread meanwhile."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            self._thread = None

    def stop(self) -> None:
        """Ends sampling, waits for the thread, and raises what ended it early, if anything did."""
        self.rest()
        if self._failure is not None:
            raise self._failure

    def now(self) -> Sample:
        """Takes a sample at once and returns it."""
        sample = Sample(time.perf_counter(), self._read())
        self._samples.append(sample)
        return sample

    def between(self, start_s: float, end_s: float) -> list[Sample]:
        """Returns the samples taken from `start_s` to `end_s`, both ends included, in order."""
        within = [sample for sample in list(self._samples) if start_s <= sample.t_s <= end_s]
        return sorted(within, key=lambda sample: sample.t_s)

    def series(self, meter: str, source: Source, origin_s: float) -> Iterator[Series]:
        """Yields every quantity sampled so far over time, counted from `origin_s`."""
        samples = self.between(float("-inf"), float("inf"))
        for key in dict.fromkeys(key for sample in samples for key in sample.values):
            held = [sample for sample in samples if key in sample.values]
            yield Series(
                quantity=key[0],
                component=key[1],
                source=source,
                meter=meter,
                t_s=[sample.t_s - origin_s for sample in held],
                values=[sample.values[key] for sample in held],
            )

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self.now()
            except Exception as failure:  # raised again by `stop`: a thread has no caller
                self._failure = failure
                return


class Sampling(Meter):
    """A meter whose sampler runs while it is on.

    Attributes:
        name: that its readings carry.
        source: of its series.
    """

    name: ClassVar[str]
    source: ClassVar[Source]
    _sampler: Sampler | None = None

    def _sample(self, read: Callable[[], Values], interval_s: float) -> Self:
        """Starts the sampler and returns the meter."""
        self._sampler = Sampler(read, interval_s)
        self._sampler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sampler is not None:
            self._sampler.stop()

    def rest(self) -> None:
        """Samples nothing until `wake`."""
        if self._sampler is not None:
            self._sampler.rest()

    def wake(self) -> None:
        """Goes on sampling."""
        if self._sampler is not None:
            self._sampler.start()

    def series(self, origin_s: float) -> Iterable[Series]:
        """Returns what was sampled so far."""
        if self._sampler is None:
            return ()
        return self._sampler.series(self.name, self.source, origin_s)
