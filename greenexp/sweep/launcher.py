"""What takes a sweep's blocks to where they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from greenexp.sweep.jobs import JobEvent, LaunchResult
from greenexp.sweep.plan import PlannedRun
from greenexp.sweep.survey import Survey


class Launcher(Protocol):
    """Starts blocks where they are to be measured, and waits for them.

    Attributes:
        in_turn: whether it runs one after the other on this machine, so that progress can be told.
        is_here: whether this machine is the one that measures.
    """

    in_turn: bool
    is_here: bool

    def survey(self, configurations: Iterable[Mapping[str, Any]]) -> Survey:
        """Asks a machine that is to measure what it says of all configurations.

        Raises:
            BadInput: where no machine tells, or one says why the sweep can't be done.
        """
        ...

    def launch(self, block: Sequence[PlannedRun], number: int) -> Sequence[LaunchResult]:
        """Measures a block here and now; returns how each of its runs came back."""
        ...

    def side_by_side(
        self, blocks: Sequence[Sequence[PlannedRun]], limit_min: int
    ) -> Iterator[JobEvent]:
        """Measures blocks on whatever machines; yields what happens to each, by its number.

        A job that takes longer than the limit may be ended.
        """
        ...
