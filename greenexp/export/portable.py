"""A module as files that run without greenexp, for tactics that have no form of their own."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.errors import Unsupported, first_line
from greenexp.protocols import ModelFiles, Sample
from greenexp.sweep.titles import THEN

if TYPE_CHECKING:
    from torch import nn

EXPORTED = "model.pt2"
PICKLES = (b"\x80\x02", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")  # torch.save writes a zip of one
WEIGHTS = "model.safetensors"
# Of tactics that no form takes, the one that does most alike and has a form. torch can't export
# the layers of the first, and the second runs on GPUs alone.
NEAREST = {
    "dynamic_quantization": "int8_dynamic",
    "semi_structured_sparsity": "half_precision",
}


def write(module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
    """Writes a module: weights of its own architecture where it has kept that, else its graph.

    Raises:
        Unsupported: where torch can't export it.
    """
    model = _architecture(module)
    return _exported(module, sample, folder) if model is None else _saved(module, model, folder)


def nearest(tactic: str) -> str | None:
    """Returns the tactic, or chain, that comes nearest and has a form; None where it may have one.

    Args:
        tactic: as chosen; a chain by its steps.
    """
    steps = tactic.split(THEN)
    names = [step.partition(" ")[0] for step in steps]
    if not any(name in NEAREST for name in names):
        return None
    pairs = zip(names, steps, strict=True)
    return THEN.join(NEAREST.get(name, step) for name, step in pairs)


def _architecture(module: nn.Module) -> Any:
    """Returns the transformers model inside, where its weights fit the architecture as it was."""
    import torch
    from transformers import AutoModelForImageClassification, PreTrainedModel

    from greenexp.models.logits import Logits
    from greenexp.tactics.casting import Cast
    from greenexp.tactics.nhwc import Nhwc

    inner: Any = module
    while isinstance(inner, Cast | Nhwc):
        inner = inner.module
    if type(inner) is not Logits or not isinstance(inner.model, PreTrainedModel):
        return None
    model = inner.model
    state = model.state_dict()
    if not all(
        type(weight) in (torch.Tensor, torch.nn.Parameter) and not weight.is_quantized
        for weight in state.values()
    ):
        return None
    with torch.device("meta"):
        anew = AutoModelForImageClassification.from_config(model.config)
    shapes = {name: weight.shape for name, weight in anew.state_dict().items()}
    fits = {name: weight.shape for name, weight in state.items()} == shapes
    return inner if fits and _types(anew) == _types(model) else None


def _types(model: Any) -> list[type]:
    return [type(module) for module in model.modules()]


def _saved(module: nn.Module, logits: Any, folder: Path) -> ModelFiles:
    import torch

    from greenexp.tactics.nhwc import Nhwc

    layered = any(isinstance(inner, Nhwc) for inner in module.modules())
    logits.model.save_pretrained(folder, safe_serialization=True)
    dtypes = {weight.dtype for weight in logits.model.parameters()}
    dtype = next(iter(dtypes)) if len(dtypes) == 1 else torch.float32
    options: Mapping[str, object] = {
        "dtype": str(dtype).removeprefix("torch."),
        "input": logits.input_name,
        "memory_format": "channels_last" if layered else "contiguous_format",
    }
    return ModelFiles("safetensors", WEIGHTS, options, ("torch", "transformers"))


def _exported(module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
    import torch
    from torchao.utils import unwrap_tensor_subclass

    from greenexp.tactics.compilation import exported

    plain = unwrap_tensor_subclass(module)  # the weights of torchao would be pickled
    program = exported(plain, sample)
    program._example_inputs = None  # they would be pickled too
    text = str(program.graph_module.code)
    archive = io.BytesIO()  # torch's own writer ends the process where the disk is full
    try:
        torch.export.save(program, archive)
    except Exception as error:  # torch raises types of many kinds
        raise Unsupported(f"torch can't write the graph: {first_line(error)}") from None
    (folder / EXPORTED).write_bytes(archive.getvalue())
    pickled = _pickled(folder / EXPORTED)
    if pickled:
        raise Unsupported(f"torch would pickle {pickled}, and a pickle can run any code")
    imports = ["torchao"] if "torchao" in text else []
    return ModelFiles("torch_export", EXPORTED, {"imports": imports}, ("torch", *imports))


def _pickled(path: Path) -> str | None:
    """Returns a part of an archive that is a pickle, or an archive with one inside."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if archive.read(name).startswith(PICKLES):
                return name
    return None
