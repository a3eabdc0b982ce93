"""Steps of a chain: which order can be, and what a step's name stands for."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from greenexp.errors import BadInput, Unfit
from greenexp.settings.build import build
from tests.support.command import ROOT
from tests.support.preflights import (
    COMPILED,
    HALF,
    LAYOUT,
    OPENVINO,
    STATIC,
    chain,
    composed,
    planned,
    reason,
)

HANG_S = 300.0


# Order of steps


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param([COMPILED, HALF], "precision can't follow compilation", id="compiled first"),
        pytest.param([OPENVINO, COMPILED], "compilation can't follow openvino", id="engine first"),
        pytest.param([HALF, STATIC], "static_quantization can't follow precision", id="half first"),
    ],
)
def test_order_that_can_t_be_does_not_fit(steps: list[dict[str, Any]], words: str) -> None:
    line = reason(Unfit, planned(tactic=chain(*steps)))
    assert words in line
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
    assert [exclusion["title"] for exclusion in plan["excluded"]] == [shown]
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
    ("given", "words"),
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
def test_steps_that_can_t_be_made_are_refused(given: str, words: str) -> None:
    choice = composed("chain", f"tactic.steps={given}")["tactic"]
    assert words in reason(BadInput, lambda: build(choice, "tactic"))
