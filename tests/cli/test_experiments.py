"""The ready sweeps of `conf/experiment`: what each plans, through the command, with no network."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.ready_sweeps import (
    COMBINED,
    CONF,
    CPU_TACTICS,
    DIGITS,
    IMPOSSIBLE,
    PAIRS,
    STUDY,
    DryRun,
    swept,
)

ROOT = Path(__file__).parents[2]
HANG_S = 600.0


# What stands in the files


def test_paper_sweeps_42_different_models_of_one_label_space() -> None:
    models = swept("paper")["model"]
    assert len(models) == len(set(models)) == 42
    options = {
        name: yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text("utf-8"))
        for name in models
    }
    assert {option["labels"] for option in options.values()} == {"imagenet_1k"}
    assert len({option["checkpoint"] for option in options.values()}) == 42
    data = yaml.safe_load((CONF / "dataset" / "imagenet_1k.yaml").read_text("utf-8"))
    assert data["labels"] == "imagenet_1k"


def test_paper_describes_its_models_rightly() -> None:
    text = (CONF / "experiment" / "paper.yaml").read_text("utf-8")
    cards = [
        yaml.safe_load((CONF / "model" / f"{name}.yaml").read_text("utf-8"))["card"]
        for name in swept("paper")["model"]
    ]
    assert f"these are of {len({card['family'] for card in cards})} families" in text
    sizes_m = [card["parameters_m"] for card in cards]
    assert f"{round(min(sizes_m))} to {round(max(sizes_m), -1):.0f} million parameters" in text


def test_paper_has_its_four_tactics_and_the_baseline() -> None:
    assert swept("paper")["tactic"] == STUDY


def test_interactions_hold_the_baseline_each_tactic_and_each_ordered_pair_once() -> None:
    steps = [tuple(chain) for chain in swept("interactions")["tactic.steps"]]
    assert len(steps) == len(set(steps)) == 1 + 6 + 30
    assert set(steps) == {(), *((name,) for name in COMBINED), *PAIRS}


def test_pruning_amounts_are_every_tenth_of_both() -> None:
    amounts = [f"{tenths / 10}" for tenths in range(1, 10)]
    chains = swept("pruning_amounts")["tactic.steps"]
    assert chains[0] == []
    assert [[dict(step) for step in chain] for chain in chains[1:]] == [
        [{name: {"amount": float(amount)}}]
        for name in ("local_pruning", "global_pruning")
        for amount in amounts
    ]


# What the command plans

Plan = Callable[..., DryRun]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Plans an experiment on the CPU where no hub can be reached and nothing is cached."""

    @functools.cache
    def call(name: str, *arguments: str) -> DryRun:
        folder = tmp_path_factory.mktemp(name)
        where = [f"tracking.uri=sqlite:///{folder}/mlflow.db", f"tracking.journal={folder}/journal"]
        given = [f"experiment={name}", "sweep.dry_run=true", "device=cpu", *arguments]
        alone = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-m", "greenexp", *given, *where],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | alone,
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert {path.name for path in folder.rglob("*") if path.is_file()} == {
            "plan.json",
            "multirun.yaml",
            ".claimed",
        }
        (path,) = folder.rglob("plan.json")
        plan = json.loads(path.read_text("utf-8"))
        excluded = {exclusion["title"]: exclusion["reason"] for exclusion in plan["excluded"]}
        return DryRun(plan["runs"], excluded, plan["forecast"], done.stderr)

    return call


DESIGNS = {  # cells, models with a baseline and others, baselines of a block, blocks of each
    "paper": (42 * 5, 42, 2, 10),
    "interactions": (1 + 6 + 16, 1, 6, 1),
    "pruning_amounts": (1 + 9 + 9, 1, 6, 1),
    "smoke": (2 * len(CPU_TACTICS), 2, 2, 1),
    "everything": (len(DIGITS) * len(CPU_TACTICS), len(DIGITS), 2, 10),
}


def test_every_experiment_is_planned_below() -> None:
    assert set(DESIGNS) == {path.stem for path in (CONF / "experiment").glob("*.yaml")}


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_experiment_plans_its_cells_in_complete_blocks(plan: Plan, name: str) -> None:
    cells, compared, baselines, blocks = DESIGNS[name]
    planned = plan(name)
    of_a_block = cells + compared * (baselines - 1)
    runs = of_a_block * blocks
    assert len(planned.runs) == runs
    assert len({run["cell"] for run in planned.runs}) == len(planned.titles) == cells
    assert set(planned.titles.values()) == {blocks}
    assert len(planned.twice) == compared
    assert set(planned.twice.values()) <= {blocks}
    assert all(title.endswith(" · baseline") for title in planned.twice)
    sizes = Counter(run["block"] for run in planned.runs)
    assert sizes == dict.fromkeys(range(1, blocks + 1), of_a_block)
    assert not any(run["finished"] for run in planned.runs)
    assert (planned.forecast["runs"], planned.forecast["known"]) == (runs, 0)
    assert planned.forecast["at_least_s"] > runs
    assert planned.forecast["seconds"] is None
    assert re.search(rf"plan: {runs:,} runs, \d.*, longer where a batch takes", planned.words)


