"""An optimized image classifier, as greenexp measured it. It needs what requirements.txt names.

    python model.py cat.jpg                          label, score and the five best, as JSON
    python model.py --logits images.txt logits.npz   of the images that a text names, a line each

In Python: `Model(folder).classify([image, …])`, where an image is one of Pillow's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

DESCRIPTION = "artefact.json"
BEST = 5
RANGE_16 = 65_535
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")


class UnlikeVersion(RuntimeError):
    """A package that the artefact depends on is missing, or of another version."""


class Model:
    """The classifier in a folder; `classify` and `logits` take any number of images.

    Args:
        folder: of the artefact.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        self.description = json.loads((self.folder / DESCRIPTION).read_text(encoding="utf-8"))
        _check_versions(self.description["versions"])
        self.labels: list[str] = self.description["labels"]
        self.infer = _LOADERS[self.description["form"]](self.folder, self.description)
        self._processor: Any = None

    def classify(self, images: Sequence[Image.Image]) -> list[dict[str, Any]]:
        """Returns the label, its score and the five best of each image."""
        results = []
        for row in self.logits(images):
            scores = np.exp(row - row.max())
            scores = scores / scores.sum()
            best = np.argsort(-row, kind="stable")[:BEST]
            top = [{"label": self.labels[i], "score": float(scores[i])} for i in best]
            results.append({**top[0], "top5": top})
        return results

    def logits(self, images: Sequence[Image.Image]) -> np.ndarray[Any, Any]:
        """Returns the logits, float32 (images, outputs)."""
        size = self.description["shape"][0]
        rows = []
        for start in range(0, len(images), size):
            group = list(images[start : start + size])
            filled = (group * size)[:size]  # every pass has the shape that was measured
            rows.append(self.infer(self.pixels(filled))[: len(group)])
        return np.concatenate(rows)

    def pixels(self, images: Sequence[Image.Image]) -> np.ndarray[Any, Any]:
        """Returns pixel values, float32 in the shape that was measured."""
        if self._processor is None:
            from transformers import AutoImageProcessor

            self._processor = AutoImageProcessor.from_pretrained(self.folder)
        channels = self.description["shape"][1]
        ready = [upright_rgb(image) for image in images]
        if channels == 1:
            ready = [image.convert("L") for image in ready]
        made = self._processor(images=ready, return_tensors="np")["pixel_values"]
        pixels = np.ascontiguousarray(made, dtype=np.float32)
        if list(pixels.shape) != self.description["shape"]:
            raise ValueError(f"the images become {pixels.shape}, not {self.description['shape']}")
        return pixels


def upright_rgb(image: Image.Image) -> Image.Image:
    """Returns an image upright and in 8-bit RGB, as it was read when it was measured."""
    image.load()
    try:
        upright = ImageOps.exif_transpose(image)
    except Exception:  # a broken block of EXIF says nothing of the orientation
        upright = image
    sixteen = upright.mode in SIXTEEN_BITS or (
        upright.mode == "I" and image.format in ("PNG", "PPM")
    )
    if sixteen:
        values = np.asarray(upright).astype(np.uint32)
        grey = (values * 255 + RANGE_16 // 2) // RANGE_16
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if upright.mode in ("I", "F"):
        raise ValueError("floats and 32-bit integers have no known range; save with 8 or 16 bits")
    return upright.convert("RGB")


Infer = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def _onnx(folder: Path, description: dict[str, Any]) -> Infer:
    import onnxruntime

    given = description["options"]
    options = onnxruntime.SessionOptions()
    for name, value in given["session"].items():
        setattr(options, name, value)
    session = onnxruntime.InferenceSession(
        folder / description["file"], options, providers=given["providers"]
    )
    return lambda pixels: np.asarray(session.run(None, {given["input"]: pixels})[0])


def _openvino(folder: Path, description: dict[str, Any]) -> Infer:
    import openvino

    given = description["options"]
    model = openvino.Core().compile_model(
        str(folder / description["file"]), given["device"], given["settings"]
    )
    request = model.create_infer_request()
    return lambda pixels: np.asarray(request.infer([pixels], share_inputs=True)[0], np.float32)


def _torch_export(folder: Path, description: dict[str, Any]) -> Infer:
    import torch

    for name in description["options"].get("imports", []):  # what operations are registered by
        __import__(name)
    return _of_module(torch.export.load(folder / description["file"]).module(), description)


def _aot_inductor(folder: Path, description: dict[str, Any]) -> Infer:
    import torch

    return _of_module(
        torch._inductor.aoti_load_package(str(folder / description["file"])), description
    )


def _safetensors(folder: Path, description: dict[str, Any]) -> Infer:
    import torch
    from transformers import AutoModelForImageClassification

    given = description["options"]
    dtype = getattr(torch, given["dtype"])
    layout = getattr(torch, given["memory_format"])
    model = AutoModelForImageClassification.from_pretrained(
        folder, dtype=dtype, use_safetensors=True
    )
    model = model.eval().requires_grad_(False).to(memory_format=layout)

    def plain(pixels: Any) -> Any:
        return model(**{given["input"]: pixels}).logits

    def converted(pixels: Any) -> Any:
        return plain(pixels.to(dtype).contiguous(memory_format=layout)).float()

    as_measured = given["dtype"] == "float32" and given["memory_format"] == "contiguous_format"
    forward = plain if as_measured else converted
    return _of_module(forward, description)


def _of_module(module: Callable[[Any], Any], description: dict[str, Any]) -> Infer:
    import torch

    if description["threads"] is not None:
        torch.set_num_threads(description["threads"])

    def infer(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            logits = module(torch.from_numpy(pixels))
        return np.asarray(logits.numpy())

    return infer


_LOADERS: dict[str, Callable[[Path, dict[str, Any]], Infer]] = {
    "onnx": _onnx,
    "openvino": _openvino,
    "torch_export": _torch_export,
    "aot_inductor": _aot_inductor,
    "safetensors": _safetensors,
}


def _check_versions(wanted: dict[str, str]) -> None:
    for name, known in wanted.items():
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "none"
        if here.partition("+")[0] != known.partition("+")[0]:
            raise UnlikeVersion(
                f"this model was made with {name} {known}, and {here} is here; install what it was "
                "made with: pip install -r requirements.txt"
            )


def main(words: Sequence[str]) -> int:
    """Runs the command line; returns the exit code."""
    here = Path(__file__).parent
    try:
        if len(words) == 3 and words[0] == "--logits":
            model = Model(here)
            names = Path(words[1]).read_text(encoding="utf-8").splitlines()
            size = model.description["shape"][0]
            groups = [names[start : start + size] for start in range(0, len(names), size)]
            logits = [model.logits([Image.open(name) for name in group]) for group in groups]
            np.savez(words[2], logits=np.concatenate(logits), modules=sorted(sys.modules))
        elif words and not words[0].startswith("-"):
            results = Model(here).classify([Image.open(name) for name in words])
            for name, result in zip(words, results, strict=True):
                print(json.dumps({"image": name, **result}))
        else:
            print(__doc__, file=sys.stderr)
            return 1
    except (UnlikeVersion, OSError, ValueError) as error:
        print(f"model.py: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"model.py: {error}; pip install -r requirements.txt", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
