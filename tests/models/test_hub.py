"""Classifiers from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.models.card import Card
from greenexp.models.hub import Hub
from greenexp.models.local import Local
from greenexp.protocols import LabelSpace
from tests.support.model_folders import NAMES, Cached, Edited, images, pickle_weights
from tests.support.modules import Refusal

if TYPE_CHECKING:
    from tests.support.hub_server import HubServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param("vit", id="no_owner"),
        pytest.param("a/b/c", id="three_parts"),
        pytest.param("org/", id="no_name"),
        pytest.param("/name", id="empty_owner"),
        pytest.param(" org/name", id="space_before"),
        pytest.param("https://huggingface.co/org/name", id="an_address"),
        pytest.param("", id="nothing"),
        pytest.param("org/two words", id="a_space"),
        pytest.param("org/two--dashes", id="two_dashes"),
        pytest.param("../name", id="dots"),
        pytest.param("org/name.git", id="git"),
        pytest.param("org/" + "x" * 97, id="too_long"),
    ],
)
def test_hub_malformed_id_is_refused(no_hub: HubServer, refusal: Refusal, malformed: str) -> None:
    text = refusal(lambda: Hub(malformed).check())
    assert f"model.checkpoint={malformed} is no hub id" in text


def test_hub_title_is_the_name_without_its_owner() -> None:
    assert Hub("google/vit-base-patch16-224").title == "vit-base-patch16-224"


def test_hub_choice_with_a_card_names_itself() -> None:
    assert Hub("google/vit-base-patch16-224", card=Card(family="ViT")).title is None


HUB = {"_target_": "greenexp.models.hub.Hub", "checkpoint": "org/net"}


def test_hub_card_is_made_of_the_mapping_in_a_yaml() -> None:
    from greenexp.settings.build import build

    facts = {"family": "ViT", "image_size": 224, "parameters_m": 86, "licence": None}
    source = build(HUB | {"card": facts}, "model")
    assert source.card == Card(family="ViT", image_size=224, parameters_m=86.0)
    assert build(HUB | {"card": None}, "model").card is None
    assert build(HUB, "model") == Hub("org/net")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        pytest.param({"famly": "ViT"}, ["model.card.famly"], id="unknown"),
        pytest.param({"image_size": 0}, ["model.card.image_size=0", ">= 1"], id="no_pixel"),
        pytest.param({"image_size": "big"}, ["model.card.image_size='big'"], id="no_number"),
        pytest.param({"parameters_m": 0}, ["model.card.parameters_m=0", "> 0"], id="no_weight"),
        pytest.param({"gmacs": float("nan")}, ["model.card.gmacs=nan"], id="nan"),
        pytest.param({"gmacs": 4.1}, ["model.card.gmacs_source=…"], id="gmacs_of_no_source"),
        pytest.param(
            {"reported_top1": 0.8}, ["model.card.reported_top1_source=…"], id="top1_of_no_source"
        ),
        pytest.param(
            {"reported_top1": 80.1, "reported_top1_source": "a paper"},
            ["model.card.reported_top1=80.1", "<= 1"],
            id="per_cent",
        ),
        pytest.param({"licence": " "}, ["model.card.licence is empty"], id="blank"),
    ],
)
def test_hub_card_that_tells_no_fact_is_refused(
    refusal: Refusal, facts: dict[str, Any], words: list[str]
) -> None:
    from greenexp.settings.build import build

    text = refusal(lambda: build(HUB | {"card": facts}, "model"))
    assert [word for word in words if word not in text] == []


@pytest.fixture
def published(hub: HubServer, vit_folder: Path) -> HubServer:
    """A hub with the tiny ViT as org/net."""
    files = sorted(path.name for path in vit_folder.iterdir())
    hub.describe("org/net", *files)
    for name in files:
        body = (vit_folder / name).read_bytes()
        for revision in ("main", COMMIT):
            hub.answer(f"/org/net/resolve/{revision}/{name}", 200, body=body)
    return hub


def test_hub_check_fetches_the_config_alone(published: HubServer) -> None:
    assert Hub("org/net", labels="colors").check() == LabelSpace("colors", NAMES)
    fetched = {request.rpartition("/")[2] for request in published.requests if "resolve" in request}
    assert fetched == {"config.json"}


def test_hub_card_changes_nothing_of_what_is_read(published: HubServer) -> None:
    card = Card(family="Swin", image_size=1, weights="bin", licence="none")
    told, untold = Hub("org/net", card=card), Hub("org/net")
    assert told.check() == untold.check()
    assert told.load("cpu").provenance == untold.load("cpu").provenance


def test_hub_check_may_be_repeated_before_the_weights_are_there(published: HubServer) -> None:
    source = Hub("org/net")
    assert source.check() == source.check()


def test_hub_check_then_load_downloads_and_predicts(published: HubServer) -> None:
    import torch

    source = Hub("org/net")
    source.check()
    classifier = source.load("cpu")
    with torch.inference_mode():
        assert classifier.module(classifier.preprocess(images(2))).shape == (2, 3)
    assert classifier.provenance["checkpoint"] == "org/net"
    source.check()  # now from the cache


def test_hub_provenance_holds_the_commit(offline: None, cached: Cached, vit_folder: Path) -> None:
    cached("org/net", vit_folder)
    assert Hub("org/net").load("cpu").provenance["commit"] == COMMIT


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        pytest.param(["pytorch_model.bin"], {}, "model.allow_pickle=true", id="pickled"),
        pytest.param(["tf_model.h5"], {}, "holds no weights", id="none_for_torch"),
        pytest.param([], {"allow_pickle": True}, "holds no weights", id="none"),
    ],
)
def test_hub_weights_are_judged_by_the_list_of_files(
    published: HubServer,
    refusal: Refusal,
    files: list[str],
    options: dict[str, bool],
    words: str,
) -> None:
    published.describe("org/net", "config.json", *files)
    assert words in refusal(lambda: Hub("org/net", **options).check())


def test_hub_pickled_weights_may_be_allowed(published: HubServer) -> None:
    published.describe("org/net", "config.json", "pytorch_model.bin")
    assert Hub("org/net", allow_pickle=True).check().names == NAMES


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        pytest.param(404, "RepoNotFound", "is not on the hub, or private", id="not_found"),
        pytest.param(404, "RevisionNotFound", "has no revision main", id="revision"),
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(500, "", "the hub answered with status 500", id="broken"),
    ],
)
def test_hub_refusal_says_what_the_hub_said(
    hub: HubServer, refusal: Refusal, status: int, code: str, words: str
) -> None:
    hub.answer("/api/models/org/net/revision/main", status, code)
    text = refusal(Hub("org/net").check)
    assert text.startswith("model.checkpoint=org/net")
    assert words in text


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        # The hub describes a gated repository to anyone, and refuses its files.
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(404, "EntryNotFound", "config.json", id="no_config"),
        pytest.param(500, "", "500", id="broken"),
    ],
)
def test_hub_refusal_of_the_config_is_one_line_too(
    published: HubServer, refusal: Refusal, status: int, code: str, words: str
) -> None:
    published.answer("/org/net/resolve/main/config.json", status, code)
    text = refusal(Hub("org/net").check)
    assert "org/net" in text
    assert words in text


@pytest.mark.parametrize("absence", ["no_hub", "offline"])
def test_hub_out_of_reach_is_refused(
    request: pytest.FixtureRequest, refusal: Refusal, absence: str
) -> None:
    request.getfixturevalue(absence)
    text = refusal(Hub("org/net").check)
    assert "is not in the local cache and the hub can't be reached" in text
    assert "model=local model.path=" in text


@pytest.mark.parametrize("absence", ["no_hub", "offline"])
def test_hub_cache_serves_without_a_network(
    request: pytest.FixtureRequest, absence: str, cached: Cached, vit_folder: Path
) -> None:
    import torch

    request.getfixturevalue(absence)
    cached("org/net", vit_folder)
    source = Hub("org/net")
    assert source.check().names == NAMES
    classifier = source.load("cpu")
    pixels = classifier.preprocess(images(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            classifier.module(pixels), Local(str(vit_folder)).load("cpu").module(pixels)
        )


def test_hub_cache_serves_without_waiting_for_an_absent_hub(
    no_hub: HubServer, cached: Cached, vit_folder: Path
) -> None:
    cached("org/net", vit_folder)
    Hub("org/net").load("cpu")
    assert no_hub.naps_s == []


def test_hub_cache_is_judged_like_a_folder(
    offline: None, cached: Cached, vit_folder: Path, edited: Edited, refusal: Refusal
) -> None:
    folder = edited(vit_folder)
    pickle_weights(folder)
    cached("org/net", folder)
    assert "model.allow_pickle=true" in refusal(Hub("org/net").check)
    assert Hub("org/net", allow_pickle=True).check().names == NAMES


def test_hub_ids_of_the_configurations_are_wellformed() -> None:
    from greenexp.settings.conf import config_dir

    for path in (config_dir() / "model").glob("*.yaml"):
        for line in path.read_text().splitlines():
            key, _, rest = line.partition(":")
            identifier = rest.partition("#")[0].strip()
            if key == "checkpoint" and identifier != "???":
                assert Hub(json.loads(f'"{identifier}"')).title