@pytest.mark.slow
def test_paper_plans_2520_runs_of_its_models_and_leaves_none_out(plan: Plan) -> None:
    planned = plan("paper")
    assert len(planned.runs) == 2520
    expected = {f"{model} · {tactic}" for model in swept("paper")["model"] for tactic in STUDY}
    assert set(planned.titles) == expected
    assert set(planned.twice) == {title for title in expected if title.endswith(" · baseline")}
    assert planned.excluded == {}
    assert planned.forecast["at_least_s"] >= 2520 * 20  # idle, warm-up and 100 rounds


@pytest.mark.slow
def test_command_line_wins_over_the_experiment(plan: Plan) -> None:
    given = [
        "model=resnet_18,resnet_34",
        "model.allow_pickle=true",
        "tactic=baseline,local_pruning",
        "repetitions=2",
        "dataset=digits",
        "dataset.labels=imagenet_1k",
        "workload=quick",
    ]
    planned = plan("paper", *given)
    assert set(planned.titles) == {
        f"{model} · {tactic}"
        for model in ("resnet_18", "resnet_34")
        for tactic in ("baseline", "local_pruning")
    }
    assert len(planned.runs) == (2 * 2 + 2 * 2) * 2  # three baselines in each of four blocks
    assert planned.forecast["at_least_s"] < 60 * len(planned.runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "titles"),
    [
        pytest.param(["tactic=torch_compile"], ["torch_compile"], id="another tactic"),
        pytest.param(
            ["tactic=local_pruning", "tactic.amount=0.1,0.9"],
            ["local_pruning amount=0.1", "local_pruning amount=0.9"],
            id="and its option",
        ),
        pytest.param(["tactic.steps=[openvino,threads]"], ["openvino > threads"], id="other steps"),
    ],
)
def test_tactic_of_the_command_line_takes_the_place_of_the_chains(
    plan: Plan, given: list[str], titles: list[str]
) -> None:
    assert sorted(plan("interactions", *given).titles) == [
        f"digits_vit · {title}" for title in titles
    ]


@pytest.mark.slow
def test_interactions_leave_out_the_pairs_that_can_t_be_with_the_reason(plan: Plan) -> None:
    planned = plan("interactions")
    chains = [
        [],
        *([name] for name in COMBINED),
        *(pair for pair in PAIRS if pair not in IMPOSSIBLE),
    ]
    assert set(planned.titles) == {
        f"digits_vit · {' > '.join(steps) or 'baseline'}" for steps in chains
    }
    assert planned.twice == {"digits_vit · baseline": 1}
    assert set(planned.excluded) == {
        f"digits_vit · {first} > {then} · digits" for first, then in IMPOSSIBLE
    }
    for first, then in IMPOSSIBLE:
        why = planned.excluded[f"digits_vit · {first} > {then} · digits"]
        assert why.startswith(f"{then} can't follow {first}, which makes ")
        assert f"left out 1 run: {why}" in planned.words


@pytest.mark.slow
def test_pruning_amounts_stand_in_the_titles(plan: Plan) -> None:
    assert set(plan("pruning_amounts", "model=digits_resnet").titles) == {
        "digits_resnet · baseline",
        *(
            f"digits_resnet · {name}_pruning amount=0.{tenths}"
            for name in ("local", "global")
            for tenths in range(1, 10)
        ),
    }


@pytest.mark.slow
def test_everything_leaves_out_what_does_not_fit_the_data(plan: Plan) -> None:
    planned = plan("everything")
    others = {path.stem for path in (CONF / "model").glob("*.yaml")} - {*DIGITS, "hub", "local"}
    sparse = {f"{model} · semi_structured_sparsity · digits" for model in DIGITS}
    assert set(planned.excluded) == others | sparse
    for name, why in planned.excluded.items():
        words = "the tactic runs on cuda" if name in sparse else "the data set's are digits"
        assert words in why
    for template in ("model=all leaves out hub", "tactic=all leaves out chain"):
        assert template in planned.words


LOCAL = "_target_: greenexp.tactics.pruning.LocalPruning\namount: 0.5\n"
MINE = """# @package _global_
repetitions: 2
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      model: digits_vit, resnet_18
      dataset: digits, imagenet_1k
      tactic: chain
      tactic.steps: "[], [mine]"
      workload.batch_size: 4
      workload.threads: null
"""


@pytest.mark.slow
def test_users_experiment_and_tactic_are_planned_pair_by_pair(plan: Plan, tmp_path: Path) -> None:
    for group, text in (("experiment", MINE), ("tactic", LOCAL)):
        (tmp_path / group).mkdir()
        (tmp_path / group / "mine.yaml").write_text(text, encoding="utf-8")
    planned = plan("mine", "--config-dir", str(tmp_path))
    fitting = (("digits_vit", "digits"), ("resnet_18", "imagenet_1k"))
    assert planned.titles == {
        f"{model} · {tactic} dataset={dataset}": 2
        for model, dataset in fitting
        for tactic in ("baseline", "mine")
    }
    assert planned.twice == {
        f"{model} · baseline dataset={dataset}": 2 for model, dataset in fitting
    }
    assert set(planned.excluded) == {
        f"{model} · {tactic} · {dataset}"
        for model, dataset in (("digits_vit", "imagenet_1k"), ("resnet_18", "digits"))
        for tactic in ("baseline", "mine")
    }
