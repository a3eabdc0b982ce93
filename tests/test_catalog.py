"""What the configuration offers to choose from, and how the catalogue tells of it."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from builders import cpu_run, record, window
from rich.console import Console

from greenexp.catalog import rows, tables
from greenexp.catalog.__main__ import main
from greenexp.config import build, config_dir
from greenexp.models.card import Card
from greenexp.models.hub import Hub
from greenexp.protocols import Scalar
from greenexp.result import Complexity, Predictions
from greenexp.schema import Tracking
from greenexp.store import journal, tracking
from greenexp.store.tracking import Measured

if TYPE_CHECKING:
    from conftest import HubServer

CONF = config_dir()
DOCS = Path(__file__).parent.parent / "docs" / "catalog.md"
CATALOGUED = sorted(
    path.stem
    for path in (CONF / "model").glob("*.yaml")
    if re.search(r"^checkpoint: \w", path.read_text("utf-8"), re.MULTILINE)
)
WIDTH = 160

Cached = Callable[[str, Path], None]


def chosen(option: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / "model" / f"{option}.yaml").read_text("utf-8"))
    return values


def built(option: str) -> Hub:
    found = build(chosen(option), "model")
    assert type(found) is Hub
    return found


def card_of(option: str) -> Card:
    card = built(option).card
    assert type(card) is Card
    return card


def shown(listing: tables.Listing, width: int = WIDTH) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(tables.table(listing, width))
    return captured.get()


def rows_of(listing: tables.Listing) -> dict[str | None, dict[str, str | None]]:
    return {row[0]: dict(zip(listing.columns, row, strict=True)) for row in listing.rows}


# What there is


@pytest.mark.parametrize("option", CATALOGUED)
def test_catalogued_model_is_a_hub_checkpoint_with_a_card(option: str) -> None:
    model = built(option)
    card = card_of(option)
    assert model.labels
    assert card.family
    assert card.source
    assert not model.allow_pickle
    assert not model.trust_remote_code
    assert set(chosen(option)["card"]) == {field.name for field in fields(Card)}


def test_checkpoints_are_unique() -> None:
    checkpoints = [built(option).checkpoint for option in CATALOGUED]
    assert len(set(checkpoints)) == len(checkpoints)


def test_there_are_models_of_many_families_and_sizes() -> None:
    cards = [card_of(option) for option in CATALOGUED if built(option).labels == "imagenet_1k"]
    sizes = [card.parameters_m for card in cards]
    assert len([size for size in sizes if size is not None and 1 <= size <= 300]) >= 42
    assert None not in sizes
    assert len({card.family for card in cards}) >= 15
    assert {card.gmacs is None for card in cards} == {False}
    assert not any((card.weights or "").startswith("bin") for card in cards)


def test_there_are_models_of_other_label_spaces() -> None:
    others = [built(option).labels for option in CATALOGUED]
    others = [labels for labels in others if labels != "imagenet_1k"]
    assert len(others) >= 6
    assert set(others) == {"beans", "cats_vs_dogs", "cifar10", "cifar100", "food101"}


@pytest.mark.parametrize("option", CATALOGUED)
def test_output_0_is_a_background_class_with_google_s_mobilenets_alone(option: str) -> None:
    model = built(option)
    google = re.match(r"google/mobilenet_v[12]_", model.checkpoint) is not None
    assert model.offset == int(google)


def test_card_of_a_known_model() -> None:
    assert built("mobilenet_v2_1_0_224").checkpoint == "google/mobilenet_v2_1.0_224"
    assert card_of("mobilenet_v2_1_0_224") == Card(
        family="MobileNetV2",
        image_size=224,
        parameters_m=3.51,
        gmacs=0.301,
        gmacs_source="counted with transformers 5.23.0, random weights",
        reported_top1=0.718,
        reported_top1_source="tensorflow/models research/slim/nets/mobilenet/README.md",
        licence="other",
        weights="safetensors+bin",
        source="huggingface.co/google/mobilenet_v2_1.0_224 @698eba0f",
    )


# How a row comes about


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an empty hub cache in it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def options(folder: Path, group: str, **texts: str) -> Path:
    """Makes a folder of configuration with options of a group; returns it."""
    (folder / group).mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / group / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def model(measured: list[Measured] | None = None, **fields_: Any) -> rows.Model:
    given: dict[str, Any] = {
        "name": "net",
        "checkpoint": "org/net",
        "labels": "colors",
        "card": Card(),
        "parameters_m": None,
        "disk_mib": None,
    }
    return rows.Model(**(given | fields_), measured=measured or [])


def ran(dataset: str = "digits", top1: float = 0.5, **fields_: Any) -> Measured:
    given = {"model": "net", "place": None, "limit": None, "macs": None} | fields_
    return Measured(dataset=dataset, top1=top1, **given)


def test_embedded_models_are_counted_by_their_headers(elsewhere: Path) -> None:
    import torch

    from greenexp.models.embedded_model import Embedded

    found = {one.name: one for one in rows.models(CONF, [])}
    embedded = [one for name, one in found.items() if name.startswith("digits_")]
    assert len(embedded) == 5
    for one in embedded:
        module = Embedded(one.name).load("cpu").module
        assert isinstance(module, torch.nn.Module)
        counted = sum(parameter.numel() for parameter in module.parameters())
        assert one.parameters_m == counted / 1e6
        assert one.disk_mib is not None
        assert one.float32_mib is not None
        assert one.disk_mib > one.float32_mib  # the header, and buffers
        assert one.gmacs is None


def test_nothing_but_the_embedded_models_lies_in_an_empty_cache(elsewhere: Path) -> None:
    on_disk = {one.name for one in rows.models(CONF, []) if one.disk_mib is not None}
    assert on_disk == {one.name for one in rows.models(CONF, []) if one.checkpoint is None}
    assert not (elsewhere / "hub_cache").exists()


def test_cached_weights_have_their_size_and_count(
    tmp_path: Path, no_hub: HubServer, cached: Cached, resnet_folder: Path
) -> None:
    cached("org/net", resnet_folder)
    text = "checkpoint: org/net\nrevision: main\n"
    (one,) = rows.models(options(tmp_path / "conf", "model", net=text), [])
    size = (resnet_folder / "model.safetensors").stat().st_size
    assert one.disk_mib == size / 2**20
    config = json.loads((resnet_folder / "config.json").read_text())
    assert config["hidden_sizes"] == [8, 16]
    from greenexp.models.local import Local

    module = Local(str(resnet_folder)).load("cpu").module
    assert one.parameters_m == sum(value.numel() for value in module.parameters()) / 1e6
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
    tmp_path: Path, no_hub: HubServer, cached: Cached, edited: Callable[..., Path], vit_folder: Path
) -> None:
    folder = edited(vit_folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    cached("org/net", folder)
    text = "checkpoint: org/net\nrevision: main\n"
    (one,) = rows.models(options(tmp_path / "conf", "model", net=text), [])
    assert one.disk_mib is not None
    assert one.parameters_m is None


def test_template_is_no_model_and_no_data_set() -> None:
    assert rows.templates(CONF, "model") == ["hub", "local"]
    assert {"folder", "hub"} <= set(rows.templates(CONF, "dataset"))
    assert not {"hub", "local"} & {one.name for one in rows.models(CONF, [])}
    assert not {"hub", "folder"} & {one.name for one in rows.data_sets(CONF)}
    assert "digits" in {one.name for one in rows.data_sets(CONF)}


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
def test_measured_top1_names_its_data_set(run: Measured, text: str) -> None:
    (row,) = rows_of(tables.of_models([model([run])], ["hub", "folder"])).values()
    assert row["top-1 measured"] == text


def test_wide_table_keeps_names_whole(elsewhere: Path) -> None:
    models = rows.models(CONF, [])
    text = shown(tables.of_models(models, []))
    assert max(map(len, text.splitlines())) <= WIDTH
    for one in models:
        assert re.search(rf"^ ?{re.escape(one.name)} ", text, re.MULTILINE)


def test_narrow_table_folds_and_loses_nothing(elsewhere: Path) -> None:
    models = rows.models(CONF, [])
    text = shown(tables.of_models(models, []), width=80)
    assert max(map(len, text.splitlines())) <= 80
    letters = sum(len(one.checkpoint or "") for one in models)
    assert len("".join(text.split())) > letters + sum(len(one.name) for one in models)


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


# The command


def send_run(folder: Path, tactic: str, day: int, hits: int, **configuration: Any) -> None:
    """Sends a run of the embedded ViT to the store in a folder; `hits` of 4 images are right."""
    targets = [0, 1, 2, 3]
    ranked = [[target if target < hits else 9] for target in targets]
    result = cpu_run(
        window(),
        predictions=Predictions([str(target) for target in targets], targets, ranked),
        after=Complexity(10, 20_000_000, 2.0, 0.0),
    )
    run = record(
        result,
        title=f"digits_vit · {tactic}",
        id=f"{tactic}-{day}-{hits}",
        choices={"model": "digits_vit", "tactic": tactic, "dataset": "digits"},
        started=f"2026-01-0{day}T00:00:00+00:00",
        ended=f"2026-01-0{day}T00:01:00+00:00",
        configuration={
            "tracking": {"uri": f"sqlite:///{folder}/mlflow.db", "experiment": "test"},
            **configuration,
        },
    )
    tracking.send(run, journal.write(run, folder / run.id))


@pytest.fixture
def store(elsewhere: Path) -> tuple[str, str]:
    """The options that name a store in which the ViT was measured thrice."""
    folder = elsewhere / "runs"
    send_run(folder, "baseline", day=1, hits=1)
    send_run(folder, "baseline", day=3, hits=3)
    send_run(folder, "baseline", day=2, hits=2)
    send_run(folder, "global_pruning", day=4, hits=0)
    send_run(folder, "baseline", day=1, hits=4, dataset={"limit": 4})
    return (f"--tracking-uri=sqlite:///{folder}/mlflow.db", "--experiment=test")


def test_latest_baseline_of_each_data_set_is_shown(
    store: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*store, "--markdown", "model"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "digits_vit" in line]
    assert line.endswith("| 0.7500 digits; 1.0000 digits, 4 images |")
    assert "| 0.020 |" in line


def test_only_an_existing_experiment_is_read(
    store: tuple[str, str], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    assert main([store[0], "--experiment=other", "--markdown", "model"]) == 0
    assert "top-1 measured" not in capsys.readouterr().out
    client = MlflowClient(store[0].partition("=")[2])
    assert client.get_experiment_by_name("other") is None
    assert not (elsewhere / "mlruns").exists()


def test_without_a_store_nothing_is_measured_and_nothing_made(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--markdown"]) == 0
    assert "top-1 measured" not in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []


def test_many_runs_are_read_page_by_page(
    store: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    search = MlflowClient.search_runs
    pages = []

    def one_a_page(self: MlflowClient, *given: Any, **named: Any) -> Any:
        pages.append(search(self, *given, **named, max_results=1))
        return pages[-1]

    monkeypatch.setattr(MlflowClient, "search_runs", one_a_page)
    where = Tracking(uri=store[0].partition("=")[2], experiment="test")
    found = tracking.measured(where, "baseline")
    assert sorted((one.top1, one.limit) for one in found) == [(0.75, None), (1.0, 4)]
    assert len(pages) >= 4


def test_csv_holds_both_tables_in_full(
    store: tuple[str, str], elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*store, "--csv", "deep/tables"]) == 0
    read: dict[str, list[dict[str, Scalar]]] = {}
    for group in ("model", "dataset"):
        text = (elsewhere / "deep" / "tables" / f"{group}.csv").read_text("utf-8")
        read[group] = list(csv.DictReader(text.splitlines()))
    models = {row["model"]: row for row in read["model"]}
    assert set(CATALOGUED) < set(models)
    assert models["resnet_50"]["gmacs"] == "4.089"
    assert models["resnet_50"]["reported_top1"] == "0.80372"
    assert "timm" in str(models["resnet_50"]["reported_top1_source"])
    assert models["resnet_50"]["disk_mib"] == ""
    assert models["digits_vit"]["measured_top1 digits"] == "0.75"
    assert models["digits_vit"]["measured_gmacs"] == "0.02"
    assert "digits" in {row["name"] for row in read["dataset"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--trackinguri", "x"], ["--trackinguri", "--tracking-uri?"], id="option"),
        pytest.param(["models"], ["group=models", "model, dataset"], id="group"),
        pytest.param(["model", "dataset"], ["dataset is unknown"], id="two groups"),
        pytest.param(["--csv"], ["--csv", "--help"], id="no value"),
        pytest.param(["--csv", "file/folder", "dataset"], ["--csv=file/folder"], id="a file"),
        pytest.param(["--tracking-uri", "no://where"], ["no://where", "sqlite:///"], id="address"),
    ],
)
def test_what_can_t_be_done_is_said_in_one_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]
) -> None:
    (elsewhere / "file").write_text("")
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert [word for word in words if word not in said] == []


def test_command_lists_both_groups(elsewhere: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "greenexp.catalog"], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    for word in ("Models", "resnet_50", "Data sets", "digits"):
        assert re.search(rf"^ *{word}\b", ended.stdout, re.MULTILINE)


def loaded_after(*arguments: str) -> set[str]:
    """Returns the heavy libraries that the command has loaded in a fresh interpreter."""
    program = (
        "import sys; from greenexp.catalog.__main__ import main; main(sys.argv[1:]); "
        "heavy = ('torch', 'transformers', 'mlflow', 'datasets'); "
        "print(*(name for name in heavy if name in sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(ended.stderr.split())


def test_command_loads_no_torch(store: tuple[str, str]) -> None:
    assert loaded_after() == set()
    assert loaded_after(*store) == {"mlflow"}
