"""Whether the tracker that runs go to can be reached; nothing is made there."""

from __future__ import annotations

import os
from pathlib import Path

from greenexp.doctor.checks import Fact, existing
from greenexp.errors import BadInput, Unreachable
from greenexp.settings.secrets import whole, without_secrets
from greenexp.tracking.addresses import DATABASES, database_file, local_folder
from greenexp.tracking.reach import ask_database, ask_server, reason_of, within

SQLITE_HEADER = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html
CURE = "give tracking.uri=…, e.g. sqlite:///mlruns/mlflow.db, or start the server"


def tracker(uri: str, experiment: str, timeout_s: float) -> Fact:
    """Returns whether the store can be used, within `timeout_s`.

    Args:
        uri: of an MLflow store; what it holds of passwords is not in the answer.
        experiment: name of the MLflow experiment.
        timeout_s: seconds that a server is waited for.
    """
    place = f"experiment {experiment} at {without_secrets(uri)}"
    scheme = uri.partition(":")[0].partition("+")[0].lower() if "://" in uri else ""
    try:
        if local_folder(uri) is not None:
            state = _of_file(database_file(uri))
        elif scheme in ("http", "https"):
            within(timeout_s, lambda: ask_server(uri, timeout_s))
            state = "reachable"
        elif scheme in DATABASES:
            within(timeout_s, lambda: ask_database(whole(uri)))
            state = "reachable"
        else:
            return Fact("tracker", f"{place}: not checked, an address of another kind")
    except (Unreachable, BadInput, OSError) as refused:
        reason = without_secrets(reason_of(refused))
        return Fact("tracker", f"{place}: can't be reached, {reason}", there=False, cure=CURE)
    return Fact("tracker", f"{place}: {state}")


def _of_file(database: Path) -> str:
    if database.is_file():
        try:
            with database.open("rb") as file:
                header = file.read(len(SQLITE_HEADER))
        except OSError as error:
            raise Unreachable(f"the file can't be read ({error.strerror})") from None
        if header and header != SQLITE_HEADER:
            raise Unreachable("the file is no SQLite database")
        if not os.access(database, os.W_OK):
            raise Unreachable("the file may not be written to")
        return "reachable"
    if database.exists():
        raise Unreachable("it is no file")
    above = existing(database)
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise Unreachable(f"{above} takes no new file")
    return "not there yet, the first run makes it"
