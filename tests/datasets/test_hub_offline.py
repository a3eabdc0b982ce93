"""What the real clients do with a hub: a download, a cut, a refusal, and then no network.

greenexp's classes run in a fresh interpreter each time, since the libraries read HF_HOME,
HF_ENDPOINT and HF_HUB_OFFLINE when they are imported. The hub is a server on loopback, see
loopback_hub.py; no other host can be looked up.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support import hub_clients
from tests.support.hub_clients import CHUNK, COLORS, COMMIT, MIB, MODEL, Child
from tests.support.loopback_hub import LoopbackHub

hub, child = hub_clients.hub, hub_clients.child

DATA = "from greenexp.datasets.hub import Hub\nfrom greenexp.datasets.card import DatasetCard\n"


class Pictures:
    """Labelled images of noise, which don't compress."""

    def __init__(self, labels: Sequence[int], side: int, seed: int = 0) -> None:
        import numpy as np
        from PIL import Image

        noise = np.random.default_rng(seed)
        shape = (side, side, 3)
        self.labels = labels
        self.images = [
            Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)) for _ in labels
        ]

    def parquet(self, rows_in_group: int) -> bytes:
        import datasets

        features = {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(COLORS))}
        table = datasets.Dataset.from_dict(
            {"image": self.images, "label": list(self.labels)},
            features=datasets.Features(features),
        )
        file = io.BytesIO()
        table.to_parquet(file, batch_size=rows_in_group)
        return file.getvalue()

    def answer(self, split: str, rows: Sequence[int], start: int = 0) -> list[list[Any]]:
        """Returns what `pictures` gives of these rows."""
        return [
            [
                f"{split}-{start + row:06d}",
                self.labels[row],
                hashlib.sha256(self.images[row].tobytes()).hexdigest(),
            ]
            for row in rows
        ]


def test_data_set_is_downloaded_once_and_then_needs_no_hub(hub: LoopbackHub, child: Child) -> None:
    test = Pictures([0, 1, 2, 2], 8)
    repository = "datasets/org/data"
    hub.put(repository, "data/test-00000-of-00001.parquet", test.parquet(2))
    hub.put(repository, "data/train-00000-of-00001.parquet", test.parquet(2))
    load = 'say(lambda: pictures(Hub("org/data", split="test").load()))'
    (first,) = child(DATA, load)
    assert first == test.answer("test", range(4))
    assert hub.sent("test-00000-of-00001.parquet") > 0
    assert hub.sent("train-00000-of-00001.parquet") == 0  # no other split

    hub.log.clear()
    (offline,) = child(DATA, load, HF_HUB_OFFLINE="1")
    assert offline == first
    assert hub.log == []


@pytest.mark.slow
def test_stream_fetches_what_it_takes_and_only_once(hub: LoopbackHub, child: Child) -> None:
    # Sorted by class: each file holds one class, in four row groups.
    files = [Pictures([target] * 24, 96, seed=target) for target in range(3)]
    for number, pictures in enumerate(files):
        name = f"data/test-{number:05d}-of-00003.parquet"
        hub.put("datasets/org/data", name, pictures.parquet(6))
    load = 'say(lambda: pictures(Hub("org/data", split="test", limit=4, streaming=True).load()))'
    first, again = child(DATA, load, load)
    rows = [[0, 1], [0], [0]]
    assert again == first
    assert first == [
        picture
        for number, pictures in enumerate(files)
        for picture in pictures.answer("test", rows[number], start=24 * number)
    ]
    whole = sum(len(content) for content in hub.files["datasets/org/data"].values())
    assert 0 < hub.sent(".parquet") < 0.4 * whole  # one row group of four, and the footers

    hub.log.clear()
    (offline,) = child(DATA, load, HF_HUB_OFFLINE="1")
    assert offline == first
    assert hub.log == []


def test_refusals_are_one_line_each(hub: LoopbackHub, child: Child) -> None:
    hub.put("models/org/gated", "config.json", b"{}")
    hub.put("models/org/gated", "model.safetensors", b"")
    hub.put("datasets/org/gated", "test.parquet", b"")
    hub.put("datasets/org/bad", "test.parquet", b"this is no Parquet")
    hub.gated |= {"models/org/gated", "datasets/org/gated"}
    answers = child(
        MODEL,
        'say(Hub("org/gated").check)',
        'say(Hub("org/missing").check)',
        DATA,
        'say(Hub("org/gated", split="test").check)',
        'say(Hub("org/missing", split="test").check)',
        'say(Hub("org/known", card=DatasetCard(gated=True)).check)',
        'say(Hub("org/bad", split="test").check)',
        'say(Hub("org/bad", split="test", limit=1, streaming=True).check)',
        'say(Hub("org/bad", split="valid").check)',
    )
    refused = [answer["refused"] for answer in answers]
    expected = [
        "model.checkpoint=org/gated is gated; ask for access at https://huggingface.co/org/gated,",
        "model.checkpoint=org/missing is not on the hub, or private; check the spelling",
        "dataset.id=org/gated is gated; ask for access at https://huggingface.co/datasets/org/gated,",
        "dataset.id=org/missing is not on the hub, or private; check the spelling",
        "dataset.id=org/known is gated; ask for access at https://huggingface.co/datasets/org/known,",
        "dataset.id=org/bad can't be read: ",
        "dataset.id=org/bad can't be read: ",
        "dataset.id=org/bad has no split valid; it has test.",
    ]
    assert [text[: len(start)] for text, start in zip(refused, expected, strict=True)] == expected


