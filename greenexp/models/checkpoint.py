"""Reading a Hugging Face image classifier, from a folder or from the hub.

Every source goes through here, so a check that holds for one holds for all.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import BadInput, first_line
from greenexp.models.preprocessing import CHANNELS, Preprocessing
from greenexp.protocols import Classifier, LabelSpace, Scalar

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
# The classes that AutoModelForImageClassification makes; the last three are Perceiver's.
CLASSIFIER = re.compile(r"ForImageClassification(WithTeacher|Learned|Fourier|ConvProcessing)?$")
PICKLED = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Checkpoint:
    """What is read, and how far it is trusted.

    Attributes:
        location: a folder, or `org/name` on the hub.
        revision: branch, tag or commit on the hub; None for a folder.
        labels: name of its label space; None where unknown.
        offset: output index of class 0.
        allow_pickle: read pickled weights, which can run any code.
        trust_remote_code: run the code that comes with the checkpoint.
    """

    location: str
    revision: str | None
    labels: str | None
    offset: int
    allow_pickle: bool
    trust_remote_code: bool

    def check(self, config_json: Path) -> LabelSpace:
        """Returns the classes named in `config.json`.

        Raises:
            BadInput: where it is no image classifier or asks for code of its own.
        """
        try:
            config = json.loads(config_json.read_text(encoding="utf-8"))
            if not isinstance(config, dict):
                raise ValueError("it holds no object")
            names = _class_names(config)
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{self.location}: config.json can't be read ({first_line(error)}); "
                "give a model folder as save_pretrained writes it"
            ) from None
        architectures = config.get("architectures") or []
        if not any(CLASSIFIER.search(str(name)) for name in architectures):
            raise BadInput(
                f"{self.location} is no image classifier: its config.json names "
                f"{', '.join(map(str, architectures)) or 'no architecture'}; allowed: an "
                "architecture that ends in ForImageClassification, with or without a teacher"
            )
        if "quantization_config" in config:
            raise BadInput(
                f"{self.location} is quantized already (quantization_config in config.json), and "
                "tactics start from the whole weights; give the checkpoint before quantization"
            )
        if "auto_map" in config and not self.trust_remote_code:
            raise BadInput(
                f"{self.location} brings code of its own (auto_map in config.json); "
                "read it, then allow it with model.trust_remote_code=true"
            )
        channels = config.get("num_channels", 3)
        if channels not in CHANNELS:
            raise BadInput(
                f"{self.location} takes images of {channels} channels (num_channels in "
                "config.json); allowed: 1 (grey) and 3 (RGB)"
            )
        if not 0 <= self.offset < len(names):
            raise BadInput(
                f"model.offset={self.offset} leaves no class of {self.location}; allowed: 0 to "
                f"{len(names) - 1}, the output index of class 0"
            )
        return LabelSpace(self.labels, names[self.offset :])

    def load(self, device: str) -> Classifier:
        """Returns the classifier in float32 and evaluation mode on `device`."""
        import torch
        from safetensors import SafetensorError
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        from greenexp.models.logits import Logits

        os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"  # else a thread calls a service
        options: dict[str, Any] = {"trust_remote_code": self.trust_remote_code}
        if self.revision is not None:
            options["revision"] = self.revision
        try:
            model, loading = AutoModelForImageClassification.from_pretrained(
                self.location,
                dtype=torch.float32,
                use_safetensors=None if self.allow_pickle else True,
                output_loading_info=True,
                **options,
            )
            processor = AutoImageProcessor.from_pretrained(self.location, **options)
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{self.location} can't be read: {first_line(error)}") from None
        except RuntimeError as error:
            if "mismatch" not in str(error):
                raise
            raise BadInput(
                f"{self.location}: the weights don't fit config.json; give the configuration that "
                "the weights were saved with"
            ) from None
        absent = sorted(loading["missing_keys"])
        if absent:
            raise BadInput(
                f"{self.location} holds no weights for {len(absent)} parameters of the classifier "
                f"({', '.join(absent[:3])}); give a checkpoint that was trained to classify"
            )
        model = model.to(device).eval().requires_grad_(False)

        names = model.config.id2label
        outputs = [str(names[index]) for index in sorted(names)]
        provenance: dict[str, Scalar] = {
            "checkpoint": self.location,
            "architecture": type(model).__name__,
            "image_processor": type(processor).__name__,
        }
        return Classifier(
            module=Logits(model, model.main_input_name).eval(),
            preprocess=Preprocessing(
                self.location,
                processor,
                getattr(model.config, "num_channels", 3),
                list(inspect.signature(model.forward).parameters),
            ),
            labels=LabelSpace(self.labels, outputs[self.offset :]),
            offset=self.offset,
            provenance=provenance,
        )


def has_weights(files: Sequence[str]) -> bool:
    """Tells whether a list of file names holds weights of any kind."""
    return any(name in SAFETENSORS or name.endswith(PICKLED) for name in files)


def needed_files(files: Sequence[str], *, code: bool) -> list[str]:
    """Returns those of a repository's files that a classifier is read from.

    Args:
        files: of the repository; safetensors are preferred to pickled weights.
        code: whether the code that comes with it is read too.
    """
    top = [name for name in files if "/" not in name]
    safe = [name for name in top if name.endswith((".safetensors", ".safetensors.index.json"))]
    weights = safe or [name for name in top if name.startswith("pytorch_model")]
    settings = [name for name in top if name.endswith("config.json")]
    return [*settings, *weights, *(name for name in top if code and name.endswith(".py"))]


def check_weights(location: str, files: Sequence[str], *, allow_pickle: bool) -> None:
    """Checks that a list of file names holds weights that may be read.

    Raises:
        BadInput: where there are none, or only pickled ones and those are not allowed.
    """
    if any(name in SAFETENSORS for name in files):
        return
    pickled = [name for name in files if name.endswith(PICKLED)]
    if pickled and allow_pickle:
        return
    if pickled:
        raise BadInput(
            f"{location} holds pickled weights only ({pickled[0]}), and a pickle can run any code; "
            "convert them to safetensors, or allow them with model.allow_pickle=true"
        )
    raise BadInput(f"{location} holds no weights; expected {SAFETENSORS[0]}")


def _class_names(config: Mapping[str, Any]) -> list[str]:
    """Returns the names of all outputs in order; without any, those transformers makes up."""
    names = config.get("id2label")
    if not names:
        return [f"LABEL_{index}" for index in range(int(config.get("num_labels", 2)))]
    try:
        return [str(names[key]) for key in sorted(names, key=int)]
    except (TypeError, ValueError):
        raise ValueError("id2label must map output indices to names") from None
