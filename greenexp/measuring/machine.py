"""Which machine this is, told without importing torch or touching an accelerator."""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import cache

import psutil

from greenexp.measuring.environment import version
from greenexp.meters.processor import cpu_name

THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS")
COMPUTING = ("nncf", "onnxruntime", "openvino", "torch", "torchao", "transformers")


@cache
def fingerprint() -> str:
    """Returns what is equal for machines whose figures may stand side by side.

    Made of the CPU's name, the number of logical CPUs and the names of all GPUs.
    """
    parts = [cpu_name(), str(psutil.cpu_count(logical=True)), *_gpu_names()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def conditions() -> str:
    """Returns what else must be equal for runs to be held against each other on one machine.

    The logical CPUs that may be used, the variables that set the number of threads, and the
    versions of the packages that compute: `2 of 2 CPUs, OMP_NUM_THREADS=1, torch 2.13.0`.
    """
    threads = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    versions = [(name, version(name)) for name in COMPUTING]
    cpus = f"{usable_cpus()} of {psutil.cpu_count(logical=True)} CPUs"
    return ", ".join([cpus, *threads, *(f"{name} {known}" for name, known in versions if known)])


def usable_cpus() -> int:
    """Returns how many logical CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count(logical=True) or 1


def _gpu_names() -> list[str]:
    import pynvml

    names: list[str] = []
    with contextlib.suppress(pynvml.NVMLError):  # no NVIDIA driver, or a GPU that was lost
        pynvml.nvmlInit()
        try:
            handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
            names += [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]
        finally:
            pynvml.nvmlShutdown()
    return names
