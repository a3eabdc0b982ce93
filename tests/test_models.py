"""Classifiers from a folder, from the package and from the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.datasets import digits_split
from greenexp.datasets.digits import Digits
from greenexp.models.card import Card
from greenexp.models.embedded_model import FOLDER, Embedded
from greenexp.models.hub import Hub
from greenexp.models.local import Local
from greenexp.protocols import LabelSpace

if TYPE_CHECKING:
    from conftest import HubServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = ["blue", "green", "red"]
EMBEDDED = sorted(path.parent.name for path in FOLDER.glob("*/model.safetensors"))
MIN_TOP1 = 0.90
MAX_EMBEDDED_BYTES = 8_000_000
BATCH_SIZE = 64

Edited = Callable[..., Path]
Refusal = Callable[[Callable[[], object]], str]
Cached = Callable[[str, Path], None]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def save_weights(folder: Path, values: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})


def pickle_weights(folder: Path) -> None:
    """Leaves the weights in pytorch_model.bin only."""
    import torch

    torch.save(weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def images(count: int) -> list[Any]:
    from PIL import Image

    return [Image.new("RGB", (20, 10), (40 * index, 255, 10)) for index in range(count)]


# From a folder


@pytest.mark.parametrize("family", ["vit_folder", "resnet_folder"])
def test_local_classifier_maps_images_to_logits(
    request: pytest.FixtureRequest, family: str
) -> None:
    import torch

    folder = request.getfixturevalue(family)
    classifier = Local(str(folder), labels="colors").load("cpu")
    pixels = classifier.preprocess(images(5))
    assert (pixels.shape, pixels.dtype) == ((5, 3, 32, 32), torch.float32)
    with torch.inference_mode():
        logits = classifier.module(pixels)
    assert (logits.shape, logits.dtype) == ((5, 3), torch.float32)
    assert logits.unique(dim=0).shape[0] == 5  # five images, five answers
    assert classifier.labels == LabelSpace("colors", NAMES)
    assert classifier.offset == 0
    assert not any(weight.requires_grad for weight in classifier.module.parameters())


def test_local_classifier_is_in_evaluation_mode_throughout(vit_folder: Path) -> None:
    module = Local(str(vit_folder)).load("cpu").module
    assert [name for name, part in module.named_modules() if part.training] == []


def test_local_logits_are_those_of_transformers(vit_folder: Path) -> None:
    import torch
    from transformers import AutoModelForImageClassification

    classifier = Local(str(vit_folder)).load("cpu")
    pixels = classifier.preprocess(images(2))
    model = AutoModelForImageClassification.from_pretrained(vit_folder).eval()
    with torch.inference_mode():
        torch.testing.assert_close(classifier.module(pixels), model(pixel_values=pixels).logits)


def test_local_provenance_names_what_was_loaded(vit_folder: Path) -> None:
    assert Local(str(vit_folder)).load("cpu").provenance == {
        "checkpoint": str(vit_folder),
        "architecture": "ViTForImageClassification",
        "image_processor": "ViTImageProcessorPil",
    }


def test_local_weights_in_half_precision_are_read_in_single(
    vit_folder: Path, edited: Edited
) -> None:
    import torch

    folder = edited(vit_folder, dtype="float16")
    save_weights(folder, {name: value.half() for name, value in weights(folder).items()})
    classifier = Local(str(folder)).load("cpu")
    assert {weight.dtype for weight in classifier.module.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("labels", "offset", "names"),
    [
        pytest.param(None, 0, NAMES, id="all"),
        pytest.param("colors", 0, NAMES, id="in_a_label_space"),
        pytest.param("colors", 1, NAMES[1:], id="output_0_is_background"),
    ],
)
def test_local_check_and_load_name_the_same_classes(
    vit_folder: Path, labels: str | None, offset: int, names: list[str]
) -> None:
    source = Local(str(vit_folder), labels=labels, offset=offset)
    classifier = source.load("cpu")
    assert source.check() == classifier.labels == LabelSpace(labels, names)
    assert classifier.offset == offset


def test_local_classes_are_in_the_order_of_their_numbers(vit_folder: Path, edited: Edited) -> None:
    names = [f"class {index}" for index in range(12)]
    id2label = {str(index): names[index] for index in (10, 2, 11, *range(2), *range(3, 10))}
    assert Local(str(edited(vit_folder, id2label=id2label))).check().names == names


def test_local_classes_are_found_where_config_json_leaves_the_default_names_out(
    vit_folder: Path, edited: Edited
) -> None:
    # save_pretrained writes no id2label where it is {0: LABEL_0, 1: LABEL_1}
    folder = edited(vit_folder, id2label=None, label2id=None)
    head = {"classifier.weight", "classifier.bias"}
    save_weights(
        folder,
        {key: value[:2] if key in head else value for key, value in weights(folder).items()},
    )
    source = Local(str(folder))
    assert source.load("cpu").labels.names == ["LABEL_0", "LABEL_1"]
    assert source.check().names == ["LABEL_0", "LABEL_1"]


@pytest.mark.parametrize(
    ("path", "title"),
    [
        pytest.param("models/my_vit", "my_vit", id="relative"),
        pytest.param("/srv/models/my_vit/", "my_vit", id="trailing_slash"),
        pytest.param("/srv/models/../my_vit", "my_vit", id="dots"),
    ],
)
def test_local_title_is_the_folder_s_name(path: str, title: str) -> None:
    assert Local(path).title == title


def test_local_title_of_the_working_directory_is_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Local(".").title == tmp_path.name


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text)


def only_training_arguments(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.safetensors.partial")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(shutil.rmtree, "is no folder", id="no_folder"),
        pytest.param(remove("config.json"), "lacks config.json", id="no_config"),
        pytest.param(
            remove("preprocessor_config.json"), "lacks preprocessor_config.json", id="no_processor"
        ),
        pytest.param(write("config.json", "{"), "config.json can't be read", id="no_json"),
        pytest.param(write("config.json", ""), "config.json can't be read", id="empty"),
        pytest.param(write("config.json", "[1]"), "config.json", id="json_but_no_object"),
        pytest.param(remove("model.safetensors"), "holds no weights", id="no_weights"),
        pytest.param(only_training_arguments, "holds no weights", id="half_downloaded"),
        pytest.param(pickle_weights, "model.allow_pickle=true", id="pickled_weights"),
    ],
)
def test_local_folder_that_can_t_be_used_is_refused(
    vit_folder: Path,
    edited: Edited,
    refusal: Refusal,
    damage: Callable[[Path], object],
    said: str,
) -> None:
    folder = edited(vit_folder)
    damage(folder)
    text = refusal(Local(str(folder)).check)
    assert str(folder) in text
    assert said in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"architectures": ["ViTModel"]}, "names ViTModel", id="a_backbone"),
        pytest.param({"architectures": []}, "names no architecture", id="none_given"),
        pytest.param({"architectures": None}, "names no architecture", id="missing"),
        pytest.param({"architectures": ["CLIPForZeroShotImageClassification"]}, "", id="zero_shot"),
        pytest.param(
            {"auto_map": {"AutoModelForImageClassification": "own.Own"}},
            "model.trust_remote_code=true",
            id="code_of_its_own",
        ),
        pytest.param({"id2label": {"cat": "0", "dog": "1"}}, "id2label", id="labels_swapped"),
    ],
)
def test_local_config_that_can_t_be_used_is_refused(
    vit_folder: Path, edited: Edited, refusal: Refusal, changes: dict[str, Any], said: str
) -> None:
    folder = edited(vit_folder, **changes)
    text = refusal(Local(str(folder)).check)
    assert str(folder) in text
    assert said in text


def test_local_code_of_its_own_may_be_trusted(vit_folder: Path, edited: Edited) -> None:
    folder = edited(vit_folder, auto_map={"AutoModelForImageClassification": "own.Own"})
    assert Local(str(folder), trust_remote_code=True).check().names == NAMES


@pytest.mark.parametrize("bad", [-1, 3, 9])
def test_local_offset_must_leave_classes(vit_folder: Path, refusal: Refusal, bad: int) -> None:
    assert "model.offset" in refusal(lambda: Local(str(vit_folder), offset=bad).check())


def test_local_pickled_weights_are_read_only_where_allowed(
    vit_folder: Path, edited: Edited, refusal: Refusal
) -> None:
    import torch

    folder = edited(vit_folder)
    pickle_weights(folder)
    assert "model.safetensors" in refusal(lambda: Local(str(folder)).load("cpu"))
    allowed = Local(str(folder), allow_pickle=True)
    assert allowed.check().names == NAMES
    classifier = allowed.load("cpu")
    pixels = classifier.preprocess(images(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            classifier.module(pixels), Local(str(vit_folder)).load("cpu").module(pixels)
        )


def test_local_shards_count_as_weights(vit_folder: Path, edited: Edited) -> None:
    from transformers import AutoModelForImageClassification

    folder = edited(vit_folder)
    (folder / "model.safetensors").unlink()
    AutoModelForImageClassification.from_pretrained(vit_folder).save_pretrained(
        folder, max_shard_size="10KB"
    )
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    source = Local(str(folder))
    assert source.check() == source.load("cpu").labels


def without_head(folder: Path) -> None:
    save_weights(
        folder,
        {key: value for key, value in weights(folder).items() if not key.startswith("classifier")},
    )


def with_a_head_of_two(folder: Path) -> None:
    save_weights(
        folder,
        {
            key: value[:2] if key.startswith("classifier") else value
            for key, value in weights(folder).items()
        },
    )


LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 346290000\n"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(without_head, "classifier.weight", id="no_head"),
        pytest.param(with_a_head_of_two, "", id="head_of_another_size"),
        pytest.param(write("model.safetensors", LFS_POINTER), "", id="git_lfs_pointer"),
        pytest.param(write("model.safetensors", ""), "", id="empty_weights"),
        pytest.param(
            write("preprocessor_config.json", "{"), "preprocessor_config.json", id="processor"
        ),
    ],
)
def test_local_weights_that_can_t_be_used_are_refused_when_loaded(
    vit_folder: Path,
    edited: Edited,
    refusal: Refusal,
    damage: Callable[[Path], object],
    said: str,
) -> None:
    folder = edited(vit_folder)
    damage(folder)
    text = refusal(lambda: Local(str(folder)).load("cpu"))
    assert str(folder) in text
    assert said in text


# In the package


def test_embedded_models_are_five_and_small() -> None:
    assert len(EMBEDDED) == 5
    assert {path.parent.name for path in FOLDER.glob("*/config.json")} == set(EMBEDDED)
    size_bytes = sum(path.stat().st_size for path in FOLDER.glob("*/*.safetensors"))
    assert size_bytes < MAX_EMBEDDED_BYTES


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_model_knows_the_digits(name: str) -> None:
    import torch

    source = Embedded(name, labels="digits")
    classifier = source.load("cpu")
    assert source.check() == classifier.labels == Digits(labels="digits").check()
    samples = Digits().load()
    count = len(samples.targets)
    right = 0
    with torch.inference_mode():
        for start in range(0, count, BATCH_SIZE):
            group = range(start, min(start + BATCH_SIZE, count))
            logits = classifier.module(
                classifier.preprocess([samples.image(index) for index in group])
            )
            assert logits.shape == (len(group), digits_split.CLASS_COUNT)
            truth = torch.tensor([samples.targets[index] for index in group])
            right += int((logits.argmax(dim=-1) == truth).sum())
    assert right / count >= MIN_TOP1


def test_embedded_choice_names_itself() -> None:
    assert Embedded(EMBEDDED[0]).title is None


def test_embedded_name_is_checked_when_it_is_given(refusal: Refusal) -> None:
    text = refusal(lambda: Embedded("digits_vitt"))
    assert "model.name=digits_vitt" in text
    assert "Did you mean digits_vit?" in text


# On the hub


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
    from greenexp.config import build

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
    from greenexp.config import build

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
    ("files", "options", "said"),
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
    said: str,
) -> None:
    published.describe("org/net", "config.json", *files)
    assert said in refusal(lambda: Hub("org/net", **options).check())


def test_hub_pickled_weights_may_be_allowed(published: HubServer) -> None:
    published.describe("org/net", "config.json", "pytorch_model.bin")
    assert Hub("org/net", allow_pickle=True).check().names == NAMES


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(404, "RepoNotFound", "is not on the hub, or private", id="not_found"),
        pytest.param(404, "RevisionNotFound", "has no revision main", id="revision"),
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(500, "", "the hub answered with status 500", id="broken"),
    ],
)
def test_hub_refusal_says_what_the_hub_said(
    hub: HubServer, refusal: Refusal, status: int, code: str, said: str
) -> None:
    hub.answer("/api/models/org/net/revision/main", status, code)
    text = refusal(Hub("org/net").check)
    assert text.startswith("model.checkpoint=org/net")
    assert said in text


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        # The hub describes a gated repository to anyone, and refuses its files.
        pytest.param(401, "GatedRepo", "is gated", id="gated"),
        pytest.param(404, "EntryNotFound", "config.json", id="no_config"),
        pytest.param(500, "", "500", id="broken"),
    ],
)
def test_hub_refusal_of_the_config_is_one_line_too(
    published: HubServer, refusal: Refusal, status: int, code: str, said: str
) -> None:
    published.answer("/org/net/resolve/main/config.json", status, code)
    text = refusal(Hub("org/net").check)
    assert "org/net" in text
    assert said in text


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
    from greenexp.config import config_dir

    for path in (config_dir() / "model").glob("*.yaml"):
        for line in path.read_text().splitlines():
            key, _, rest = line.partition(":")
            identifier = rest.partition("#")[0].strip()
            if key == "checkpoint" and identifier != "???":
                assert Hub(json.loads(f'"{identifier}"')).title
