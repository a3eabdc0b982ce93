"""The command of this checkout in a process of its own, and the runs that it stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUICK = [
    "workload.idle_seconds=0.2",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=0.2",
    "workload.min_windows=2",
    "workload.max_windows=2",
    "sweep.baselines=2",
    "sweep.rerun=false",  # a busy machine, which flags runs, must not decide what is measured
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


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Starts a module's command, `python -m words…`, in a folder; `said` waits for it."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(command: subprocess.Popen[str]) -> str:
    """Returns what a command says once it has ended; a traceback is for bugs."""
    text, _ = command.communicate(timeout=900)
    assert "Traceback" not in text, text
    return text


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
