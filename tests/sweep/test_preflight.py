"""What is found out before anything is measured: packages, device, images, labels, order of steps.

Each reason is one line that says how to mend it; a sweep leaves out what can't be, with the reason.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from greenexp.cli.compose import register, settings
from greenexp.errors import BadInput, Unfit
from greenexp.measuring.isolation import Ended
from greenexp.protocols import LabelSpace, Tactic
from greenexp.settings.build import build
from greenexp.settings.conf import config_dir
from greenexp.sweep import preflight as module
from greenexp.sweep.preflight import Preflight

ROOT = Path(__file__).parents[2]
HANG_S = 300.0
CONFIGURATION: dict[str, Any] = {
    "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
    "dataset": {"_target_": "greenexp.datasets.digits.Digits"},
    "tactic": {"_target_": "greenexp.tactics.baseline.Baseline"},
    "meters": {},
    "repetitions": 1,
    "device": "cpu",
}
BARE_FOLDER = {"_target_": "greenexp.datasets.folder.Folder", "path": "somewhere"}
SPLIT_FOLDER = BARE_FOLDER | {"held_back": 10}


def tactic(name: str, **options: Any) -> dict[str, Any]:
    """Returns the configuration of a tactic, by the module and class that make it."""
    return {"_target_": f"greenexp.tactics.{name}", **options}


def chain(*steps: dict[str, Any]) -> dict[str, Any]:
    named = [{one["_target_"].split(".")[2]: one} for one in steps]
    return tactic("chain.Chain", steps=named)


ONNX = tactic("onnx_runtime.OnnxRuntime")
OPENVINO = tactic("openvino.OpenVino")
STATIC = tactic("static_quantization.StaticQuantization")
SPARSE = tactic("semi_structured_sparsity.SemiStructuredSparsity")
LAYOUT = tactic("layout.ChannelsLast")
HALF = tactic("precision.HalfPrecision")
COMPILED = tactic("compilation.TorchCompile")


def reason(kind: type[Exception], call: Callable[[], object]) -> str:
    """Returns the one line of an exception of exactly this kind."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text == " ".join(text.split())
    return text


def planned(**changes: Any) -> Callable[[], object]:
    """Returns a check as planning does it, which looks at neither model nor data."""
    return lambda: Preflight(looks=False).check(CONFIGURATION | changes)


# Packages


@pytest.mark.parametrize(
    ("choice", "absent", "said"),
    [
        pytest.param(ONNX, ["onnxruntime"], "needs onnxruntime, not", id="one of three"),
        pytest.param(ONNX, ["onnx", "onnxscript"], "needs onnx, onnxscript, not", id="two"),
        pytest.param(OPENVINO, ["openvino"], "needs openvino, not", id="another extra"),
        pytest.param(chain(LAYOUT, OPENVINO), ["openvino"], "needs openvino, not", id="of a step"),
    ],
)
def test_package_that_is_missing_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any], absent: list[str], said: str
) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: name not in absent or None)
    line = reason(Unfit, planned(tactic=choice))
    extra = "openvino" if "openvino" in said else "onnx"
    assert said in line
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


# Devices


@dataclass
class Child:
    """In place of the child that asks for the device: it answers, or dies without a word."""

    answer: str | None
    asked: list[str] = field(default_factory=list)

    def call(self, function: object, device: str, path: str, *, timeout_s: float) -> Ended:
        self.asked.append(device)
        if self.answer is None:
            return Ended("killed", "its process was killed by SIGSEGV")
        Path(path).write_text(self.answer, encoding="utf-8")
        return Ended("returned")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Child]:
    def answering(answer: str | None) -> Child:
        made = Child(answer)
        monkeypatch.setattr(module, "isolation", made)
        return made

    return answering


@pytest.mark.parametrize(
    ("choice", "device", "answer", "said"),
    [
        pytest.param(SPARSE, "cpu", None, "runs on cuda and the device is cpu", id="cuda only"),
        pytest.param(SPARSE, "auto", "cpu\n", "runs on cuda and the device is cpu", id="no GPU"),
        pytest.param(ONNX, "auto", "cuda\n", "runs on cpu and the device is cuda", id="a GPU"),
        pytest.param(ONNX, "cuda", None, "runs on cpu and the device is cuda", id="cpu only"),
        pytest.param(
            chain(LAYOUT, SPARSE), "cpu", None, "runs on cuda and the device is cpu", id="of a step"
        ),
    ],
)
def test_tactic_that_the_device_can_t_run_does_not_fit(
    child: Callable[[str | None], Child],
    choice: dict[str, Any],
    device: str,
    answer: str | None,
    said: str,
) -> None:
    asked = child(answer).asked
    assert reason(Unfit, planned(tactic=choice, device=device)).endswith(said)
    assert asked == ([] if answer is None else ["auto"])  # cpu and cuda say what they are


