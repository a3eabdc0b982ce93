"""Sweeps as a user types them: what they record, skip and leave out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.command import QUICK, ROOT, greenexp, runs


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
    mlflow_runs = runs(tmp_path)
    assert len(mlflow_runs) == 12
    assert {run["status"] for run in mlflow_runs} == {"FINISHED"}
    twice = {f"{model} · baseline · block 1 · A/A" for model in ("digits_vit", "digits_resnet")}
    assert len({run["name"] for run in mlflow_runs}) == 12
    assert twice <= {run["name"] for run in mlflow_runs}
    for run in mlflow_runs:
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
    by_name = {run["name"]: run for run in mlflow_runs}
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
    runs_by_name = {run["name"]: run for run in runs(tmp_path)}
    chain = "half_precision > local_pruning amount=0.5"
    assert set(runs_by_name) == {
        "digits_resnet · baseline · block 1",
        "digits_resnet · baseline · block 1 · A/A",
        f"digits_resnet · {chain} · block 1",
    }
    params = runs_by_name[f"digits_resnet · {chain} · block 1"]["params"]
    assert params["tactic"] == chain
    assert params["effect.half_precision/dtype"] == "bfloat16"
    assert any(key.startswith("effect.local_pruning/") for key in params)
    assert runs_by_name["digits_resnet · baseline · block 1"]["params"]["tactic"] == "baseline"
    # Beside doubts a long name is folded.
    shown = [line for line in done.stdout.splitlines() if line.startswith("half_precision >")]
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
