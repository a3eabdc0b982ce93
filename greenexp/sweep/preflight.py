"""Checks a configuration before anything is measured: types, ranges, files, labels, device."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from greenexp.datasets.labels import check_spaces, match
from greenexp.errors import BadInput, Unfit
from greenexp.measuring import isolation
from greenexp.measuring.child import probe_device
from greenexp.measuring.temporary import check_temporary
from greenexp.protocols import (
    Dataset,
    IdentifiedDataset,
    IdentifiedModel,
    LabelSpace,
    ModelSource,
    Noticing,
    Tactic,
    Traits,
)
from greenexp.settings.build import build, typed
from greenexp.settings.checks import check_choice, check_range
from greenexp.settings.hardware import Hardware
from greenexp.settings.plugins import allowed
from greenexp.settings.sweep import Isolation
from greenexp.settings.workload import Interference, Workload

PROBE_TIMEOUT_S = 120.0
SECTIONS = {
    "hardware": Hardware,
    "workload": Workload,
    "interference": Interference,
    "isolation": Isolation,
}


@dataclass(frozen=True)
class Inspection:
    """What a configuration was found to be.

    Attributes:
        title: the model's own; None where its choice's name says it.
        inputs: digests of what is read: `model`, `dataset`, and `calibration` where the tactic
            looks at such images. What can't be told has none.
    """

    title: str | None
    inputs: Mapping[str, str]


@dataclass
class Preflight:
    """Checks configurations; what several share is looked at once.

    Attributes:
        looks: whether models, data and the device asked for are looked at, which may download them;
            else only what the configuration itself says is checked.
        here: whether this machine is to measure; else its packages and devices are not looked at.
        notices: lines of what data sets take, in order; the user should see them.
    """

    looks: bool = True
    here: bool = True
    _classes: dict[str, LabelSpace] = field(default_factory=dict)
    notices: dict[str, None] = field(default_factory=dict)
    _objects: dict[tuple[str, int], tuple[Any, Any]] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _digests: dict[str, str | None] = field(default_factory=dict)

    def check(self, configuration: Mapping[str, Any]) -> Inspection:
        """Returns what the configuration is found to be.

        Raises:
            Unfit: where model and data set, or tactic and device, don't fit each other.
            BadInput: for anything else that would make the run fail.
        """
        for section, kind in SECTIONS.items():
            self._made(configuration, section, partial(typed, configuration, section, kind))
        check_range("repetitions", configuration["repetitions"], at_least=1)
        check_choice("device", configuration["device"], ("auto", "cpu", "cuda"))
        allow = allowed(configuration)
        for name in configuration["meters"]:
            self._choice(configuration["meters"], name, f"meters.{name}", allow)
        tactic: Tactic = self._choice(configuration, "tactic", "tactic", allow)
        model: ModelSource = self._choice(configuration, "model", "model", allow)
        dataset: Dataset = self._choice(configuration, "dataset", "dataset", allow)
        if self.here:
            check_temporary(compiles="compiled" in tactic.traits.makes)
        check_spaces(model.labels, dataset.labels)
        self._check_traits(tactic.traits, configuration["device"], dataset)
        if self.looks:
            match(
                self._once(configuration["model"], model),
                self._once(configuration["dataset"], dataset),
            )
            if tactic.traits.calibration_images:
                dataset.calibration(tactic.traits.calibration_images)  # fetched before it is timed
            if configuration["device"] == "cuda" and self.here:
                self._device("cuda")
        return Inspection(model.title, self._inputs(configuration, model, dataset, tactic.traits))

    def _choice(self, within: Mapping[str, Any], name: str, key: str, allow: Sequence[str]) -> Any:
        return self._made(within, name, partial(build, within[name], key, allow))

    def _made(self, within: Mapping[str, Any], name: str, make: Callable[[], Any]) -> Any:
        """Returns what is made of a section; cells share most of theirs, as the same objects."""
        section = within.get(name)
        if (name, id(section)) not in self._objects:
            self._objects[name, id(section)] = section, make()  # so long as it is kept, its id is
        return self._objects[name, id(section)][1]

    def _inputs(
        self, configuration: Mapping[str, Any], model: ModelSource, dataset: Dataset, traits: Traits
    ) -> dict[str, str]:
        here = not self.looks
        wanted = traits.calibration_images
        inputs: dict[str, str | None] = {}
        if isinstance(model, IdentifiedModel):
            digest = partial(model.digest, here=here)
            inputs["model"] = self._told([configuration["model"]], digest)
        if isinstance(dataset, IdentifiedDataset):
            choice = configuration["dataset"]
            inputs["dataset"] = self._told([choice], partial(dataset.digest, here=here))
            if wanted:
                digest = partial(dataset.digest, calibration=wanted, here=here)
                inputs["calibration"] = self._told([choice, wanted], digest)
        return {name: content for name, content in inputs.items() if content is not None}

    def _told(self, what: Sequence[Any], digest: Callable[[], str | None]) -> str | None:
        key = self._named(what)
        if key not in self._digests:
            try:
                self._digests[key] = digest()
            except (BadInput, OSError):
                if self.looks:
                    raise
                self._digests[key] = None
        return self._digests[key]

    def _named(self, parts: Sequence[Any]) -> str:
        """Returns what is equal for equal parts; those that cells share are looked at once."""
        return "/".join(
            self._made({"": part}, "", partial(json.dumps, part, sort_keys=True)) for part in parts
        )

    def _once(self, choice: Mapping[str, Any], source: ModelSource | Dataset) -> LabelSpace:
        key = self._named([choice])
        if key not in self._classes:
            self._classes[key] = source.check()
            if isinstance(source, Noticing):
                self.notices |= dict.fromkeys(source.notices())
        return self._classes[key]

    def _check_traits(self, traits: Traits, device: str, dataset: Dataset) -> None:
        """Checks that the tactic finds the packages, the images and the device that it needs."""
        missing = [name for name in traits.packages if importlib.util.find_spec(name) is None]
        if missing and self.here:
            raise Unfit(
                f"the tactic needs {', '.join(missing)}, not installed here; "
                f"install greenexp with its extra: pip install 'greenexp[{traits.extra}]'"
            )
        if traits.calibration_images and not dataset.calibrates:
            raise Unfit(
                "the tactic calibrates on training images and the data set has none; give it some "
                "(dataset.calibration_split, calibration_path or held_back, see docs/datasets.md)"
            )
        if {"cpu", "cuda"} <= set(traits.devices) or not self.here:
            return
        there = self._device(device)
        if there not in traits.devices:
            raise Unfit(f"the tactic runs on {', '.join(traits.devices)} and the device is {there}")

    def _device(self, device: str) -> str:
        """Returns the device that is meant, cpu or cuda.

        Asks in a child, since asking CUDA takes the device and importing torch takes seconds.

        Raises:
            BadInput: where cuda is asked for and absent.
        """
        if device not in self._devices:
            known = device == "cpu" or (device == "cuda" and not self.looks)
            self._devices[device] = device if known else _probed(device)
        return self._devices[device]


def _probed(device: str) -> str:
    with tempfile.TemporaryDirectory(prefix="greenexp-") as folder:
        answer = Path(folder) / "answer"
        ended = isolation.call(probe_device, device, str(answer), timeout_s=PROBE_TIMEOUT_S)
        if not answer.exists():
            raise BadInput(
                f"device={device}: what there is can't be told, {ended.detail}; give device=cpu"
            )
        there, _, refused = answer.read_text(encoding="utf-8").partition("\n")
    if refused:
        raise BadInput(refused)
    return there