@pytest.mark.parametrize(
    ("choice", "device", "answer"),
    [
        pytest.param(SPARSE, "auto", "cuda\n", id="cuda only"),
        pytest.param(ONNX, "auto", "cpu\n", id="cpu only"),
        pytest.param(ONNX, "cpu", None, id="cpu given"),
        pytest.param(LAYOUT, "auto", None, id="runs anywhere: nobody is asked"),
    ],
)
def test_tactic_that_the_device_can_run_fits(
    child: Callable[[str | None], Child], choice: dict[str, Any], device: str, answer: str | None
) -> None:
    child(answer)
    planned(tactic=choice, device=device)()


def test_device_is_asked_for_once(child: Callable[[str | None], Child]) -> None:
    asked = child("cpu\n").asked
    checks = Preflight(looks=False)
    for choice in (ONNX, OPENVINO, STATIC, LAYOUT, ONNX):
        checks.check(CONFIGURATION | {"tactic": choice, "device": "auto"})
    assert "the device is cpu" in reason(
        Unfit, lambda: checks.check(CONFIGURATION | {"tactic": SPARSE, "device": "auto"})
    )
    assert asked == ["auto"]


def test_cuda_that_is_absent_is_an_error_of_the_whole_sweep(
    child: Callable[[str | None], Child],
) -> None:
    child("cuda\ndevice=cuda is asked for and no CUDA device is there; use device=cpu")
    whole = CONFIGURATION | {"device": "cuda"}
    assert "no CUDA device is there" in reason(BadInput, lambda: Preflight().check(whole))


def test_child_that_dies_unasked_is_an_error_in_one_line(
    child: Callable[[str | None], Child],
) -> None:
    child(None)
    line = reason(BadInput, planned(tactic=ONNX, device="auto"))
    assert line.startswith("device=auto")
    assert "SIGSEGV" in line
    assert "give device=cpu" in line


@pytest.mark.slow
def test_real_child_tells_the_device() -> None:
    import torch

    there = "cuda" if torch.cuda.is_available() else "cpu"
    fits, unfit = (ONNX, SPARSE) if there == "cpu" else (SPARSE, ONNX)
    planned(tactic=fits, device="auto")()
    assert f"the device is {there}" in reason(Unfit, planned(tactic=unfit, device="auto"))


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
    assert Preflight(looks=looks).check(CONFIGURATION) == "mine"
    assert [one.looks for one in sources.values()] == [times, times]


def test_each_model_and_data_set_is_looked_at_once(sources: dict[str, Source]) -> None:
    checks = Preflight()
    for choice in (ONNX, LAYOUT, HALF):
        checks.check(CONFIGURATION | {"tactic": choice})
    assert [one.looks for one in sources.values()] == [1, 1]
    checks.check(CONFIGURATION | {"dataset": {"another": True}})
    assert [one.looks for one in sources.values()] == [1, 2]


@pytest.mark.parametrize("looks", [False, True], ids=["dry run", "real run"])
def test_label_spaces_that_differ_are_known_without_a_look(
    sources: dict[str, Source], looks: bool
) -> None:
    sources["model"].labels, sources["dataset"].labels = "digits", "imagenet_1k"
    line = reason(Unfit, lambda: Preflight(looks=looks).check(CONFIGURATION))
    assert "the model's are digits and the data set's are imagenet_1k" in line
    assert [one.looks for one in sources.values()] == [0, 0]


def test_classes_that_differ_are_known_after_a_look(sources: dict[str, Source]) -> None:
    sources["dataset"].names = ("cat", "horse")
    Preflight(looks=False).check(CONFIGURATION)
    assert "horse" in reason(Unfit, lambda: Preflight().check(CONFIGURATION))


# Order of steps


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param([COMPILED, HALF], "precision can't follow compilation", id="compiled first"),
        pytest.param([OPENVINO, COMPILED], "compilation can't follow openvino", id="engine first"),
        pytest.param([HALF, STATIC], "static_quantization can't follow precision", id="half first"),
    ],
)
def test_order_that_can_t_be_does_not_fit(steps: list[dict[str, Any]], said: str) -> None:
    line = reason(Unfit, planned(tactic=chain(*steps)))
    assert said in line
    assert "first, or leave one out" in line


