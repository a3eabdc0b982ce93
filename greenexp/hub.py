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
Kind = Literal["model", "dataset"]


@dataclass(frozen=True)
class Repository:
    """A repository as the hub describes it: the commit a revision stands for, and its files."""

    commit: str | None
    files: Sequence[str]


def describe(repository: str, revision: str, *, kind: Kind, key: str) -> Repository:
    """Asks the hub once, without retries, what a repository holds.

    Args:
        repository: `org/name`.
        revision: branch, tag or commit.
        kind: of repository.
        key: the configuration key that named it, for messages.

    Raises:
        BadInput: where it doesn't exist, is gated, or the hub can't be reached.
    """
    from huggingface_hub import HfApi

    with asking(repository, revision, kind=kind, key=key):
        ask = HfApi().model_info if kind == "model" else HfApi().dataset_info
        info = ask(repository, revision=revision, timeout=TIMEOUT_S)
    return Repository(info.sha, [file.rfilename for file in info.siblings or []])


@contextmanager
def asking(repository: str, revision: str, *, kind: Kind, key: str) -> Iterator[None]:
    """Turns what the hub's client raises inside the context into BadInput, one line each."""
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

    def explain(error: BaseException) -> str:
        match error:
            case HFValidationError():
                return "is no hub id; allowed: org/name"
            case GatedRepoError():
                return "is gated; ask for access on its hub page, then log in with `hf auth login`"
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
                return explain(error.__cause__)  # the client ended its retries
            case OfflineModeIsEnabled() | HTTPError() | OSError():
                return (
                    "is not in the local cache and the hub can't be reached; connect to the "
                    f"network, or use a folder with {FROM_A_FOLDER[kind]}"
                )
            case _:  # a page that is not the hub's, such as a network's log-in
                return "can't be fetched: no hub answered; check the network, or HF_ENDPOINT"

    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        raise BadInput(f"{key}={repository} {explain(error)}") from None
