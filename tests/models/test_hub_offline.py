"""What the real clients do with a hub's models: a download, a cut, and then no network.

greenexp's classes run in a fresh interpreter each time, since the libraries read HF_HOME,
HF_ENDPOINT and HF_HUB_OFFLINE when they are imported. The hub is a server on loopback, see
loopback_hub.py; no other host can be looked up.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import hub_clients
from tests.support.hub_clients import CHUNK, COLORS, COMMIT, MIB, MODEL, Child
from tests.support.loopback_hub import LoopbackHub
from tests.support.tiny_models import saved

hub, child = hub_clients.hub, hub_clients.child


def put_model(hub: LoopbackHub, folder: Path) -> None:
    for path in folder.iterdir():
        hub.put("models/org/net", path.name, path.read_bytes())


USE = 'say(lambda: outputs(Hub("org/net")))'


@pytest.mark.slow
def test_model_is_downloaded_once_and_then_needs_no_hub(
    hub: LoopbackHub, child: Child, vit_folder: Path
) -> None:
    put_model(hub, vit_folder)
    (first,) = child(MODEL, USE)
    assert first[:2] == [list(COLORS), COMMIT]
    assert hub.sent("model.safetensors") > 0

    hub.log.clear()
    (offline,) = child(MODEL, USE, HF_HUB_OFFLINE="1")
    assert offline == first
    assert hub.log == []


@pytest.mark.slow
def test_model_in_the_hub_cache_needs_no_hub(
    hub: LoopbackHub, child: Child, vit_folder: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "home" / "hub" / "models--org--net"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    shutil.copytree(vit_folder, repository / "snapshots" / COMMIT)
    (answer,) = child(MODEL, USE, HF_HUB_OFFLINE="1")
    assert answer[:2] == [list(COLORS), COMMIT]
    assert hub.log == []


@pytest.mark.slow
def test_cut_download_of_a_model_goes_on_where_it_stopped(
    hub: LoopbackHub, child: Child, tmp_path: Path
) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    size = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4}
    config = ViTConfig(image_size=32, patch_size=8, num_attention_heads=4, num_labels=3, **size)
    put_model(hub, saved(tmp_path / "large", lambda: ViTForImageClassification(config)))
    weights = hub.files["models/org/net"]["model.safetensors"]
    assert len(weights) > CHUNK + MIB
    hub.cuts["model.safetensors"] = [CHUNK + MIB]
    (answer,) = child(MODEL, USE)
    assert answer[1] == COMMIT
    assert hub.ranges("model.safetensors") == [(0, CHUNK + MIB), (CHUNK, len(weights))]
    snapshot = tmp_path / "home" / "hub" / "models--org--net" / "snapshots" / COMMIT
    assert (snapshot / "model.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_download_of_a_model_that_breaks_off_for_good_ends_well_later(
    hub: LoopbackHub, child: Child, vit_folder: Path
) -> None:
    put_model(hub, vit_folder)
    hub.cuts["model.safetensors"] = [100] * 99
    (answer,) = child(MODEL, USE)
    assert "org/net" in answer["refused"]
    hub.cuts.clear()
    (answer,) = child(MODEL, USE)
    assert answer[:2] == [list(COLORS), COMMIT]
