"""What tells the content of weights and images: any change of it does, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from greenexp.datasets.folder import Folder
from greenexp.datasets.hub import Hub
from greenexp.models.embedded_model import Embedded
from greenexp.models.local import Local
from greenexp.protocols import IdentifiedDataset, IdentifiedModel
from tests.support.pictures import picture

Change = Callable[[Path], object]


@pytest.fixture
def photos(tmp_path: Path, colors_folder: Path) -> Path:
    return Path(shutil.copytree(colors_folder, tmp_path / "photos"))


@pytest.fixture
def net(tmp_path: Path, vit_folder: Path) -> Path:
    return Path(shutil.copytree(vit_folder, tmp_path / "net"))


def overwritten(name: str) -> Change:
    """Changes a byte of a file and keeps its size and time."""

    def write(folder: Path) -> None:
        path = folder / name
        stat, held = path.stat(), bytearray(path.read_bytes())
        held[len(held) // 2] ^= 1
        path.write_bytes(held)
        import os

        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return write


CHANGED = [
    pytest.param(lambda root: picture(root / "red" / "new.png"), id="an image is added"),
    pytest.param(lambda root: (root / "red" / "0.png").unlink(), id="an image is removed"),
    pytest.param(
        lambda root: (root / "red" / "0.png").rename(root / "blue" / "9.png"), id="one is moved"
    ),
    pytest.param(lambda root: (root / "red").rename(root / "rose"), id="a class is renamed"),
    pytest.param(lambda root: picture(root / "red" / "0.png", (0, 0, 9)), id="one is overwritten"),
]
SAME = [
    pytest.param(lambda root: (root / "red" / "notes.txt").touch(), id="a note is added"),
    pytest.param(lambda root: picture(root / "red" / ".ipynb_checkpoints" / "0.png"), id="a copy"),
    pytest.param(lambda root: (root / "red" / "0.png").touch(), id="a time is changed"),
]


@pytest.mark.parametrize("source", [Folder, lambda path: Hub(path, split="train")])
@pytest.mark.parametrize(
    ("change", "same"),
    [
        *(pytest.param(*each.values, False, id=str(each.id)) for each in CHANGED),
        *(pytest.param(*each.values, True, id=str(each.id)) for each in SAME),
    ],
)
def test_a_change_of_the_images_and_nothing_else_is_told(
    photos: Path, source: Callable[[str], IdentifiedDataset], change: Change, same: bool
) -> None:
    before = source(str(photos)).digest(here=False)
    change(photos)
    assert (source(str(photos)).digest(here=False) == before) is same


def test_where_it_lies_is_not_what_it_is(photos: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(photos, tmp_path / "elsewhere")
    assert Folder(str(moved)).digest(here=True) == Folder(str(photos)).digest(here=True)


def test_the_images_that_are_judged_are_those_that_count(photos: Path) -> None:
    def digest(**options: int) -> str | None:
        return Folder(str(photos), **options).digest(here=True)

    assert len({digest(), digest(limit=3), digest(limit=3, seed=1), digest(held_back=2)}) == 4


def test_calibration_images_have_a_digest_of_their_own(photos: Path) -> None:
    source = Folder(str(photos), held_back=3)
    assert source.digest(calibration=3, here=True) not in (None, source.digest(here=True))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param(overwritten("model.safetensors"), False, id="weights"),
        pytest.param(overwritten("preprocessor_config.json"), False, id="preprocessing"),
        pytest.param(overwritten("config.json"), False, id="configuration"),
        pytest.param(lambda net: (net / "README.md").write_text("x"), True, id="a page"),
        pytest.param(lambda net: (net / "optimizer.pt").write_text("x"), True, id="an optimizer"),
    ],
)
def test_a_change_of_what_is_loaded_and_nothing_else_is_told(
    net: Path, change: Change, same: bool
) -> None:
    before = Local(str(net)).digest(here=True)
    change(net)
    assert (Local(str(net)).digest(here=True) == before) is same


def test_embedded_models_have_one() -> None:
    models = [Embedded("digits_vit"), Embedded("digits_swin")]
    assert all(isinstance(model, IdentifiedModel) for model in models)
    assert len({model.digest(here=True) for model in models}) == 2
