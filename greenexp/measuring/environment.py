"""What a run ran on: versions, processors, driver, threads, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from greenexp.meters.processor import cpu_name

PACKAGES = (
    "greenexp",
    "torch",
    "transformers",
    "datasets",
    "torchao",
    "zeus",
    "hydra-core",
    "omegaconf",
    "mlflow",
    "numpy",
)
VARIABLES = (
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "GLIBC_TUNABLES",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "TORCHINDUCTOR_CACHE_DIR",  # empty at the start of each run, so that compiling is paid in full
)
BYTES_PER_MIB = 2**20


def environment(device: str) -> dict[str, Any]:
    """Returns the environment as plain values; what can't be found out is left out."""
    import torch

    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cpu_threads": psutil.cpu_count(logical=True),
        "memory_mib": psutil.virtual_memory().total / BYTES_PER_MIB,
        "torch_threads": torch.get_num_threads(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "packages": {name: version(name) for name in PACKAGES if version(name)},
        "load_average_1min": os.getloadavg()[0],
        **_commit(),
    }
    if device == "cuda":
        index = torch.cuda.current_device()
        facts["gpus"] = [torch.cuda.get_device_name(index)]
        facts["cuda"] = torch.version.cuda
        facts |= _driver()
    return facts


def version(package: str) -> str | None:
    """Returns the version of an installed package, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _driver() -> dict[str, str]:
    import pynvml

    try:
        pynvml.nvmlInit()
        try:
            return {"gpu_driver": str(pynvml.nvmlSystemGetDriverVersion())}
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return {}


def _commit() -> dict[str, Any]:
    """Returns greenexp's commit and whether files differ from it; nothing outside a checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return {}
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return {"git_commit": commit, "git_dirty": bool(_git(root, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
