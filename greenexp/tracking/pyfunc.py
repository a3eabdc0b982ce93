"""The artefact as MLflow loads and serves it: a column `image` in; label, score and top-5 out."""

from __future__ import annotations

import base64
import importlib.util
import io
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from PIL import Image


class Classifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
    """Takes bytes of an image's file, base64 of them, or 8-bit arrays (height, width, channels)."""

    def load_context(self, context: Any) -> None:
        """Loads the classifier from the artefact's folder."""
        folder = Path(context.artifacts["artefact"])
        spec = importlib.util.spec_from_file_location("artefact_model", folder / "model.py")
        if spec is None or spec.loader is None:
            raise FileNotFoundError(folder / "model.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._model = module.Model(folder)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Returns a row an image: `label`, `score`, and `top5`, each with label and score."""
        del context, params
        results = self._model.classify([_image(value) for value in model_input["image"]])
        return pd.DataFrame(results, columns=["label", "score", "top5"])


def _image(value: Any) -> Image.Image:
    if isinstance(value, str):
        value = base64.b64decode(value, validate=True)
    if isinstance(value, bytes | bytearray):
        return Image.open(io.BytesIO(value))
    return Image.fromarray(np.asarray(value, dtype=np.uint8))


mlflow.models.set_model(Classifier())
