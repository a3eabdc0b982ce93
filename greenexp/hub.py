"""Asking the Hugging Face hub about a repository, with errors a user can act on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from greenexp.errors import BadInput

TIMEOUT_S = 10.0
FROM_A_FOLDER = {
    "model": "model=local model.path=…",
    "dataset": "dataset=folder dataset.path=…",
}
# Access is granted there, whatever mirror HF_ENDPOINT names.
PAGES = {"model": "https://huggingface.co/", "dataset": "https://huggingface.co/datasets/"}
# What httpx calls a connection that was there, and broke or fell silent.
BROKEN_OFF = ("RemoteProtocolError", "ReadError", "ReadTimeout", "WriteError")
Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class Repository:
    """A repository as the hub describes it: the commit a revision stands for, and its files."""

    commit: str | None
    files: Sequence[str]


def describe(repository: str, revision: str, *, kind: Kind, key: str) -> Repository:
    """Asks the hub once, without retries, what a repository holds and whether it may be read.

    Args:
        repository: `org/name`.
        revision: branch, tag or commit.
        kind: of repository.
        key: the configuration key that named it, for messages.

    Raises:
        BadInput: where it doesn't exist, is gated, or the hub can't be reached.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with asking(repository, revision, kind=kind, key=key):
        ask = api.model_info if kind == "model" else api.dataset_info
        info = ask(repository, revision=revision, timeout=TIMEOUT_S)
        if info.gated:  # the hub describes it to anyone, and refuses its files
            api.auth_check(repository, repo_type=kind)
    return Repository(info.sha, [file.rfilename for file in info.siblings or []])


@contextmanager
def asking(repository: str, revision: str, *, kind: Kind, key: str) -> Iterator[None]:
    """Turns what the hub's client raises inside the context into BadInput, one line each."""
    from huggingface_hub.errors import HTTPError

    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        reason = explain(error, repository, revision, kind=kind)
        raise BadInput(f"{key}={repository} {reason}") from None


def explain(error: BaseException, repository: str, revision: str, *, kind: Kind) -> str:
    """Returns what went wrong between the hub's client and the hub, and how to mend it."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        HTTPError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    match error:
        case HFValidationError():
            return "is no hub id; allowed: org/name"
        case GatedRepoError():
            return access_refused(repository, kind=kind)
        case RevisionNotFoundError():
            return f"has no revision {revision}; give a branch, tag or commit of it"
        case RepositoryNotFoundError():
            return "is not on the hub, or private; check the spelling, or `hf auth login`"
        case RemoteEntryNotFoundError():
            return f"lacks a file that a {kind} needs: {str(error).splitlines()[-1].strip()}"
        case HfHubHTTPError():
            status = error.response.status_code if error.response is not None else "unknown"
            return f"can't be fetched: the hub answered with status {status}; try again later"
        case OSError() if isinstance(error.__cause__, HfHubHTTPError):
            # the client ended its retries
            return explain(error.__cause__, repository, revision, kind=kind)
        case HTTPError() if type(error).__name__ in BROKEN_OFF:
            return (
                "can't be fetched whole: the connection to the hub broke off; give the same "
                "command again, whole files are kept"
            )
        case OfflineModeIsEnabled() | HTTPError() | OSError():
            return (
                "is not in the local cache and the hub can't be reached; connect to the "
                f"network, or use a folder with {FROM_A_FOLDER[kind]}"
            )
        case _:  # a page that is not the hub's, such as a network's log-in
            return "can't be fetched: no hub answered; check the network, or HF_ENDPOINT"


def access_refused(repository: str, *, kind: Kind) -> str:
    """Returns how to get access to a gated repository."""
    return (
        f"is gated; ask for access at {PAGES[kind]}{repository}, then log in with `hf auth login`"
    )
