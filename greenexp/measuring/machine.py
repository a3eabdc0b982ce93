"""Which machine this is, told without importing torch or touching an accelerator."""

from __future__ import annotations

import contextlib
import hashlib
from functools import cache

import psutil

from greenexp.meters.processor import cpu_name


@cache
def fingerprint() -> str:
    """Returns what is equal for machines whose figures may stand side by side.

    Made of the CPU's name, the number of logical CPUs and the names of all GPUs.
    """
    parts = [cpu_name(), str(psutil.cpu_count(logical=True)), *_gpu_names()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


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
