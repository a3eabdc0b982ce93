"""Bad input to the command takes one line, before any cost."""

from __future__ import annotations

import pytest

from tests.support.command import greenexp

BAD_INPUT = [
    pytest.param(
        ["tactic=dynamic_quantisation"], ["Did you mean dynamic_quantization?"], id="choice"
    ),
    pytest.param(["hardwear=local"], ["allowed", "Did you mean hardware?"], id="group"),
    pytest.param(
        ["hardware.price.usd_per_hr=3"], ["allowed", "Did you mean usd_per_hour?"], id="key"
    ),
    pytest.param(
        ["tactic=local_pruning", "tactic.amout=0.3"], ["Did you mean amount?"], id="tactic key"
    ),
    pytest.param(["workload.batch_size=many"], ["workload.batch_size", "Integer"], id="type"),
    pytest.param(
        ["tactic=local_pruning", "tactic.amount=most"],
        ["tactic.amount", "number"],
        id="tactic type",
    ),
    pytest.param(["tactic=torch_compile", "tactic.mode=fast"], ["reduce-overhead"], id="word"),
    pytest.param(["workload.batch_size=0"], ["workload.batch_size=0", ">= 1"], id="range"),
    pytest.param(["hardware.price.usd_per_hour=-1"], ["usd_per_hour=-1", ">= 0"], id="negative"),
    pytest.param(["hardware.price.usd_per_kwh=nan"], ["usd_per_kwh=nan", "finite"], id="nan"),
    pytest.param(
        ["workload.half_width=0.01", "workload.min_windows=1"],
        ["workload.half_width=0.01", "workload.min_windows=2"],
        id="precision of one window",
    ),
    pytest.param(
        ["workload.on_interference=weit"],
        ["workload.on_interference=weit", "flag, wait, fail", "Did you mean wait?"],
        id="interference word",
    ),
    pytest.param(
        ["interference.steal_pct=-1"], ["interference.steal_pct=-1", ">= 0"], id="limit below 0"
    ),
    pytest.param(["-m", "repetitions=0"], ["repetitions=0", ">= 1"], id="no repetition"),
    pytest.param(["sweep.dry_run=true"], ["sweep.dry_run=true", "give -m"], id="nothing to plan"),
    pytest.param(["device=gpu"], ["device=gpu", "auto, cpu, cuda"], id="device"),
    pytest.param(["dataset=folder"], ["dataset.path is missing", "dataset.path=…"], id="no path"),
    pytest.param(
        ["model=local", "model.path=nowhere"], ["model.path=nowhere is no folder"], id="no model"
    ),
    pytest.param(
        ["dataset=folder", "dataset.path=nowhere"],
        ["dataset.path=nowhere is no folder"],
        id="no data",
    ),
    pytest.param(
        ["model=hub", "model.checkpoint=org/name"],
        ["org/name", "hub can't be reached"],
        id="no hub",
    ),
    pytest.param(
        ["dataset=hub", "dataset.id=org/name"],
        ["org/name", "hub can't be reached"],
        id="no hub data",
    ),
    pytest.param(["model=hub", "model.checkpoint=name"], ["allowed: org/name"], id="hub id"),
    pytest.param(["-m", "model=all", "tactic=nothing"], ["tactic=nothing is unknown"], id="sweep"),
    pytest.param(
        ["-m", "tactic=local_pruning", "tactic.amount=0.5,1.5"],
        ["tactic.amount=1.5 is out of range"],
        id="one bad cell stops the sweep before it starts",
    ),
    pytest.param(["-m", "tactic=glob(nothing*)"], ["no option is left to run"], id="empty sweep"),
    pytest.param(
        ["experiment=papper"],
        ["experiment=papper is unknown", "Did you mean paper?"],
        id="experiment",
    ),
    pytest.param(["experiment=smoke,paper"], ["one at a time"], id="two experiments"),
    pytest.param(["tactic=chain"], ["tactic.steps is missing"], id="chain without steps"),
    pytest.param(
        ["tactic=chain", "tactic.steps=half_precision"],
        ["give tactic.steps=[half_precision]"],
        id="step that is no list",
    ),
    pytest.param(
        ["tactic=chain", "tactic.steps=[half_precison]"],
        ["tactic.steps holds half_precison", "Did you mean half_precision?"],
        id="unknown step",
    ),
    pytest.param(
        ["tactic=chain", "tactic.steps=[{local_pruning:{amout:0.5}}]"],
        ["tactic.steps.local_pruning.amout is unknown", "Did you mean amount?"],
        id="unknown option of a step",
    ),
    pytest.param(
        ["tactic=chain", "tactic.steps=[torch_compile,half_precision]"],
        ["half_precision can't follow torch_compile", "put half_precision first"],
        id="order of steps",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), BAD_INPUT)
def test_bad_input_takes_one_line_before_any_cost(tmp_path, arguments, words) -> None:
    done = greenexp(tmp_path, *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("greenexp: ")
    assert "Error executing job" not in done.stderr  # Hydra's, before a second message
    for word in words:
        assert word in last
    assert not list(tmp_path.rglob("record.json"))
