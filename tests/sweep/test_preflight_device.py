"""The device is asked for once, and a tactic that it can't run is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from greenexp.errors import BadInput, Unfit
from greenexp.measuring.isolation import ProcessEnd
from greenexp.sweep import preflight as module
from greenexp.sweep.preflight import Preflight
from tests.support.preflights import (
    CONFIGURATION,
    LAYOUT,
    ONNX,
    OPENVINO,
    SPARSE,
    STATIC,
    chain,
    planned,
    reason,
)


@dataclass
class Child:
    """In place of the child that asks for the device: it answers, or dies without a word."""

    answer: str | None
    asked: list[str] = field(default_factory=list)

    def call(self, function: object, device: str, path: str, *, timeout_s: float) -> ProcessEnd:
        self.asked.append(device)
        if self.answer is None:
            return ProcessEnd("killed", "its process was killed by SIGSEGV")
        Path(path).write_text(self.answer, encoding="utf-8")
        return ProcessEnd("returned")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Child]:
    def answering(answer: str | None) -> Child:
        made = Child(answer)
        monkeypatch.setattr(module, "isolation", made)
        return made

    return answering


@pytest.mark.parametrize(
    ("choice", "device", "answer", "words"),
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
    words: str,
) -> None:
    asked = child(answer).asked
    assert reason(Unfit, planned(tactic=choice, device=device)).endswith(words)
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
