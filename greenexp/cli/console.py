"""What the user sees in the terminal: notes, progress, the final table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from greenexp.measuring.block import Stage
from greenexp.report.tables.terminal import WIDTH_WITHOUT_TERMINAL, tables
from greenexp.report.words.advice import sentence
from greenexp.runs.texts import printable
from greenexp.study.study import Study

REFRESH_HZ = 2  # of the bar: drawing it takes CPU time from what is measured

# A job of Hydra's runs in this process and is handed nothing of ours.
_now: ContextVar[SweepProgress | None] = ContextVar("progress", default=None)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
if not out.is_terminal:
    out = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
if not err.is_terminal:
    err = Console(stderr=True, highlight=False, width=10 * WIDTH_WITHOUT_TERMINAL)


def note(line: str) -> None:
    """Shows a line that the result must not be mixed with, on standard error."""
    err.print(printable(line), markup=False, soft_wrap=True)


def show_study(study: Study) -> None:
    """Shows what some runs say: tables, what a reader must know of them, advice."""
    for table in tables(study, out.width):
        out.print(table)
    advised = [sentence(advice, study) for advice in study.advice]
    for line in (*study.notes, *advised, *study.next_steps):
        out.print(printable(line), markup=False, soft_wrap=True)


def shown(study: Study) -> str:
    """Returns what `show_study` shows in this terminal, colours included; see `show_text`."""
    with out.capture() as captured:
        show_study(study)
    return captured.get()


def show_text(text: str) -> None:
    """Shows a text that `shown` returned, in a terminal of the same `appearance`."""
    out.file.write(text)
    out.file.flush()


def appearance() -> dict[str, int | str | None]:
    """Returns what the text of `shown` depends on beside the study."""
    return {"width": out.width, "colors": out.color_system, "encoding": out.encoding}


def stage(titles: Sequence[str]) -> Callable[[Stage], None]:
    """Returns what shows the stages of a block in the progress of the sweep, where one is shown."""

    def show(stage: Stage) -> None:
        progress = _now.get()
        if progress is not None:
            progress.stage(stage, titles)

    return show


@contextmanager
def _shown_now(progress: SweepProgress) -> Iterator[None]:
    token = _now.set(progress)
    try:
        yield
    finally:
        _now.reset(token)


@dataclass
class SweepProgress:
    """Cell k of n, what it is, the time left: a bar on a terminal, a line a run elsewhere."""

    total: int
    quiet: bool = False  # nothing is shown
    done: int = 0
    _began_s: float = field(default_factory=time.monotonic)
    _bar: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator[SweepProgress]:
        """Shows the progress inside the context."""
        with _shown_now(self):
            yield from self._shown()

    def _shown(self) -> Iterator[SweepProgress]:
        if self.quiet or not (out.is_terminal or out.is_jupyter):
            yield self
            return
        columns = (
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=out, refresh_per_second=REFRESH_HZ) as self._bar:
            self._bar.add_task("", total=self.total)
            yield self

    def start(self, title: str) -> None:
        """Says what is being done."""
        if self._bar is not None:
            described = printable(f"{title}, {self.left()}")
            self._bar.update(self._bar.task_ids[0], description=described)

    def stage(self, stage: Stage, titles: Sequence[str]) -> None:
        """Says where a block is.

        Args:
            stage: of the block.
            titles: of its runs.
        """
        if stage.member is not None:
            self.start(f"{stage.name} {titles[stage.member]}")
        elif stage.round:
            self.start(f"round {stage.round} of at most {stage.rounds}, {len(titles)} together")

    def finish(self, title: str, outcome: str, seconds: float | None) -> None:
        """Says how a run ended."""
        self.done += 1
        width = len(str(self.total))
        line = f"[{self.done:{width}}/{self.total}] {title}: {outcome}"
        line += "" if seconds is None else f", {seconds:.1f} s"
        if not self.quiet:
            out.print(printable(f"{line}, {self.left()}"), markup=False)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done)

    def left(self) -> str:
        """Returns the time left, judged by the runs so far."""
        if self.done == 0:
            return f"{self.total} runs to go"
        if self.done == self.total:
            return "done"
        left_s = (time.monotonic() - self._began_s) / self.done * (self.total - self.done)
        minutes, seconds = divmod(round(left_s), 60)
        return f"about {minutes} min {seconds:02} s left" if minutes else f"about {seconds} s left"
