"""Checks a configuration before anything is measured: types, ranges, files, labels, device."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenexp import isolation
from greenexp.config import Hardware, Interference, Isolation, Workload, build, typed
from greenexp.datasets.labels import check_spaces, match
from greenexp.errors import BadInput, check_choice, check_range
from greenexp.measure import probe_device
from greenexp.protocols import Dataset, LabelSpace, ModelSource

PROBE_TIMEOUT_S = 120.0


@dataclass
class Preflight:
    """Checks configurations; what several share is looked at once."""

    _classes: dict[str, LabelSpace] = field(default_factory=dict)
    _devices: set[str] = field(default_factory=set)

    def check(self, configuration: Mapping[str, Any]) -> str | None:
        """Returns the model's own title, if it has one.

        Raises:
            Unfit: where model and data set don't fit each other.
            BadInput: for anything else that would make the run fail.
        """
        typed(configuration, "hardware", Hardware)
        typed(configuration, "workload", Workload)
        typed(configuration, "interference", Interference)
        typed(configuration, "isolation", Isolation)
        check_range("repetitions", configuration["repetitions"], at_least=1)
        check_choice("device", configuration["device"], ("auto", "cpu", "cuda"))
        for name, choice in configuration["meters"].items():
            build(choice, f"meters.{name}")
        build(configuration["tactic"], "tactic")
        model: ModelSource = build(configuration["model"], "model")
        dataset: Dataset = build(configuration["dataset"], "dataset")
        check_spaces(model.labels, dataset.labels)
        match(
            self._once(configuration["model"], model),
            self._once(configuration["dataset"], dataset),
        )
        self._check_device(configuration["device"])
        return model.title

    def _once(self, choice: Mapping[str, Any], source: ModelSource | Dataset) -> LabelSpace:
        key = json.dumps(choice, sort_keys=True)
        if key not in self._classes:
            self._classes[key] = source.check()
        return self._classes[key]

    def _check_device(self, device: str) -> None:
        """Asks in a child, since asking CUDA takes the device and importing torch takes seconds."""
        if device != "cuda" or device in self._devices:
            return
        with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
            answer = Path(folder) / "answer"
            isolation.call(probe_device, device, str(answer), timeout_s=PROBE_TIMEOUT_S)
            if answer.exists():
                raise BadInput(answer.read_text(encoding="utf-8"))
        self._devices.add(device)
