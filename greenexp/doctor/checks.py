"""What is there on this machine: meters, memory, compiler, engines; nothing is disturbed."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from greenexp.meters.nvml import visible_handles
from greenexp.meters.processor import cpu_name
from greenexp.protocols import Availability, Meter

BYTES_PER_GIB = 2**30
COMPILER_TIMEOUT_S = 10.0
ENGINES = {  # package: the extra of greenexp that installs it, as in pyproject.toml
    "torchao": "",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "nncf": "openvino",
}
CONTAINER_MARKS = (".dockerenv", "run/.containerenv")
CONTAINER_WORDS = ("docker", "kubepods", "containerd", "lxc")  # in the control groups of process 1
CONTAINER_CURE = (
    "for CPU energy start the container with "
    "-v /sys/class/powercap/intel-rapl:/zeus_sys/class/powercap/intel-rapl:ro"
)


@dataclass(frozen=True)
class Fact:
    """One thing that is there, or absent.

    Attributes:
        name: of the thing.
        text: what is there, or why it is absent; one line.
        there: whether it can be used.
        cure: what the user can do to get it; empty where there is nothing.
    """

    name: str
    text: str
    there: bool = True
    cure: str = ""


def availability_of(meters: Iterable[Meter]) -> list[Availability]:
    """Returns what the meters tell of this machine; one that says nothing has no line."""
    entries: list[Availability] = []
    for meter in meters:
        availability = getattr(meter, "availability", None)  # a class of the user's may lack it
        entries += availability() if availability is not None else ()
    return entries


def machine(journal: Path, *, counted: bool) -> list[Fact]:
    """Returns what is there besides meters and tracker.

    Args:
        journal: folder of the journals, which need not be there.
        counted: whether a counter tells the CPU's energy.
    """
    return [
        processor(),
        memory(Path("/")),
        disk(journal),
        surroundings(Path("/"), counted=counted),
        compiler(os.environ, sys.platform),
        *engines(ENGINES),
    ]


def processor() -> Fact:
    """Returns the CPU's name and how many threads it runs."""
    threads = psutil.cpu_count(logical=True) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
    limit = f", {allowed} of them for this process" if allowed < threads else ""
    return Fact("CPU", f"{cpu_name()}, {threads} threads{limit}")


def memory(root: Path) -> Fact:
    """Returns the free memory of the machine and of its visible NVIDIA GPUs.

    Args:
        root: folder below which the system keeps its own files.
    """
    system = psutil.virtual_memory()
    parts = [f"{_gib(system.available)} of {_gib(system.total)} GiB free"]
    with contextlib.suppress(OSError, ValueError):  # no control group, or one without a limit
        limit = int((root / "sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        if limit < system.total:
            parts.append(f"this container may use {_gib(limit)} GiB")
    return Fact("memory", "; ".join([*parts, *_gpu_memory()]))


def disk(journal: Path) -> Fact:
    """Returns the free space where journals and temporary files go."""
    temporary = Path(tempfile.gettempdir())
    free = {f"journal {journal}": journal, f"temporary folder {temporary}": temporary}
    return Fact(
        "free disk",
        "; ".join(
            f"{name} {_gib(shutil.disk_usage(existing(folder)).free)} GiB"
            for name, folder in free.items()
        ),
    )


def existing(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that is there."""
    absolute = path.absolute()
    return next(above for above in (absolute, *absolute.parents) if os.access(above, os.F_OK))


def surroundings(root: Path, *, counted: bool) -> Fact:
    """Returns the system, and what stands between it and the hardware.

    Args:
        root: folder below which the system keeps its own files.
        counted: whether a counter tells the CPU's energy, so that there is nothing to cure.
    """
    parts = [f"{platform.system()} {platform.release()}, Python {platform.python_version()}"]
    contained = any((root / mark).exists() for mark in CONTAINER_MARKS) or any(
        word in _text(root / "proc/1/cgroup") for word in CONTAINER_WORDS
    )
    if contained:
        parts.append("a container, which sees what it is given")
    if "microsoft" in _text(root / "proc/version").lower():
        parts.append("WSL, which shows no CPU counter, and NVIDIA GPUs by the Windows driver")
    elif "hypervisor" in _text(root / "proc/cpuinfo").split():
        parts.append("a virtual machine" + ("" if counted else ", and most hide CPU counters"))
    cure = CONTAINER_CURE if contained and not counted else ""
    return Fact("system", "; ".join(parts), cure=cure)


def compiler(variables: Mapping[str, str], system: str) -> Fact:
    """Returns the C++ compiler of torch.compile, looked for as torch's inductor does.

    Args:
        variables: the environment's.
        system: as in `sys.platform`.
    """
    name = variables.get("CXX", "clang++" if system == "darwin" else "g++")
    cure = (
        "xcode-select --install" if system == "darwin" else "install g++, or set CXX to another one"
    )
    try:
        ended = subprocess.run(
            [name, "--version"],
            capture_output=True,
            text=True,
            timeout=COMPILER_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        text = f"absent: {name} doesn't run, so torch.compile can't on the CPU"
        return Fact("C++ compiler", text, there=False, cure=cure)
    version = (ended.stdout.splitlines() or [""])[0]
    return Fact("C++ compiler", version if version.startswith(name) else f"{name}: {version}")


def engines(extras: Mapping[str, str]) -> list[Fact]:
    """Returns the versions of optional packages, and those that are absent.

    Args:
        extras: package to the extra of greenexp that installs it; empty: greenexp itself does.
    """
    versions: dict[str, str] = {}
    for package in extras:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    facts = []
    if versions:
        facts.append(Fact("engines", ", ".join(" ".join(pair) for pair in versions.items())))
    absent = [package for package in extras if package not in versions]
    if absent:
        wanted = ",".join(dict.fromkeys(extras[name] for name in absent if extras[name]))
        cure = f"pip install 'greenexp[{wanted}]'" if wanted else "pip install greenexp"
        facts.append(Fact("no engine", f"absent: {', '.join(absent)}", there=False, cure=cure))
    return facts


def _gpu_memory() -> list[str]:
    import pynvml

    parts: list[str] = []
    with contextlib.suppress(pynvml.NVMLError):  # no NVIDIA driver, or a GPU that doesn't tell
        pynvml.nvmlInit()
        try:
            for index, handle in enumerate(visible_handles(pynvml)):
                own: Any = pynvml.nvmlDeviceGetMemoryInfo(handle)
                parts.append(f"gpu:{index} {_gib(own.free)} of {_gib(own.total)} GiB free")
        finally:
            pynvml.nvmlShutdown()
    return parts


def _gib(count: int) -> str:
    return f"{count / BYTES_PER_GIB:.1f}"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
