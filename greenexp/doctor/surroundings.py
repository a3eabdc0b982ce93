"""The machine beside its meters: device, memory, compiler, engines, tracker."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import psutil

from greenexp.meters.processor import cpu_name
from greenexp.protocols import Traits
from greenexp.settings.sweep import Tracking
from greenexp.tracking.probe import probe

MIB = 2**20
COMPILERS = ("g++", "clang++", "c++")
CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True)
class Fact:
    """A line about the machine; `cure` says how to get what is absent."""

    name: str
    value: str
    cure: str = ""


def facts(
    device: str, refusal: str, tracking: Tracking, tactics: Iterable[Traits]
) -> Iterator[Fact]:
    """Yields what a run would meet on this machine.

    Args:
        device: that is meant, cpu or cuda.
        refusal: why it can't be used; empty: it can.
        tracking: where runs would go.
        tactics: traits of all tactics, whose packages are looked for.
    """
    yield Fact("device", f"{device}, which can't be used" if refusal else device, refusal)
    yield Fact("processor", f"{cpu_name()}, {psutil.cpu_count(logical=True)} threads{_host()}")
    memory = psutil.virtual_memory()
    yield Fact("memory", f"{memory.available / MIB:.0f} of {memory.total / MIB:.0f} MiB free")
    for name, folder in (("journal", Path(tracking.journal)), ("temporary", _temporary())):
        yield _disk(f"disk of {name}", folder)
    yield _compiler()
    yield from _packages(tactics)
    answer = probe(tracking)
    yield Fact("tracker", answer.line, answer.cure)


def _host() -> str:
    """Returns what the system runs in, as far as it shows."""
    words = []
    if "microsoft" in platform.release().lower():
        words.append("WSL")
    if any(Path(file).exists() for file in CONTAINER_FILES) or "KUBERNETES_PORT" in os.environ:
        words.append("a container")
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file() and "hypervisor" in cpuinfo.read_text(encoding="utf-8"):
        words.append("a virtual machine")
    return f", in {' in '.join(words)}" if words else ""


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _disk(name: str, folder: Path) -> Fact:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents)
                 if parent.exists())  # fmt: skip
    free_mib = shutil.disk_usage(there).free / MIB
    if not os.access(there, os.W_OK):
        return Fact(name, f"{folder} can't be written to", "give a folder that can be")
    return Fact(name, f"{free_mib:.0f} MiB free for {folder}")


def _compiler() -> Fact:
    given = os.environ.get("CXX")
    command = next(filter(shutil.which, [given] if given else COMPILERS), None)
    if command is None:
        missing = given or "none of " + ", ".join(COMPILERS)
        cure = "torch_compile needs one: install g++, or name it in CXX"
        return Fact("C++ compiler", f"absent ({missing})", cure)
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return Fact("C++ compiler", (done.stdout or done.stderr).partition("\n")[0].strip() or command)


def _packages(tactics: Iterable[Traits]) -> Iterator[Fact]:
    """Yields the optional packages of the tactics, one line for each extra that installs some."""
    extras: dict[str, dict[str, None]] = {}
    for traits in tactics:
        if traits.extra is not None:
            extras.setdefault(traits.extra, {}).update(dict.fromkeys(traits.packages))
    for extra, packages in sorted(extras.items()):
        absent = [name for name in packages if find_spec(name) is None]
        there = [f"{name} {_version(name)}".strip() for name in packages if name not in absent]
        cure = f"pip install 'greenexp[{extra}]'" if absent else ""
        yield Fact(f"engine {extra}", ", ".join([*there, *(f"{n} absent" for n in absent)]), cure)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # its distribution has another name
        return ""
