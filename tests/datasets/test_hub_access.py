"""Data sets that the hub does not give: out of reach, unknown, gated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from greenexp.datasets.card import DatasetCard
from greenexp.datasets.hub import Hub

if TYPE_CHECKING:
    from tests.support.hub_server import HubServer
    from tests.support.modules import Refusal


@pytest.mark.parametrize("absence", ["no_hub", "offline"])
def test_hub_out_of_reach_is_refused(
    request: pytest.FixtureRequest, refusal: Refusal, absence: str
) -> None:
    request.getfixturevalue(absence)
    text = refusal(Hub("org/data").check)
    assert "dataset.id=org/data is not in the local cache and the hub can't be reached" in text
    assert "dataset=folder dataset.path=" in text


def test_hub_out_of_reach_is_refused_without_waiting(no_hub: HubServer, refusal: Refusal) -> None:
    refusal(Hub("org/data").check)
    assert no_hub.naps_s == []


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(404, "RepoNotFound", "is not on the hub, or private", id="not_found"),
        pytest.param(404, "RevisionNotFound", "has no revision main", id="revision"),
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(500, "", "answered with status 500", id="broken"),
    ],
)
def test_hub_refusal_says_what_the_hub_said(
    hub: HubServer, refusal: Refusal, status: int, code: str, words: str
) -> None:
    hub.answer("/api/datasets/org/data/revision/main", status, code)
    hub.answer("/datasets/org/data/resolve/main/README.md", status, code)
    text = refusal(Hub("org/data").check)
    assert text.startswith("dataset.id=org/data")
    assert words in text


@pytest.mark.parametrize("malformed", ["org/two words", "/nowhere/at/all", "a/b/c"])
def test_hub_malformed_id_is_refused(no_hub: HubServer, refusal: Refusal, malformed: str) -> None:
    assert f"dataset.id={malformed}" in refusal(Hub(malformed).check)


def test_hub_known_to_be_gated_is_not_asked_without_a_token(
    hub: HubServer, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    text = refusal(Hub("org/data", card=DatasetCard(gated=True)).check)
    assert "dataset.id=org/data is gated" in text
    assert "https://huggingface.co/datasets/org/data, then log in with `hf auth login`" in text
    assert hub.requests == []
