"""Asking the Hugging Face hub about a repository, with errors a user can act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from greenexp.errors import BadInput

TIMEOUT_S = 10.0
FROM_A_FOLDER = {
    "model": "model=local model.path=…",
    "dataset": "dataset=folder dataset.path=…",
}


@dataclass(frozen=True)
class Repository:
    """A repository as the hub describes it: the commit a revision stands for, and its files."""

    commit: str | None
    files: Sequence[str]


def describe(
    repository: str, revision: str, *, kind: Literal["model", "dataset"], key: str
) -> Repository:
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
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    given = f"{key}={repository}"
    try:
        ask = HfApi().model_info if kind == "model" else HfApi().dataset_info
        info = ask(repository, revision=revision, timeout=TIMEOUT_S)
    except GatedRepoError:
        raise BadInput(
            f"{given} is gated; ask for access on its hub page, then log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise BadInput(
            f"{given} has no revision {revision}; give a branch, tag or commit of it"
        ) from None
    except RepositoryNotFoundError:
        raise BadInput(
            f"{given} is not on the hub, or private; check the spelling, or `hf auth login`"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "unknown"
        raise BadInput(f"{given}: the hub answered with status {status}; try again later") from None
    except (OfflineModeIsEnabled, HTTPError, OSError):
        raise BadInput(
            f"{given} is not in the local cache and the hub can't be reached; "
            f"connect to the network, or use a folder with {FROM_A_FOLDER[kind]}"
        ) from None
    return Repository(info.sha, [file.rfilename for file in info.siblings or []])
