"""What the hub says of a repository, and what a user is told where it says nothing good."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest
from huggingface_hub.errors import HTTPError

from greenexp.hub import Repository, describe, explain

if TYPE_CHECKING:
    from tests.support.hub_server import HubServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"

Kind = Literal["model", "dataset"]
Refusal = Callable[[Callable[[], object]], str]


def ask(kind: Kind = "model", revision: str = "main") -> Repository:
    key = "model.checkpoint" if kind == "model" else "dataset.id"
    return describe("org/thing", revision, kind=kind, key=key)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_repository_is_its_commit_and_files(hub: HubServer, kind: Kind) -> None:
    hub.describe("org/thing", "config.json", "a/model.safetensors", kind=f"{kind}s")
    assert ask(kind) == Repository(COMMIT, ["config.json", "a/model.safetensors"])
    assert hub.requests == [f"GET /api/{kind}s/org/thing/revision/main"]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(404, "RepoNotFound", "is not on the hub, or private", id="not_found"),
        pytest.param(401, "RepoNotFound", "is not on the hub, or private", id="private"),
        pytest.param(404, "RevisionNotFound", "has no revision main", id="revision"),
        pytest.param(401, "GatedRepo", "is gated; ask for access", id="gated_and_unknown"),
        pytest.param(403, "GatedRepo", "is gated; ask for access", id="gated_and_not_granted"),
        pytest.param(404, "", "answered with status 404", id="not_found_by_a_proxy"),
        pytest.param(429, "", "answered with status 429", id="too_many_requests"),
        pytest.param(500, "", "answered with status 500", id="broken"),
        pytest.param(503, "", "answered with status 503", id="unavailable"),
    ],
)
@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_refusal_says_what_the_hub_said(
    hub: HubServer, refusal: Refusal, kind: Kind, status: int, code: str, words: str
) -> None:
    hub.answer(f"/api/{kind}s/org/thing/revision/main", status, code)
    text = refusal(lambda: ask(kind))
    assert text.startswith("model.checkpoint=org/thing" if kind == "model" else "dataset.id=org/")
    assert words in text
    assert len(hub.requests) == 1  # it is not asked again
    assert hub.naps_s == []


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        pytest.param("model", "https://huggingface.co/org/thing,", id="model"),
        pytest.param("dataset", "https://huggingface.co/datasets/org/thing,", id="dataset"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_gated_repository_that_the_hub_describes_to_anyone_is_refused(
    hub: HubServer, refusal: Refusal, kind: Kind, page: str, status: int
) -> None:
    hub.describe("org/thing", kind=f"{kind}s", gated="auto")
    hub.answer(f"/api/{kind}s/org/thing/auth-check", status, "GatedRepo")
    text = refusal(lambda: ask(kind))
    assert f"is gated; ask for access at {page} then log in with `hf auth login`" in text


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_gated_repository_is_described_to_who_has_access(hub: HubServer, kind: Kind) -> None:
    hub.describe("org/thing", "config.json", kind=f"{kind}s", gated="manual")
    hub.answer(f"/api/{kind}s/org/thing/auth-check", 200)
    assert ask(kind) == Repository(COMMIT, ["config.json"])


def test_connection_that_breaks_off_is_told_from_a_hub_out_of_reach() -> None:
    httpx = importlib.import_module(HTTPError.__module__.partition(".")[0])
    cut = httpx.RemoteProtocolError("peer closed connection")
    unreachable = httpx.ConnectError("refused")
    assert "the connection to the hub broke off" in explain(cut, "org/a", "main", kind="model")
    assert "can't be reached" in explain(unreachable, "org/a", "main", kind="model")


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        pytest.param("model", "model=local model.path=", id="model"),
        pytest.param("dataset", "dataset=folder dataset.path=", id="dataset"),
    ],
)
@pytest.mark.parametrize("absence", ["no_hub", "offline"])
def test_refusal_without_a_network_names_the_folder_to_use_instead(
    request: pytest.FixtureRequest, refusal: Refusal, absence: str, kind: Kind, cure: str
) -> None:
    request.getfixturevalue(absence)
    text = refusal(lambda: ask(kind))
    assert "the hub can't be reached" in text
    assert cure in text


def test_answer_that_is_no_json_is_refused(hub: HubServer, refusal: Refusal) -> None:
    page = b"<html>log in to the hotel's network</html>"
    hub.answer("/api/models/org/thing/revision/main", 200, body=page)
    assert "model.checkpoint=org/thing" in refusal(ask)


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param("org/two words", id="a_space"),
        pytest.param("org/two--dashes", id="two_dashes"),
        pytest.param("/srv/images", id="a_path"),
        pytest.param("org/" + "x" * 97, id="too_long"),
    ],
)
def test_id_that_no_hub_takes_is_refused(
    no_hub: HubServer, refusal: Refusal, malformed: str
) -> None:
    text = refusal(lambda: describe(malformed, "main", kind="dataset", key="dataset.id"))
    assert f"dataset.id={malformed}" in text
