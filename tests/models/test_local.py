"""Classifiers from a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenexp.models.checkpoint import CLASSIFIER
from greenexp.models.local import Local
from greenexp.protocols import LabelSpace
from tests.support.model_folders import NAMES, Edited, images, pickle_weights, save_weights, weights
from tests.support.modules import Refusal


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


def test_local_folder_in_the_home_is_found(
    vit_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(vit_folder.parent))
    source = Local(f"~/{vit_folder.name}")
    assert source.check().names == NAMES
    assert source.title == vit_folder.name


def test_every_class_that_transformers_makes_of_a_classifier_is_taken() -> None:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
    )

    listed = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.values()
    names = {name for entry in listed for name in ([entry] if isinstance(entry, str) else entry)}
    refused = {name for name in names if CLASSIFIER.search(name) is None}
    assert {"DeiTForImageClassificationWithTeacher", "LevitForImageClassificationWithTeacher"} <= (
        names
    )
    assert refused == set()
    assert CLASSIFIER.search("ViTForMaskedImageModeling") is None


def test_local_quantized_checkpoint_is_refused(
    vit_folder: Path, edited: Edited, refusal: Refusal
) -> None:
    folder = edited(vit_folder, quantization_config={"quant_method": "torchao"})
    message = refusal(lambda: Local(str(folder)).check())
    assert "is quantized already" in message


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text)


def only_training_arguments(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.safetensors.partial")


@pytest.mark.parametrize(
    ("damage", "words"),
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
    words: str,
) -> None:
    folder = edited(vit_folder)
    damage(folder)
    text = refusal(Local(str(folder)).check)
    assert str(folder) in text
    assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
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
    vit_folder: Path, edited: Edited, refusal: Refusal, changes: dict[str, Any], words: str
) -> None:
    folder = edited(vit_folder, **changes)
    text = refusal(Local(str(folder)).check)
    assert str(folder) in text
    assert words in text


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
    ("damage", "words"),
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
    words: str,
) -> None:
    folder = edited(vit_folder)
    damage(folder)
    text = refusal(lambda: Local(str(folder)).load("cpu"))
    assert str(folder) in text
    assert words in text
