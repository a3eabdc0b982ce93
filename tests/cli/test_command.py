"""The command as a user types it, in a process of its own, on real models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = [
    "workload.idle_seconds=0.2",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=0.2",
    "workload.min_windows=2",
    "workload.max_windows=2",
]


def greenexp(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a folder of its own; PYTHONPATH as a plain checkout has it."""
    return subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def runs(folder: Path) -> list[dict]:
    """Returns name, status, metrics, tags and parameters of every measured MLflow run."""
    script = (
        "import json, mlflow\n"
        "c = mlflow.MlflowClient('sqlite:///mlruns/mlflow.db')\n"
        "e = c.get_experiment_by_name('greenexp')\n"
        "print(json.dumps([{'name': r.info.run_name, 'status': r.info.status,"
        " 'metrics': r.data.metrics, 'tags': r.data.tags, 'params': r.data.params,"
        " 'artifacts': [a.path for a in c.list_artifacts(r.info.run_id)]}"
        " for r in c.search_runs([e.experiment_id]) if 'greenexp.cell' in r.data.tags]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


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


@pytest.mark.parametrize(
    ("given", "planned"),
    [
        pytest.param([], "no option is left to run: labels don't match", id="another space"),
        pytest.param(["dataset=imagenet_1k"], "plan: 2 runs", id="data set of that space"),
        pytest.param(["dataset.labels=imagenet_1k"], "plan: 2 runs", id="the data set's is given"),
        pytest.param(["model.labels=null"], "plan: 2 runs", id="the models' is taken away"),
    ],
)
def test_models_are_left_out_by_the_label_spaces_that_hold(tmp_path, given, planned) -> None:
    models = ["-m", "model=resnet_18,resnet_34", "sweep.dry_run=true"]
    assert planned in greenexp(tmp_path, *models, *given).stderr


def test_help_and_cfg_work_beside_all(tmp_path) -> None:
    shown = greenexp(tmp_path, "model=all", "tactic=all", "--help")
    assert shown.returncode == 0
    assert "local_pruning" in shown.stdout
    shown = greenexp(tmp_path, "tactic=all", "--cfg", "job", "hardware.carbon.g_per_kwh=90")
    assert shown.returncode == 0
    assert "g_per_kwh: 90" in shown.stdout


def test_completion_offers_options(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "greenexp", "-sc", "query=bash"],
        cwd=tmp_path,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "COMP_LINE": "greenexp tactic=local",
            "COMP_POINT": "21",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tactic=local_pruning" in done.stdout


@pytest.mark.slow
def test_a_sweep_records_everything(tmp_path) -> None:
    done = greenexp(
        tmp_path,
        "model=digits_vit,digits_resnet",
        "tactic=baseline,dynamic_quantization,torch_compile,local_pruning,global_pruning",
        "-m",
        "hardware.price.usd_per_hour=0.80",
        "hardware.price.usd_per_kwh=0.25",
        "hardware.price.pue=1.2",
        "hardware.carbon.g_per_kwh=90",
        *QUICK,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[12/12]" in done.stdout
    assert "viewStateShareKey" in done.stderr
    found = runs(tmp_path)
    assert len(found) == 12
    assert {run["status"] for run in found} == {"FINISHED"}
    twice = {f"{model} · baseline · block 1 · A/A" for model in ("digits_vit", "digits_resnet")}
    assert len({run["name"] for run in found}) == 12
    assert twice <= {run["name"] for run in found}
    for run in found:
        assert run["metrics"]["accuracy/top1"] >= 0.5
        assert run["metrics"]["energy/per_image_j"] > 0
        assert run["metrics"]["utilization/cpu_pct"] > 0
        assert "utilization/gpu_pct" not in run["metrics"]
        machine = run["metrics"]["cost/machine_usd_per_million_images"]
        electricity = run["metrics"]["cost/electricity_usd_per_million_images"]
        total = run["metrics"]["cost/usd_per_million_images"]
        assert total == pytest.approx(machine + electricity, rel=1e-4)
        kwh = run["metrics"]["energy/per_image_j"] * 1e6 / 3.6e6
        assert electricity == pytest.approx(kwh * 1.2 * 0.25, rel=1e-4)
        carbon_g = run["metrics"]["carbon/g_per_million_images"]
        assert carbon_g == pytest.approx(kwh * 1.2 * 90, rel=1e-4)
        assert run["tags"]["greenexp.energy_source"] in ("cpu:model", "cpu:counter")
        assert run["tags"]["greenexp.outcome"] == "ok"
        assert {"config.yaml", "record.json", "latencies.csv", "predictions.csv"} <= set(
            run["artifacts"]
        )
        assert run["params"]["dataset"] == "digits"
    by_name = {run["name"]: run for run in found}
    compiled = by_name["digits_vit · torch_compile · block 1"]
    assert int(compiled["params"]["effect.graphs"]) >= 1
    plain = by_name["digits_vit · baseline · block 1"]["metrics"]
    assert compiled["metrics"]["optimization/time_s"] > plain["optimization/time_s"]
    quantized = by_name["digits_vit · dynamic_quantization · block 1"]["metrics"]
    assert quantized["complexity/weights_mib"] < plain["complexity/weights_mib"]
    pruned = by_name["digits_resnet · global_pruning · block 1"]["metrics"]
    assert pruned["complexity/sparsity"] > 0.25
    again = subprocess.run(
        [sys.executable, "-m", "greenexp.store"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.count("MLflow run") == 12
    assert len(runs(tmp_path)) == 12  # sending the journal again stores nothing twice


@pytest.mark.slow
def test_chains_are_measured_beside_the_chain_without_steps_and_found_again(tmp_path) -> None:
    steps = "tactic.steps=[],[half_precision,{local_pruning:{amount:0.5}}]"
    flagged = "report.keep_flagged=true"  # a busy machine must not hide the comparison
    arguments = ["-m", "model=digits_resnet", "tactic=chain", steps, flagged, *QUICK]
    done = greenexp(tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {run["name"]: run for run in runs(tmp_path)}
    chain = "half_precision > local_pruning amount=0.5"
    assert set(found) == {
        "digits_resnet · baseline · block 1",
        "digits_resnet · baseline · block 1 · A/A",
        f"digits_resnet · {chain} · block 1",
    }
    params = found[f"digits_resnet · {chain} · block 1"]["params"]
    assert params["tactic"] == chain
    assert params["effect.half_precision/dtype"] == "bfloat16"
    assert any(key.startswith("effect.local_pruning/") for key in params)
    assert found["digits_resnet · baseline · block 1"]["params"]["tactic"] == "baseline"
    shown = [line for line in done.stdout.splitlines() if line.startswith(chain)]
    assert any("×" in line for line in shown), "compared with the chain without steps"
    again = greenexp(tmp_path, *arguments)
    assert again.returncode == 0, again.stderr
    assert "skipped 3 of 3 runs" in again.stderr
    assert len(runs(tmp_path)) == 3


@pytest.mark.slow
def test_a_failed_run_is_failed_and_the_others_go_on(tmp_path) -> None:
    idle = (
        "workload.idle_seconds=600,0.2"  # ten minutes can't end in time, however fast the machine
    )
    done = greenexp(tmp_path, "-m", "isolation.timeout_s=40", *QUICK, idle)
    assert done.returncode == 1
    assert "1 of 2 runs failed" in done.stderr
    by_name = {run["name"]: run for run in runs(tmp_path)}
    assert len(by_name) == 2
    failed = by_name["digits_vit · baseline idle_seconds=600 · block 1"]
    assert failed["status"] == "FAILED"
    assert failed["tags"]["greenexp.outcome"] == "timeout"
    assert "latency/p50_ms" not in failed["metrics"]
    assert by_name["digits_vit · baseline idle_seconds=0.2 · block 1"]["status"] == "FINISHED"


@pytest.mark.slow
def test_another_machines_prices_are_marked(tmp_path) -> None:
    done = greenexp(tmp_path, "hardware=aws_g5_xlarge", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "hardware_mismatch" in done.stdout
    (run,) = runs(tmp_path)
    assert "hardware_mismatch" in run["tags"]["greenexp.validity"]
    assert run["tags"]["greenexp.cost_holds"] == "machine"


@pytest.mark.slow
def test_unfit_pairs_are_left_out_with_a_line(tmp_path) -> None:
    mine = tmp_path / "mine" / "model"
    mine.mkdir(parents=True)
    (mine / "letters.yaml").write_text(
        "_target_: greenexp.models.local.Local\npath: nowhere\nlabels: letters\n"
    )
    arguments = ["--config-dir", str(mine.parent), "model=letters,digits_vit", *QUICK]
    done = greenexp(tmp_path, *arguments, "-m")
    assert done.returncode == 0, done.stderr
    assert "left out 1 option: labels don't match" in done.stderr
    assert "(letters)" in done.stderr
    assert len(runs(tmp_path)) == 1
    alone = greenexp(tmp_path, *arguments[:2], "model=letters", "tactic=all")
    assert alone.returncode == 1
    assert "no option is left to run: labels don't match" in alone.stderr


@pytest.mark.slow
def test_cuda_asked_for_and_absent(tmp_path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    done = greenexp(tmp_path, "device=cuda")
    assert done.returncode == 1
    assert "no CUDA device is there" in done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_the_wheel_works_from_any_directory(tmp_path) -> None:
    """Built and unpacked beside the environment's libraries; the checkout is out of sight."""
    subprocess.run(
        [
            *f"{sys.executable} -m pip wheel --quiet --no-deps --no-build-isolation".split(),
            "--wheel-dir",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    mine = tmp_path / "mine" / "tactic"
    mine.mkdir(parents=True)
    text = (ROOT / "conf" / "tactic" / "local_pruning.yaml").read_text()
    (mine / "my_pruning.yaml").write_text(text.replace("0.3", "0.6"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", "import greenexp; print(greenexp.__file__)"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(site) in where.stdout
    arguments = ["--config-dir", str(mine.parent), "-m", "tactic=baseline,my_pruning", *QUICK]
    done = subprocess.run(
        [sys.executable, "-m", "greenexp", *arguments],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {run["name"] for run in runs(elsewhere)}
    assert names == {
        "digits_vit · baseline · block 1",
        "digits_vit · baseline · block 1 · A/A",
        "digits_vit · my_pruning · block 1",
    }
