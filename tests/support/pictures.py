"""A small picture on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def picture(path: Path, color: Any = (1, 2, 3), mode: str = "RGB", **options: Any) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (12, 9), color).save(path, **options)
    return path
