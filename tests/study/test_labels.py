"""What cells are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenexp.study.labels import Labels, labels

CHOICES = {
    "model": "digits_vit",
    "tactic": "baseline",
    "dataset": "digits",
    "hardware": "local",
    "workload": "quick",
}
LABELS = Labels("digits_vit", "baseline", "digits", "local", "quick", "")


def params(**given: str) -> dict[str, str]:
    """Returns parameters as MLflow holds them; a double underscore stands for a dot."""
    return CHOICES | {key.replace("__", "."): value for key, value in given.items()}


def called(*cells: dict[str, str]) -> list[Labels]:
    return list(labels({str(number): cell for number, cell in enumerate(cells)}).values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, LABELS, id="choices"),
        pytest.param(
            {"model": "local", "model__path": "/srv/models/mine/"},
            replace(LABELS, model="mine"),
            id="folder of a model",
        ),
        pytest.param(
            {"model": "local", "model__path": ".."}, replace(LABELS, model=".."), id="no last part"
        ),
        pytest.param(
            {"model": "hub", "model__checkpoint": "org/name"},
            replace(LABELS, model="org/name"),
            id="checkpoint",
        ),
        pytest.param(
            {"model": "resnet_50", "model__checkpoint": "microsoft/resnet-50"},
            replace(LABELS, model="resnet_50"),
            id="catalogued",
        ),
        pytest.param(
            {"dataset": "folder", "dataset__path": "photos/val"},
            replace(LABELS, dataset="val"),
            id="folder of images",
        ),
        pytest.param(
            {"dataset": "hub", "dataset__id": "org/data"},
            replace(LABELS, dataset="org/data"),
            id="data set of the hub",
        ),
        pytest.param(
            {"tactic": "local_pruning", "tactic__amount": "0.3"},
            replace(LABELS, tactic="local_pruning"),
            id="option that nothing else has otherwise",
        ),
    ],
)
def test_labels_of_one_cell(given: dict[str, str], expected: Labels) -> None:
    assert called(params(**given)) == [expected]


def test_label_without_choices_is_empty() -> None:
    assert called({}) == [Labels("", "", "", "", "", "")]


def test_options_of_a_tactic_are_named_where_they_differ() -> None:
    cells = [
        params(tactic="local_pruning", tactic__amount="0.3", tactic___target_="a.A"),
        params(tactic="local_pruning", tactic__amount="0.5", tactic___target_="b.B"),
        params(tactic="global_pruning", tactic__amount="0.3"),
        params(tactic="torch_compile", tactic__mode="default"),
        params(tactic="torch_compile", tactic__mode="default", tactic__dynamic="True"),
    ]
    assert [label.tactic for label in called(*cells)] == [
        "local_pruning amount=0.3",
        "local_pruning amount=0.5",
        "global_pruning",
        "torch_compile",
        "torch_compile dynamic=True",
    ]


def test_baseline_is_called_so_however_it_was_chosen() -> None:
    empty_chain = params(tactic___target_="greenexp.tactics.chain.Chain", tactic__steps="[]")
    assert [label.tactic for label in called(params(), empty_chain)] == ["baseline", "baseline"]


def test_models_of_one_name_are_told_apart() -> None:
    cells = [
        params(model="local", model__path="a/best", model__offset="0"),
        params(model="local", model__path="b/best", model__offset="0"),
        params(model="local", model__path="b/last", model__offset="1"),
        params(model="resnet_50", model__revision="main"),
        params(model="resnet_50", model__revision="v2"),
    ]
    assert [label.model for label in called(*cells)] == [
        "best path=a/best",
        "best path=b/best",
        "last",
        "resnet_50 revision=main",
        "resnet_50 revision=v2",
    ]


def test_settings_that_differ_are_named_alike_for_every_model() -> None:
    cells = [
        params(workload__batch_size="1", device="auto"),
        params(workload__batch_size="8", device="auto"),
        params(workload__batch_size="8", device="cpu", model="digits_swin"),
    ]
    assert [label.setting_varied for label in called(*cells)] == [
        "batch_size=1 device=auto",
        "batch_size=8 device=auto",
        "batch_size=8 device=cpu",
    ]


def test_settings_are_compared_within_a_place_only() -> None:
    cells = [
        params(dataset="imagenet_1k", dataset__limit="500"),
        params(dataset="imagenet_1k"),
        params(workload="steady", workload__min_seconds="10.0"),
        params(workload="quick", workload__min_seconds="0.5"),
    ]
    assert [label.setting_varied for label in called(*cells)] == ["limit=500", "", "", ""]


@pytest.mark.parametrize(
    "key",
    [
        "title",
        "repetitions",
        "sweep.block",
        "tracking.uri",
        "isolation.timeout_s",
        "effect.graphs",
        "provenance.revision",
        "hardware.description",
        "hardware.price.source",
        "hardware.price.electricity_source",
        "hardware.price.date",
        "hardware.carbon.region",
        "dataset._target_",
        "model.offset",
        "tactic.amount",
    ],
)
def test_what_is_no_setting_is_not_named(key: str) -> None:
    cells = [params() | {key: "1"}, params() | {key: "2"}]
    assert [label.setting_varied for label in called(*cells)] == ["", ""]


def test_prices_are_settings() -> None:
    cells = [params(hardware__price__usd_per_kwh=price) for price in ("0.19", "0.25")]
    assert [label.setting_varied for label in called(*cells)] == [
        "hardware.price.usd_per_kwh=0.19",
        "hardware.price.usd_per_kwh=0.25",
    ]


def test_models_of_one_name_with_other_files_are_told_apart_by_their_digest() -> None:
    a = params(model="local", model__path="a/checkpoint-500", inputs__model="1111111122222222")
    b = params(model="local", model__path="b/checkpoint-500", inputs__model="3333333344444444")
    first, second = called(a, b)
    assert first.model != second.model
    assert {label.model.split()[0].partition("@")[0] for label in (first, second)} == {
        "checkpoint-500"
    }


def test_data_sets_of_one_name_with_other_images_are_told_apart() -> None:
    before = params(dataset="folder", dataset__path="photos", inputs__dataset="aaaaaaaabbbbbbbb")
    after = params(dataset="folder", dataset__path="photos", inputs__dataset="ccccccccdddddddd")
    assert [label.dataset for label in called(before, after)] == [
        "photos@aaaaaaaa",
        "photos@cccccccc",
    ]
    assert [label.dataset for label in called(before, before)] == ["photos"] * 2
