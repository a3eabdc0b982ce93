"""What travels with an artefact reads images as greenexp does, of which it imports nothing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from greenexp.datasets.decoding import decode
from greenexp.export.travelling import model

ORIENTATION = 0x0112  # of EXIF; 6: turned by a quarter


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "RGBA", "1", "CMYK", "I;16"])
def test_image_of_every_mode_is_read_alike(mode: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(values).convert(mode)
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image.save(path, exif=exif)
    ours, theirs = decode(path).image, model.upright_rgb(Image.open(path))
    assert theirs.size == ours.size == (6, 9)
    assert np.array_equal(np.asarray(theirs), np.asarray(ours))


def test_what_travels_imports_nothing_of_greenexp() -> None:
    tree = ast.parse(Path(model.__file__).read_text(encoding="utf-8"))
    imported = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    assert not [name for name in imported if name.partition(".")[0] == "greenexp"]


@pytest.mark.parametrize(
    ("versions", "line"),
    [
        pytest.param({"torch": "1.0.0"}, r"made with torch 1\.0\.0, and \d", id="another torch"),
        pytest.param({"torchao": "0.1"}, r"made with torchao 0\.1, and \d", id="another torchao"),
        pytest.param({"no-such": "1.0"}, r"no-such 1\.0, and none is here", id="missing"),
    ],
)
def test_artefact_of_other_versions_is_not_loaded(
    versions: dict[str, str], line: str, tmp_path: Path
) -> None:
    (tmp_path / model.DESCRIPTION).write_text(json.dumps({"versions": versions}))
    with pytest.raises(model.UnlikeVersion, match=f"{line}.*pip install -r requirements.txt"):
        model.Model(tmp_path)
