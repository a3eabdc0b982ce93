"""How much memory is free, on the machine and on its GPU."""

from __future__ import annotations

import contextlib
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

BYTES_PER_MIB = 2**20
KIB_PER_MIB = 1024
CGROUP = Path("/sys/fs/cgroup")
CUDA_CONTEXT_MIB = 600.0  # that a process takes on a GPU beside its tensors, at most


@dataclass(frozen=True)
class Memory:
    """What a run takes, and what is free beside it.

    Attributes:
        peak_mib: most memory that its process has held.
        gpu_peak_mib: most memory that it has held on its GPU; None: it uses none.
        gpu_free_mib: what is free there now.
    """

    peak_mib: float
    gpu_peak_mib: float | None = None
    gpu_free_mib: float | None = None


def of_process(device: str) -> Memory:
    """Returns the memory of this process and of the GPU that it uses.

    Args:
        device: cpu or cuda.
    """
    if device != "cuda":
        return Memory(peak_mib())
    import torch

    free, _ = torch.cuda.mem_get_info()
    own_mib = torch.cuda.max_memory_reserved() / BYTES_PER_MIB + CUDA_CONTEXT_MIB
    return Memory(peak_mib(), own_mib, free / BYTES_PER_MIB)


def available_mib(cgroup: Path = CGROUP) -> float:
    """Returns the memory that processes can still take without swapping.

    Args:
        cgroup: folder of this container's limits; what files hold can be dropped.
    """
    available = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError, KeyError):  # no limit here
        limit = int((cgroup / "memory.max").read_text(encoding="ascii"))
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        lines = (cgroup / "memory.stat").read_text(encoding="ascii").splitlines()
        cached = int(dict(line.split() for line in lines)["inactive_file"])
        available = min(available, limit - used + cached)
    return available / BYTES_PER_MIB


def peak_mib() -> float:
    """Returns the most memory that this process has held."""
    with contextlib.suppress(OSError):  # on Linux only
        # getrusage has the peak of whoever started this process as well, for exec keeps it
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        peak_kib = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        if peak_kib is not None:
            return int(peak_kib) / KIB_PER_MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB_PER_MIB / (KIB_PER_MIB if sys.platform == "darwin" else 1)
