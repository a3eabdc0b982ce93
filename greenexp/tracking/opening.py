"""Opens a store that is there, to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenexp.errors import BadInput, nearest
from greenexp.runs.run import Run
from greenexp.settings.secrets import without_secrets
from greenexp.settings.sweep import Tracking
from greenexp.tracking import database, server
from greenexp.tracking.addresses import address, check_address, exists
from greenexp.tracking.reader import Reader
from greenexp.tracking.refusals import unreadable
from greenexp.tracking.state import opened
from greenexp.tracking.store import artifact_folder, check_place, probe, quiet

if TYPE_CHECKING:
    from sqlalchemy import Engine


def check_there(settings: Tracking) -> None:
    """Checks that there is a store, as far as that costs nothing: a server is not asked.

    Raises:
        BadInput: where it is missing, or the address is of no kind that runs are kept at.
    """
    if not exists(settings):
        raise BadInput(
            f"there are no runs yet at {without_secrets(settings.uri)}; "
            "measure some first: python -m greenexp -m model=all tactic=all"
        )
    check_address(settings.uri)


def reader(settings: Tracking) -> Reader:
    """Opens a store that is there, to read the runs of an experiment that is there.

    Raises:
        BadInput: where either is missing, or the store can't be read.
    """
    check_there(settings)
    files = opened(settings)
    engine, ids = _open(settings)
    if settings.experiment not in ids:
        raise BadInput(
            f"tracking.experiment={settings.experiment} is not at {without_secrets(settings.uri)}; "
            f"allowed: {', '.join(sorted(ids))}.{nearest(settings.experiment, ids)}"
        )
    return Reader(settings, ids[settings.experiment], engine, files)


def _open(settings: Tracking) -> tuple[Engine | None, dict[str, str]]:
    """Returns the database, None for a server, and the ids of its experiments by name."""
    check_address(settings.uri)
    probe(settings)
    with unreadable(settings):
        engine = database.engine_of(address(settings))
        if engine is not None:
            ids = database.experiments(engine)
            if artifact_folder(settings) is not None and settings.experiment in ids:
                check_place(database.artifact_location(engine, ids[settings.experiment]), settings)
            return engine, ids
        quiet(settings.timeout_s)
        return None, server.experiments(settings.uri)


def reader_there(settings: Tracking) -> Reader | None:
    """Opens a store to read an experiment; returns None where either is missing.

    Raises:
        BadInput: where the store can't be read.
        Unreachable: where it does not answer.
    """
    if not exists(settings):
        return None
    engine, ids = _open(settings)
    if settings.experiment not in ids:
        return None
    return Reader(settings, ids[settings.experiment], engine)


def runs_there(settings: Tracking) -> list[Run]:
    """Returns the runs of an experiment, not exactly; none where store or experiment is missing.

    Raises: as `reader_there`.
    """
    known = reader_there(settings)
    return [] if known is None else known.runs(exact=False)
