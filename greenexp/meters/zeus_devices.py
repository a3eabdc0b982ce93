"""What Zeus finds on a machine: GPUs, processor packages, systems on a chip, and why not."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenexp.errors import first_line
from greenexp.meters.nvml import visible_handles
from greenexp.protocols import Availability, Source

if TYPE_CHECKING:
    from zeus.monitor import ZeusMonitor

J_PER_MJ = 1e-3
J_PER_UJ = 1e-6
PLATFORM = "psys"  # RAPL's zone of the whole machine, which holds the packages
RAPL_CURE = (
    "sudo chmod -R a+r /sys/class/powercap/intel-rapl (until the next boot), or run zeusd and set "
    "ZEUSD_SOCK_PATH; in a container add "
    "-v /sys/class/powercap/intel-rapl:/zeus_sys/class/powercap/intel-rapl:ro"
)


def monitor_of_all() -> ZeusMonitor | None:
    """Returns a monitor of everything but the GPUs; None where Zeus can't be started."""
    logging.getLogger("zeus").setLevel(logging.ERROR)  # it warns that there is no GPU
    from zeus.monitor import ZeusMonitor

    try:
        with visible_by_index():
            return ZeusMonitor(gpu_indices=[])
    except failures() as failure:
        logging.getLogger(__name__).warning("Zeus can't be started: %s", first_line(failure))
        return None


def failures() -> tuple[type[Exception], ...]:
    """Returns what Zeus raises where an instrument can't be read, its own and the system's."""
    from zeus.exception import ZeusBaseError

    return (ZeusBaseError, OSError, ValueError, RuntimeError)


@contextmanager
def visible_by_index() -> Iterator[None]:
    """Names the visible NVIDIA GPUs as Zeus reads them: by indices that are there.

    CUDA takes UUIDs as well, a name that is not there ends its list, and it has no number for a GPU
    that was lost.
    """
    name = "CUDA_VISIBLE_DEVICES"
    given = os.environ.get(name)
    if given is not None and given.startswith("MIG"):
        yield
        return
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:  # no NVIDIA driver; the variable may be meant for AMD
        yield
        return
    try:
        indices = [str(pynvml.nvmlDeviceGetIndex(gpu)) for gpu in visible_handles(pynvml)]
    finally:
        pynvml.nvmlShutdown()
    os.environ[name] = ",".join(indices)
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]
        else:
            os.environ[name] = given


def gpus_of(monitor: ZeusMonitor) -> tuple[list[int], list[int]]:
    """Returns the GPUs with an energy counter, and AMD's without."""
    counting, others = [], []
    for index in range(len(monitor.gpus)):
        try:
            counts = monitor.gpus.supports_get_total_energy_consumption(index)
        except failures():
            continue
        if counts:
            counting.append(index)
        elif type(monitor.gpus).__name__ == "AMDGPUs":
            others.append(index)
    return counting, others


def packages_of(monitor: ZeusMonitor) -> list[int]:
    """Returns the processor packages among RAPL's zones: not the platform, which holds them."""
    return [index for index, cpu in enumerate(monitor.cpus.cpus) if zone_name(cpu) != PLATFORM]


def zone_name(cpu: Any) -> str:
    """Returns the name of a processor's power zone, `package-0`."""
    zone = getattr(cpu, "rapl_file", None)  # zeusd's processors have none
    return str(zone.name) if zone is not None else "package"


def range_j(monitor: ZeusMonitor, kind: str, index: int) -> float | None:
    """Returns the J at which a package's or its memory's counter wraps; None: unknown."""
    cpu = monitor.cpus.cpus[index]
    zone = getattr(cpu, "rapl_file" if kind == "cpu" else "dram", None)
    return zone.max_energy_range_uj * J_PER_UJ if zone is not None else None


def soc_energies(measured: Any) -> Mapping[str, tuple[float, Source]]:
    """Returns joules and their source by component, of what Zeus measures of a system on a chip."""
    if measured is None:
        return {}
    if hasattr(measured, "cpu_total_mj"):  # Apple's counters
        apple = {
            "cpu": measured.cpu_total_mj,
            "gpu:0": measured.gpu_mj,
            "dram": measured.dram_mj,
            "ane": measured.ane_mj,
        }
        return {name: (mj * J_PER_MJ, "counter") for name, mj in apple.items() if mj is not None}
    jetson = {"cpu": measured.cpu_energy_mj, "gpu:0": measured.gpu_energy_mj}
    parts_mj = {name: mj for name, mj in jetson.items() if mj is not None}
    if measured.total_energy_mj is not None:
        parts_mj["board"] = measured.total_energy_mj - sum(parts_mj.values())
    return {name: (mj * J_PER_MJ, "sampled") for name, mj in parts_mj.items()}


def cpu_availability(monitor: ZeusMonitor) -> list[Availability]:
    """Returns the processor packages with a counter, or why there is none and the cure."""
    from zeus.device.cpu.rapl import CONTAINER_RAPL_DIR, RAPL_DIR

    if len(monitor.cpus):
        available = []
        for index in packages_of(monitor):
            cpu = monitor.cpus.cpus[index]
            detail = f"RAPL's counter of {zone_name(cpu)}, read by Zeus"
            available.append(Availability("energy", f"cpu:{index}", "counter", detail))
            if cpu.supports_get_dram_energy_consumption():
                available.append(Availability("energy", f"dram:{index}", "counter", detail))
        return available
    folders = [folder for folder in map(Path, (RAPL_DIR, CONTAINER_RAPL_DIR)) if folder.is_dir()]
    if not folders:
        why = f"this machine has no RAPL counter: {RAPL_DIR} is not there"
        cure = "none in most virtual machines; on bare metal: sudo modprobe intel_rapl_msr"
        if platform.system() != "Linux":
            why, cure = f"{platform.system()} shows Zeus no RAPL counter", ""
        return [Availability("energy", "cpu", None, why, cure)]
    counters = sorted(folders[0].rglob("intel-rapl*/energy_uj"))
    refused = [str(counter) for counter in counters if not os.access(counter, os.R_OK)]
    if refused:
        why = f"no right to read RAPL's counter: {refused[0]}"
        return [Availability("energy", "cpu", None, why, RAPL_CURE)]
    return [Availability("energy", "cpu", None, f"{folders[0]} holds no counter that Zeus reads")]
