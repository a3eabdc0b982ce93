"""The stores and journals that a report is made of, read as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from greenexp.errors import BadInput
from greenexp.report.journalled import Journal
from greenexp.report.summary import Evidence
from greenexp.runs.merged import merged
from greenexp.runs.outcomes import ImageOutcomes
from greenexp.runs.run import Run
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking.opening import check_there, reader
from greenexp.tracking.state import FilesRead

EXAMPLE = "give the folder of a journal, e.g. multirun"


class Source(Evidence, Protocol):
    """A store or a journal that is open."""

    @property
    def files(self) -> FilesRead:
        """The files that were read so far."""
        ...

    def is_empty(self) -> bool:
        """Tells whether it holds no run."""
        ...

    def paths(self) -> list[str]:
        """Returns the files here that `runs` reads, in its order."""
        ...

    def runs(self) -> list[Run]:
        """Returns the runs, oldest first."""
        ...


class Sources(Evidence):
    """Stores and journals in which each run counts once, see `merged`.

    Args:
        members: by what they are called; at least one.
    """

    def __init__(self, members: Mapping[str, Source]) -> None:
        self._members = members
        self._places: dict[str, list[tuple[Source, str]]] = {}  # by run id, and what it is there
        self.shared = 0  # how many runs stand in several of them

    @property
    def title(self) -> str:
        """What the runs are."""
        return next(iter(self._members.values())).title

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return list(self._members)

    @property
    def files(self) -> FilesRead:
        """The files that were read so far."""
        read = FilesRead()
        for member in self._members.values():
            read.stamps |= member.files.stamps
            read.complete &= member.files.complete
        return read

    def paths(self) -> list[str]:
        """Returns the files here that `runs` reads, in its order."""
        return [path for member in self._members.values() for path in member.paths()]

    def runs(self) -> list[Run]:
        """Returns the runs, each once, oldest first."""
        several = len(self._members) > 1
        every: list[Run] = []
        holders: dict[str, list[tuple[Source, str]]] = {}  # by the record's id
        for name, member in self._members.items():
            own = member.runs()
            every += [replace(run, origin=name) for run in own] if several else own
            for run in own:
                holders.setdefault(run.id, []).append((member, _key(run)))
        runs = merged(every)
        holding = [{id(member) for member, _ in places} for places in holders.values()]
        self.shared = sum(len(members) > 1 for members in holding)
        self._places = {_key(run): holders[run.id] for run in runs}
        return runs

    def predictions(self, run_id: str) -> ImageOutcomes | None:
        """Returns which images a run had right; None where that is gone everywhere."""
        known = (member.predictions(key) for member, key in self._places[run_id])
        return next((outcomes for outcomes in known if outcomes is not None), None)

    def begin_predictions(self, run_ids: Sequence[str], pool: Executor) -> None:
        """Begins to read in another process what `predictions` will be asked for."""
        for member in self._members.values():
            first = [self._places[run_id][0] for run_id in run_ids]
            member.begin_predictions([key for place, key in first if place is member], pool)

    def power_series(self, run_id: str) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Returns power over time, (s into the run, W), of each component that was sampled."""
        known = (member.power_series(key) for member, key in self._places[run_id])
        return next(filter(None, known), {})


def sources(
    stores: Sequence[Tracking],
    journals: Sequence[str],
    title: str,
    ignored: Path | None = None,
) -> Sources:
    """Opens stores and journals that are there, before anything of them is read.

    Args:
        stores: to read an experiment of.
        journals: folders to read.
        title: what the runs of journals are.
        ignored: a folder in a journal that is not looked into, such as the report's own.

    Raises:
        BadInput: where one is missing, or holds no run; the message names it.
        Unreachable: where a store does not answer.
    """
    for folder in journals:
        if not Path(folder).is_dir():
            raise BadInput(f"journal={folder} is no folder; {EXAMPLE}")
    for store in stores:
        check_there(store)
    members: dict[str, Source] = {}
    for folder in journals:
        members[f"journal {folder}"] = Journal(Path(folder), title, ignored)
    for store in stores:
        members[without_secrets(store.uri)] = reader(store)
    for name, member in members.items():
        if member.is_empty():
            raise BadInput(_empty(name, stores))
    return Sources(members)


def _empty(name: str, stores: Iterable[Tracking]) -> str:
    """Returns the line on a store or a journal that holds no run."""
    for store in stores:
        if without_secrets(store.uri) == name:
            return (
                f"there are no ended runs of tracking.experiment={store.experiment} at {name}; "
                "measure some first: python -m greenexp -m model=all tactic=all"
            )
    return f"{name.replace(' ', '=', 1)} holds no run; {EXAMPLE}"


def _key(run: Run) -> str:
    """Returns what a run is called within its store or journal, and within a study."""
    return run.tracked or run.id
