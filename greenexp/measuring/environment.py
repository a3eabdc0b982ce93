"""What a run ran on: versions, processors, driver, threads, commit."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from greenexp.meters.processor import cpu_name
from greenexp.settings.secrets import without_secrets

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
    "SLURM_JOB_ID",
    "SLURM_JOB_PARTITION",
    "TORCHINDUCTOR_CACHE_DIR",  # empty at the start of each run, so that compiling is paid in full
)
GIT_FACTS = {
    "git_branch": ("branch", "--show-current"),
    "git_repository": ("config", "--get", "remote.origin.url"),
}
BYTES_PER_MIB = 2**20


def environment(device: str) -> dict[str, Any]:
    """Returns the environment as plain values; what can't be found out is left out."""
    import torch

    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "host": socket.gethostname(),
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
    with suppress(OSError, KeyError):  # an account that the system has no entry of
        facts["user"] = getpass.getuser()
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
    """Returns greenexp's commit, branch and repository, and whether files differ from the commit.

    Outside a checkout there is nothing; a checkout of no branch, or of no repository, has none.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return {}
    try:
        commit = _git(root, "rev-parse", "HEAD")
        facts: dict[str, Any] = {"git_commit": commit}
        facts["git_dirty"] = bool(_git(root, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return {}
    for name, words in GIT_FACTS.items():
        with suppress(OSError, subprocess.CalledProcessError):
            facts[name] = without_secrets(_git(root, *words))
    return {name: value for name, value in facts.items() if value != ""}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