@pytest.mark.slow
def test_export_of_a_revision_is_read_and_kept(hub: LoopbackHub, child: Child) -> None:
    # As imagenette is read; the library's own cache finds no data set with data_dir again.
    small, large = Pictures([0, 1, 2], 8), Pictures([2, 1], 16)
    repository = "datasets/org/data"
    hub.put(repository, "160px/validation/0000.parquet", small.parquet(3))
    hub.put(repository, "320px/validation/0000.parquet", large.parquet(3))
    options = 'revision="refs/convert/parquet", class_names=["n1", "n2", "n3"]'
    loads = [
        f'say(lambda: pictures(Hub("org/data", data_dir="{side}px", {options}).load()))'
        for side in (160, 320)
    ]
    first = child(DATA, *loads)
    assert first == [small.answer("validation", range(3)), large.answer("validation", range(2))]
    assert child(DATA, *loads, HF_HUB_OFFLINE="1") == first


CARD = b"""---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': ant
          '1': bee
          '2': cat
configs:
- config_name: default
  data_files:
  - split: test
    path: data/test-*
---
"""


@pytest.mark.slow
def test_classes_may_be_named_in_the_card_alone(hub: LoopbackHub, child: Child) -> None:
    import pyarrow.parquet as pq

    test = Pictures([0, 1, 2], 8)
    table = pq.read_table(io.BytesIO(test.parquet(3))).replace_schema_metadata(None)
    bare = io.BytesIO()
    pq.write_table(table, bare)
    hub.put("datasets/org/data", "README.md", CARD)
    hub.put("datasets/org/data", "data/test-00000-of-00001.parquet", bare.getvalue())
    use = "say(lambda: [source.check().names, pictures(source.load())])"
    whole, stream = child(
        DATA,
        'source = Hub("org/data", split="test")',
        use,
        'source = Hub("org/data", split="test", limit=2, streaming=True)',
        use,
    )
    assert whole == [["ant", "bee", "cat"], test.answer("test", range(3))]
    assert stream == [["ant", "bee", "cat"], test.answer("test", range(2))]


@pytest.mark.slow
def test_what_the_library_itself_has_kept_is_found_without_the_hub(
    hub: LoopbackHub, child: Child
) -> None:
    test = Pictures([0, 1, 2], 8)
    hub.put("datasets/org/data", "data/test-00000-of-00001.parquet", test.parquet(3))
    child("import datasets", 'datasets.load_dataset("org/data")')
    load = 'say(lambda: pictures(Hub("org/data", split="test"{}).load()))'
    answer, other = child(DATA, load.format(""), load.format(', revision="v2"'), HF_HUB_OFFLINE="1")
    assert answer == test.answer("test", range(3))
    assert "is not in the local cache" in other["refused"]  # it may be another revision


@pytest.mark.slow
def test_new_commit_is_fetched_and_kept(hub: LoopbackHub, child: Child) -> None:
    old, new = Pictures([0], 8, seed=1), Pictures([1], 8, seed=2)
    load = 'say(lambda: [(s := Hub("org/data", split="test"{}).load()).commit, pictures(s)])'
    hub.put("datasets/org/data", "test.parquet", old.parquet(3))
    assert child(DATA, load.format("")) == [[COMMIT, old.answer("test", [0])]]
    hub.commit = COMMIT[::-1]
    hub.put("datasets/org/data", "test.parquet", new.parquet(3))
    latest = [COMMIT[::-1], new.answer("test", [0])]
    assert child(DATA, load.format("")) == [latest]
    hub.gated.add("datasets/org/data")
    gated = load.format(", card=DatasetCard(gated=True)")
    assert child(DATA, load.format(""), gated) == [latest] * 2


@pytest.mark.slow
def test_cut_download_of_a_data_set_goes_on_where_it_stopped(
    hub: LoopbackHub, child: Child
) -> None:
    test = Pictures([0, 1, 2] * 6, 512)
    content = test.parquet(6)
    assert len(content) > CHUNK + MIB
    hub.put("datasets/org/data", "test.parquet", content)
    hub.cuts["test.parquet"] = [CHUNK + MIB]
    (answer,) = child(DATA, 'say(lambda: pictures(Hub("org/data", split="test").load()))')
    assert answer == test.answer("test", range(18))
    assert hub.ranges("test.parquet") == [(0, CHUNK + MIB), (CHUNK, len(content))]


@pytest.mark.slow
def test_download_that_breaks_off_for_good_ends_well_later(hub: LoopbackHub, child: Child) -> None:
    for number in range(2):
        content = Pictures([0, 1, 2], 8, seed=number).parquet(3)
        hub.put("datasets/org/data", f"data/test-{number:05d}-of-00002.parquet", content)
    hub.cuts["data/test-00001-of-00002.parquet"] = [100] * 99
    load = 'say(lambda: len(Hub("org/data", split="test").load().targets))'
    (answer,) = child(DATA, load)
    assert "the connection to the hub broke off; give the same command again" in answer["refused"]
    hub.cuts.clear()
    hub.log.clear()
    assert child(DATA, load) == [6]
    assert hub.sent("test-00000-of-00002.parquet") == 0  # it was whole


@pytest.mark.slow
def test_cut_stream_asks_again(hub: LoopbackHub, child: Child) -> None:
    test = Pictures([0, 1, 2], 8)
    hub.put("datasets/org/data", "test.parquet", test.parquet(3))
    hub.cuts["test.parquet"] = [100]
    (answer,) = child(
        DATA, 'say(lambda: pictures(Hub("org/data", split="test", limit=2, streaming=True).load()))'
    )
    assert answer == test.answer("test", [0, 1])