def test_order_that_can_be_fits() -> None:
    planned(tactic=chain(LAYOUT, HALF, COMPILED))()
    planned(tactic=chain())()


def test_sweep_leaves_out_an_order_that_can_t_be_and_says_why(tmp_path: Path) -> None:
    steps = "[half_precision,torch_compile],[torch_compile,half_precision]"
    done = greenexp(tmp_path, "-m", "tactic=chain", f"tactic.steps={steps}", "sweep.dry_run=true")
    assert done.returncode == 0, done.stderr
    why = "half_precision can't follow torch_compile, which makes a compiled module"
    shown = "digits_vit · torch_compile > half_precision · digits"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("left out")]
    assert line.startswith(f"left out 1 run: {why}")
    assert line.endswith(f"({shown})")
    (path,) = tmp_path.rglob("plan.json")
    plan = json.loads(path.read_text("utf-8"))
    assert [run["title"] for run in plan["runs"]] == ["digits_vit · half_precision > torch_compile"]
    assert [one["title"] for one in plan["excluded"]] == [shown]
    assert plan["excluded"][0]["reason"].startswith(why)


def test_alone_an_order_that_can_t_be_is_an_error(tmp_path: Path) -> None:
    done = greenexp(tmp_path, "tactic=chain", "tactic.steps=[torch_compile,half_precision]")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("greenexp: half_precision can't follow torch_compile, ")
    assert not list(tmp_path.rglob("record.json"))


def greenexp(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = [f"tracking.uri=sqlite:///{folder}/mlflow.db", f"tracking.journal={folder}/journal"]
    return subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments, *where],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


# Steps by name


def composed(name: str, *overrides: str) -> dict[str, Any]:
    """Returns the plain configuration with a tactic chosen."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return settings(compose("config", overrides=[f"tactic={name}", *overrides]))


def steps_of(given: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = composed("chain", f"tactic.steps={given}")["tactic"]["steps"]
    return steps


def test_step_has_all_options_of_the_choice_that_it_names() -> None:
    (step,) = steps_of("[half_precision]")
    assert step == {"half_precision": composed("half_precision")["tactic"]}
    assert set(step["half_precision"]) > {"_target_", "dtype"}


def test_options_given_to_a_step_win_and_stay_with_it() -> None:
    given = "[{local_pruning: {amount: 0.7}}, global_pruning]"
    amounts = [step[name]["amount"] for step in steps_of(given) for name in step]
    assert amounts == [0.7, 0.3]
    assert steps_of("[local_pruning]")[0]["local_pruning"]["amount"] == 0.3
    assert steps_of("[{local_pruning: null}]") == steps_of("[local_pruning]")


def test_steps_of_two_chains_share_nothing() -> None:
    first = steps_of("[local_pruning]")
    untouched = copy.deepcopy(first)
    first[0]["local_pruning"]["amount"] = 0.9
    assert steps_of("[local_pruning]") == untouched


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("[nothing]", ["holds nothing", "allowed: baseline, "], id="unknown"),
        pytest.param("[half_precison]", ["Did you mean half_precision?"], id="misspelt"),
        pytest.param("half_precision", ["is no list", "[half_precision]"], id="no list"),
        pytest.param("[3]", ["tactic.steps holds 3"], id="a number"),
        pytest.param("[{a: {}, b: {}}]", ["{name: {option: value}}"], id="two names"),
        pytest.param("[{local_pruning: 0.5}]", ["local_pruning=0.5"], id="value, no option"),
    ],
)
def test_steps_that_can_t_be_read_are_refused(given: str, words: list[str]) -> None:
    line = reason(BadInput, lambda: steps_of(given))
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("[baseline]", "holds baseline, which is no step", id="baseline"),
        pytest.param("[half_precision,half_precision]", "holds half_precision twice", id="twice"),
        pytest.param(
            "[{local_pruning: {amount: 2}}]", "amount=2.0 is out of range", id="out of range"
        ),
        pytest.param(
            "[{local_pruning: {amount: much}}]", "tactic.steps.local_pruning.amount", id="type"
        ),
        pytest.param(
            "[{local_pruning: {_target_: os.system}}]", "_target_=os.system", id="foreign class"
        ),
        pytest.param("[batch_size,{threads: {count: 0}}]", "count=0 is out of range", id="threads"),
    ],
)
def test_steps_that_can_t_be_made_are_refused(given: str, said: str) -> None:
    choice = composed("chain", f"tactic.steps={given}")["tactic"]
    assert said in reason(BadInput, lambda: build(choice, "tactic"))
