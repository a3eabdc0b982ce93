"""optimum-benchmark in a virtual environment of its own, for `peers.py`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

RELEASE = "0.6.0"
TRANSFORMERS = "4.57.6"  # the last 4.x: this release imports names that transformers 5 lacks
NEEDED_GIB = 3  # of free disk; what is installed takes 1.5 where torch is a CPU build
PACKAGES = (
    "optimum-benchmark",
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "numpy",
    "hydra-core",
)


def prepare(folder: Path) -> Path:
    """Returns the Python of the environment in the folder, and makes it where there is none.

    torch is the very build that greenexp runs with, and is installed first: a looser requirement
    brings gigabytes of CUDA.

    Raises:
        RuntimeError: where the disk is too full, pip fails, or the folder holds something else.
    """
    python = folder / "bin" / "python"
    torch = version("torch")
    if not python.exists():
        folder.mkdir(parents=True, exist_ok=True)
        free_gib = shutil.disk_usage(folder).free / 2**30
        if free_gib < NEEDED_GIB:
            raise RuntimeError(
                f"{folder} has {free_gib:.1f} GiB free and {NEEDED_GIB} are needed; "
                "give another folder with --environment"
            )
        _call(sys.executable, "-m", "venv", str(folder))
        install = (str(python), "-m", "pip", "install", "--quiet")
        _call(*install, f"torch=={torch}")
        _call(
            *install,
            f"torch=={torch}",
            f"transformers=={TRANSFORMERS}",
            f"optimum-benchmark=={RELEASE}",
        )
    try:
        there = versions(python)
    except RuntimeError:
        raise RuntimeError(f"{folder} lacks some of {PACKAGES}; give an empty folder") from None
    if there["optimum-benchmark"] != RELEASE or there["torch"] != torch:
        raise RuntimeError(
            f"{folder} holds optimum-benchmark {there['optimum-benchmark']} and torch "
            f"{there['torch']}, and {RELEASE} and {torch} are meant; give an empty folder"
        )
    return python


def versions(python: Path) -> dict[str, str]:
    """Returns the versions of optimum-benchmark and of what it runs on."""
    code = (
        "import importlib.metadata, json, sys; "
        "print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))"
    )
    told: dict[str, str] = json.loads(_call(str(python), "-I", "-c", code, *PACKAGES))
    return told


def _call(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
