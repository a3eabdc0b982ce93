"""What the user sees in the terminal: notes, progress, the final table."""

from __future__ import annotations

import threading
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
from rich.table import Table
from rich.text import Text

from greenexp.measuring.block import Stage
from greenexp.report.tables.terminal import DETAILED_MODELS, WIDTH_WITHOUT_TERMINAL, tables
from greenexp.report.words.advice import answers
from greenexp.runs.texts import printable
from greenexp.study.study import Study
from greenexp.sweep.pace import Pace

REFRESH_HZ = 2  # of the bar: drawing it takes CPU time from what is measured
SILENT_AT_MOST_S = 8.0  # where there is no bar

# A job of Hydra's runs in this process and is handed nothing of ours.
_now: ContextVar[SweepProgress | None] = ContextVar("progress", default=None)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
if not out.is_terminal:
    out = Console(highlight=False, width=WIDTH_WITHOUT_TERMINAL)
if not err.is_terminal:
    err = Console(stderr=True, highlight=False, width=10 * WIDTH_WITHOUT_TERMINAL)


class _Silence:
    """How long nothing has been shown, s."""

    def __init__(self) -> None:
        self.end()

    def end(self) -> None:
        """Something is shown."""
        self._since_s = time.monotonic()

    @property
    def lasts_s(self) -> float:
        """Since something was shown."""
        return time.monotonic() - self._since_s


_silence = _Silence()


@contextmanager
def telling(describe: Callable[[], str]) -> Iterator[None]:
    """Says what is being done inside the context, whenever nothing else was shown for 8 s."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(max(0.0, SILENT_AT_MOST_S - _silence.lasts_s)):
            if _silence.lasts_s >= SILENT_AT_MOST_S:
                note(describe())

    thread = threading.Thread(target=tell, daemon=True, name="greenexp-telling")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def note(line: str) -> None:
    """Shows a line that the result must not be mixed with, on standard error."""
    _silence.end()
    err.print(printable(line), markup=False, soft_wrap=True)


def show_study(study: Study) -> None:
    """Shows what some runs say: tables, what a reader must know of them, advice at the end."""
    for table in tables(study, out.width):
        out.print(table)
    for line in (*study.notes, *study.next_steps):
        _show_line(line)
    advised = answers(study)
    brief = len({advice.model for advice in study.advice}) > DETAILED_MODELS + 1
    for each in advised:
        if not brief:
            out.print()
        _show_line(each.headline, style="bold")
        for point in () if brief and not each.is_over_models else each.points:
            _show_line(point, begin="  - ")


def _show_line(line: str, *, begin: str = "", style: str = "") -> None:
    """Shows a sentence; on a terminal no word is cut, and its further lines stand below its first.

    Elsewhere it is one line, so that it can be searched.
    """
    text = Text(printable(line), style=style)
    if not begin or not out.is_terminal:
        out.print(Text(begin) + text, soft_wrap=not out.is_terminal)
        return
    shown = Table.grid()
    shown.add_row(Text(begin), text)
    out.print(shown)


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
    """Cell k of n, what it is, the time left: a bar on a terminal, lines elsewhere."""

    total: int
    quiet: bool = False  # nothing is shown
    forecast_s: float | None = None  # of all runs
    done: int = 0
    _began_s: float = field(default_factory=time.monotonic)
    _judged: Pace | None = None
    _bar: Progress | None = None
    _doing: str = "starting"

    @contextmanager
    def shown(self) -> Iterator[SweepProgress]:
        """Shows the progress inside the context."""
        with _shown_now(self):
            yield from self._shown()

    def _shown(self) -> Iterator[SweepProgress]:
        if self.quiet:
            yield self
            return
        if not (out.is_terminal or out.is_jupyter):
            with telling(lambda: f"{self._doing}, {self.left()}"):
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
        self._doing = title
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
            _silence.end()
            out.print(printable(f"{line}, {self.left()}"), markup=False)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done)

    def end_block(self, runs: int) -> None:
        """Says that a block of so many runs has ended, before `finish` tells of each."""
        self._pace().end_block(runs, self._now_s())

    def left(self) -> str:
        """Returns the time left, judged by the blocks so far."""
        return self._pace().left(self._now_s())

    def _pace(self) -> Pace:
        if self._judged is None:
            self._judged = Pace(self.total, self.forecast_s)
        return self._judged

    def _now_s(self) -> float:
        return time.monotonic() - self._began_s
