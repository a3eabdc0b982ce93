"""What is found out before anything is measured: packages, images, labels.

Each reason is one line that says how to mend it; a sweep leaves out what can't be, with the reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from greenexp.errors import Unfit
from greenexp.protocols import LabelSpace, Tactic
from greenexp.settings.build import build
from greenexp.settings.conf import config_dir
from greenexp.sweep import preflight as module
from greenexp.sweep.preflight import Preflight
from tests.support.command import ROOT
from tests.support.preflights import (
    CONFIGURATION,
    HALF,
    LAYOUT,
    ONNX,
    OPENVINO,
    STATIC,
    chain,
    composed,
    planned,
    reason,
)

BARE_FOLDER = {"_target_": "greenexp.datasets.folder.Folder", "path": "somewhere"}
SPLIT_FOLDER = BARE_FOLDER | {"held_back": 10}


# Packages


@pytest.mark.parametrize(
    ("choice", "absent", "words"),
    [
        pytest.param(ONNX, ["onnxruntime"], "needs onnxruntime, not", id="one of three"),
        pytest.param(ONNX, ["onnx", "onnxscript"], "needs onnx, onnxscript, not", id="two"),
        pytest.param(OPENVINO, ["openvino"], "needs openvino, not", id="another extra"),
        pytest.param(chain(LAYOUT, OPENVINO), ["openvino"], "needs openvino, not", id="of a step"),
    ],
)
def test_package_that_is_missing_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any], absent: list[str], words: str
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name not in absent or None)
    line = reason(Unfit, planned(tactic=choice))
    extra = "openvino" if "openvino" in words else "onnx"
    assert words in line
    assert line.endswith(f"pip install 'greenexp[{extra}]'")


def test_package_that_the_tactic_does_without_may_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    planned(tactic=LAYOUT)()


def test_extras_that_tactics_name_install_what_they_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {
        name: {package.partition(">")[0] for package in packages}
        for name, packages in project["optional-dependencies"].items()
    }
    checked = 0
    for path in (config_dir() / "tactic").glob("*.yaml"):
        if path.stem == "chain":
            continue
        made: Tactic = build(composed(path.stem)["tactic"], "tactic")
        assert (made.traits.extra is None) == (not made.traits.packages)
        if made.traits.extra is not None:
            assert set(made.traits.packages) <= extras[made.traits.extra]
            checked += 1
    assert checked >= 2


# Images to calibrate on


@pytest.mark.parametrize(
    "choice",
    [
        pytest.param(STATIC, id="static quantization"),
        pytest.param(ONNX | {"precision": "int8"}, id="ONNX Runtime in int8"),
        pytest.param(OPENVINO | {"precision": "int8"}, id="OpenVINO in int8"),
        pytest.param(chain(LAYOUT, STATIC), id="step of a chain"),
    ],
)
def test_calibration_needs_training_images(choice: dict[str, Any]) -> None:
    line = reason(Unfit, planned(tactic=choice, dataset=BARE_FOLDER))
    assert "calibrates on training images" in line
    assert "held_back" in line
    planned(tactic=choice, dataset=SPLIT_FOLDER)()


@pytest.mark.parametrize("choice", [ONNX, OPENVINO], ids=["ONNX Runtime", "OpenVINO"])
def test_float32_needs_no_training_images(choice: dict[str, Any]) -> None:
    planned(tactic=choice, dataset=BARE_FOLDER)()


# Models and data


@dataclass
class Source:
    """A model or data set that counts how often it is looked at."""

    labels: str | None = None
    names: tuple[str, ...] = ("cat", "dog")
    title: str | None = None
    calibrates: bool = True
    looks: int = 0

    def check(self) -> LabelSpace:
        self.looks += 1
        return LabelSpace(self.labels, self.names)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Source]]:
    """A model and a data set in place of those that the configuration names."""
    made = {"model": Source(title="mine"), "dataset": Source()}
    monkeypatch.setattr(
        module,
        "build",
        lambda choice, key, allow: made[key] if key in made else build(choice, key, allow),
    )
    return made


@pytest.mark.parametrize(("looks", "times"), [(False, 0), (True, 1)], ids=["dry run", "real run"])
def test_model_and_data_are_looked_at_before_a_real_run_only(
    sources: dict[str, Source], looks: bool, times: int
) -> None:
    assert Preflight(looks=looks).check(CONFIGURATION).title == "mine"
    assert [source.looks for source in sources.values()] == [times, times]


def test_each_model_and_data_set_is_looked_at_once(sources: dict[str, Source]) -> None:
    checks = Preflight()
    for choice in (ONNX, LAYOUT, HALF):
        checks.check(CONFIGURATION | {"tactic": choice})
    assert [source.looks for source in sources.values()] == [1, 1]
    checks.check(CONFIGURATION | {"dataset": {"another": True}})
    assert [source.looks for source in sources.values()] == [1, 2]


@pytest.mark.parametrize("looks", [False, True], ids=["dry run", "real run"])
def test_label_spaces_that_differ_are_known_without_a_look(
    sources: dict[str, Source], looks: bool
) -> None:
    sources["model"].labels, sources["dataset"].labels = "digits", "imagenet_1k"
    line = reason(Unfit, lambda: Preflight(looks=looks).check(CONFIGURATION))
    assert "the model's are digits and the data set's are imagenet_1k" in line
    assert [source.looks for source in sources.values()] == [0, 0]


def test_classes_that_differ_are_known_after_a_look(sources: dict[str, Source]) -> None:
    sources["dataset"].names = ("cat", "horse")
    Preflight(looks=False).check(CONFIGURATION)
    assert "horse" in reason(Unfit, lambda: Preflight().check(CONFIGURATION))
