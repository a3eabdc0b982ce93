"""How a row of the catalogue comes about, and how the tables show it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from greenexp.catalog import rows, tables
from greenexp.catalog.scores import Score
from greenexp.models.card import Card
from tests.support.catalogued import CONF
from tests.support.model_folders import Cached, Edited

if TYPE_CHECKING:
    from tests.support.hub_server import HubServer

DOCS = Path(__file__).parents[1].parent / "docs" / "catalog.md"
WIDTH = 160


def shown(listing: tables.Listing, width: int = WIDTH) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(tables.table(listing, width))
    return captured.get()


def rows_of(listing: tables.Listing) -> dict[str | None, dict[str, str | None]]:
    return {row[0]: dict(zip(listing.columns, row, strict=True)) for row in listing.rows}


def options(folder: Path, group: str, **texts: str) -> Path:
    """Makes a folder of configuration with options of a group; returns it."""
    (folder / group).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / group / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def model(measured: list[Score] | None = None, **fields_: Any) -> rows.Model:
    given: dict[str, Any] = {
        "name": "net",
        "checkpoint": "org/net",
        "labels": "colors",
        "card": Card(),
        "parameters_m": None,
        "disk_mib": None,
    }
    return rows.Model(**(given | fields_), measured=measured or [])


def ran(dataset: str = "digits", top1: float = 0.5, **fields_: Any) -> Score:
    given = {"model": "net", "place": None, "limit": None, "macs": None} | fields_
    return Score(dataset=dataset, top1=top1, **given)


def test_embedded_models_are_counted_by_their_headers(elsewhere: Path) -> None:
    import torch

    from greenexp.models.embedded_model import Embedded

    models = {row.name: row for row in rows.models(CONF, [])}
    embedded = [row for name, row in models.items() if name.startswith("digits_")]
    assert len(embedded) == 5
    for row in embedded:
        module = Embedded(row.name).load("cpu").module
        assert isinstance(module, torch.nn.Module)
        counted = sum(parameter.numel() for parameter in module.parameters())
        assert row.parameters_m == counted / 1e6
        assert row.disk_mib is not None
        assert row.float32_mib is not None
        assert row.disk_mib > row.float32_mib  # the header, and buffers
        assert row.gmacs is None


def test_nothing_but_the_embedded_models_lies_in_an_empty_cache(elsewhere: Path) -> None:
    on_disk = {row.name for row in rows.models(CONF, []) if row.disk_mib is not None}
    assert on_disk == {row.name for row in rows.models(CONF, []) if row.checkpoint is None}
    assert not (elsewhere / "hub_cache").exists()


def test_cached_weights_have_their_size_and_count(
    tmp_path: Path, no_hub: HubServer, cached: Cached, resnet_folder: Path
) -> None:
    cached("org/net", resnet_folder)
    text = "checkpoint: org/net\nrevision: main\n"
    (row,) = rows.models(options(tmp_path / "conf", "model", net=text), [])
    size = (resnet_folder / "model.safetensors").stat().st_size
    assert row.disk_mib == size / 2**20
    config = json.loads((resnet_folder / "config.json").read_text())
    assert config["hidden_sizes"] == [8, 16]
    from greenexp.models.local import Local

    module = Local(str(resnet_folder)).load("cpu").module
    assert row.parameters_m == sum(value.numel() for value in module.parameters()) / 1e6
    assert no_hub.requests == []


def test_shards_count_only_where_all_are_there(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "model-1.safetensors").write_bytes(b"1")
    assert rows.weight_files(tmp_path) == []
    (tmp_path / "model-2.safetensors").write_bytes(b"2")
    names = [path.name for path in rows.weight_files(tmp_path)]
    assert names == ["model-1.safetensors", "model-2.safetensors"]


def test_pickled_weights_have_a_size_and_no_count(
    tmp_path: Path, no_hub: HubServer, cached: Cached, edited: Edited, vit_folder: Path
) -> None:
    folder = edited(vit_folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    cached("org/net", folder)
    text = "checkpoint: org/net\nrevision: main\n"
    (row,) = rows.models(options(tmp_path / "conf", "model", net=text), [])
    assert row.disk_mib is not None
    assert row.parameters_m is None


def test_template_is_no_model_and_no_data_set() -> None:
    assert rows.templates(CONF, "model") == ["hub", "local"]
    assert {"folder", "hub"} <= set(rows.templates(CONF, "dataset"))
    assert not {"hub", "local"} & {row.name for row in rows.models(CONF, [])}
    assert not {"hub", "folder"} & {data_set.name for data_set in rows.data_sets(CONF)}
    assert "digits" in {data_set.name for data_set in rows.data_sets(CONF)}


def test_data_set_shows_its_card_and_lacks_what_it_has_not(tmp_path: Path) -> None:
    whole = (
        "id: org/data\nsplit: test\nlabels: colors\n"
        "card:\n  images: 12000\n  classes: 3\n  gated: false\n  licence: mit\n"
    )
    conf = options(tmp_path, "dataset", whole=whole, bare="labels: colors\n", part="card: null\n")
    listing = tables.of_data_sets(rows.data_sets(conf))
    assert rows_of(listing)["whole"] == {
        "data set": "whole",
        "id": "org/data",
        "split": "test",
        "label space": "colors",
        "gated": "no",
        "licence": "mit",
        "images": "12,000",
        "classes": "3",
    }
    assert set(rows_of(listing)["part"].values()) == {"part", None}
    assert re.search(r"bare +– +– +colors +– +– +– +–", shown(listing))


# The tables


def test_row_of_a_known_model(elsewhere: Path) -> None:
    row = rows_of(tables.of_models(rows.models(CONF, []), []))["resnet_50"]
    assert row == {
        "model": "resnet_50",
        "checkpoint": "microsoft/resnet-50",
        "family": "ResNet",
        "label space": "imagenet_1k",
        "licence": "apache-2.0",
        "M param.": "25.56",
        "GMACs": "4.089",
        "px": "224",
        "disk MiB": None,
        "float32 MiB (computed)": "97.5",
        "top-1 reported": "0.8037",
        "top-1 measured": None,
    }


def test_macs_of_a_run_stand_in_for_a_card_s() -> None:
    (row,) = rows_of(tables.of_models([model([ran(macs=2.5e6)])], [])).values()
    assert row["GMACs"] == "0.003"
    told = Card(gmacs=4.0, gmacs_source="a paper")
    (row,) = rows_of(tables.of_models([model([ran(macs=2.5e6)], card=told)], [])).values()
    assert row["GMACs"] == "4.000"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        pytest.param(ran(), "0.5000 digits", id="option"),
        pytest.param(ran("hub", place="org/data"), "0.5000 hub org/data", id="template"),
        pytest.param(ran("pets", place="org/pets"), "0.5000 pets", id="catalogued"),
        pytest.param(ran(limit=100), "0.5000 digits, 100 images", id="part of it"),
        pytest.param(ran(top1=0.0), "0.0000 digits", id="nothing right"),
    ],
)
def test_measured_top1_names_its_data_set(run: Score, text: str) -> None:
    (row,) = rows_of(tables.of_models([model([run])], ["hub", "folder"])).values()
    assert row["top-1 measured"] == text


def test_wide_table_keeps_names_whole(elsewhere: Path) -> None:
    models = rows.models(CONF, [])
    text = shown(tables.of_models(models, []))
    assert max(map(len, text.splitlines())) <= WIDTH
    for row in models:
        assert re.search(rf"^ ?{re.escape(row.name)} ", text, re.MULTILINE)


def test_narrow_table_folds_and_loses_nothing(elsewhere: Path) -> None:
    models = rows.models(CONF, [])
    text = shown(tables.of_models(models, []), width=80)
    assert max(map(len, text.splitlines())) <= 80
    letters = sum(len(row.checkpoint or "") for row in models)
    assert len("".join(text.split())) > letters + sum(len(row.name) for row in models)


def test_name_in_brackets_is_no_markup() -> None:
    assert "[red]net" in shown(tables.of_models([model(name="[red]net")], []))


def test_markdown_leaves_out_columns_that_say_nothing() -> None:
    lines = tables.markdown(tables.of_models([model(), model(name="b", disk_mib=1.0)], []))
    assert lines.splitlines() == [
        "| model | checkpoint | label space | disk MiB |",
        "| --- | --- | --- | ---: |",
        "| net | org/net | colors | – |",
        "| b | org/net | colors | 1.0 |",
    ]


def test_docs_hold_the_table_of_models(elsewhere: Path) -> None:
    generated = tables.markdown(tables.of_models(rows.models(CONF, []), []))
    assert generated in DOCS.read_text("utf-8"), "python -m greenexp.catalog --markdown model"
