"""Everything greenexp raises on purpose.

    GreenexpError
    ├── BadInput        what the user gave can't be used; one line: given, allowed, the cure
    │   └── Unfit       the parts of a run don't fit each other; a sweep leaves the run out
    ├── Unsupported     the tactic can't run on this device, library version or model
    ├── NoEffect        the tactic ran and changed nothing
    ├── Disturbed       something else used the machine, and workload.on_interference=fail
    ├── NotDrawn        the process that draws a report's pictures was killed
    ├── NotFinite       a model's outputs are no numbers
    ├── NotTracked      MLflow did not take a run; it stays in the journal
    │   └── Unreachable the tracker does not answer
    ├── NotJournalled   the journal did not take what was measured
    ├── DamagedRecord   a record in the journal can't be read
    └── RunsFailed      runs ended otherwise than ok; each is recorded with its outcome

Any other exception is a bug, and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class GreenexpError(Exception):
    """Root of the errors whose message is meant for the user."""


class BadInput(GreenexpError):
    """The input can't be used. The message is one line: given, allowed, how to mend it."""


class Unfit(BadInput):
    """Parts of a run don't fit each other: labels, device, packages, images, or order of steps."""


class Unsupported(GreenexpError):
    """The tactic can't run here; the message gives the reason."""


class NotFinite(GreenexpError):
    """A model's outputs are no numbers, or infinite."""


class NoEffect(GreenexpError):
    """The tactic ran but changed nothing, so its figures would be the baseline's."""


class Disturbed(GreenexpError):
    """Something else used the machine while a run was measured that must not be disturbed."""


class NotDrawn(GreenexpError):
    """The process that draws a report's pictures was killed; the runs are as they were."""


class NotTracked(GreenexpError):
    """The tracker did not take a measured run, which stays in the journal."""


class Unreachable(NotTracked):
    """The tracker does not answer; whoever waits for it again waits in vain for a while."""


class NotJournalled(GreenexpError):
    """The journal did not take measured runs.

    Attributes:
        records: those that MLflow did not take either, as JSON; whoever shows the message prints
            them, a line each.
    """

    def __init__(self, message: str, records: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.records = list(records)


class DamagedRecord(GreenexpError):
    """A record can't be read; the message names its file."""


class RunsFailed(GreenexpError):
    """Some runs did not end well; they and the others are recorded."""


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its type where it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def nearest(given: str, allowed: Iterable[str]) -> str:
    """Returns a ` Did you mean …?` hint for the closest allowed word, or an empty string."""
    matches = difflib.get_close_matches(given, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""
