"""The data sets that come with greenexp, and their cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from greenexp.datasets.card import DatasetCard
from greenexp.datasets.labels import identifiers
from greenexp.settings.build import build
from greenexp.settings.conf import config_dir

if TYPE_CHECKING:
    from tests.support.modules import Refusal

SHIPPED = sorted(
    path.stem for path in (config_dir() / "dataset").glob("*.yaml") if "Hub" in path.read_text()
)
SHIPPED.remove("hub")  # the template


def shipped(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((config_dir() / "dataset" / f"{name}.yaml").read_text())
    return values


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_data_set_has_a_card(name: str) -> None:
    source = build(shipped(name), "dataset")
    assert source.card.source
    assert source.card.classes
    assert source.labels
    assert source.split in ("test", "validation", "valid") or source.calibration_split is None


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_part_of_imagenet_says_which_classes_it_holds(name: str) -> None:
    source = build(shipped(name), "dataset")
    if source.class_names is not None:
        assert source.labels == "imagenet_1k"
        assert len(source.class_names) == source.card.classes < 1000
        assert set(source.class_names) <= set(identifiers("imagenet_1k"))


def test_typo_in_a_card_is_refused(refusal: Refusal) -> None:
    values = shipped("mnist")
    values["card"]["licennce"] = "mit"
    assert "dataset.card" in refusal(lambda: build(values, "dataset"))


def test_guide_names_every_data_set() -> None:
    guide = (config_dir().parent / "docs" / "datasets.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("|")}
    assert {f"`{name}`" for name in [*SHIPPED, "digits", "folder", "hub"]} <= rows


@pytest.mark.parametrize("field", ["images", "classes"])
def test_card_of_nothing_is_refused(refusal: Refusal, field: str) -> None:
    assert f"dataset.card.{field}=0" in refusal(lambda: DatasetCard(**{field: 0}))
