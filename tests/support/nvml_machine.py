"""A machine with NVIDIA GPUs, for the real pynvml and Zeus: a library that answers NVML's calls.

`libnvidia-ml.so.1` is compiled from `nvml_library/libnvidia-ml.c` into a folder that
LD_LIBRARY_PATH names, so the loader gives it to whoever opens NVML. It must be there before the
process starts, so tests run commands:

    machine = Machine(folder, compiled(folder))
    machine.greenexp([Gpu("Simulated V100", ...)], "device=cpu")
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pynvml

from greenexp.runs import journal
from greenexp.runs.journal import Record

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "nvml_library" / "libnvidia-ml.c"
LIBRARY = "libnvidia-ml.so.1"


@dataclass(frozen=True)
class Gpu:
    """One GPU; None: it does not tell.

    Attributes:
        name: of the product.
        uuid: by which CUDA_VISIBLE_DEVICES may name it.
        architecture: pynvml's NVML_DEVICE_ARCH_…; Zeus asks those from Volta on for their counter.
        power_w: constant.
        counter_step_s: seconds between two moves of its energy counter.
        utilization_pct: constant, as the next ones.
        temperature_c: of the GPU's own sensor.
        memory_mib: in use on the device.
        clock_mhz: of the multiprocessors.
        throttle_reasons: a mask of pynvml's nvmlClocksThrottleReason….
        processes: number of those that compute on it.
        mig: 1 where it is cut into instances.
        lost_after_s: seconds after a process's first nvmlInit until its GPU is lost; None: never.
    """

    name: str
    uuid: str
    architecture: int
    power_w: float | None
    counter_step_s: float | None = None
    utilization_pct: int | None = 60
    temperature_c: int | None = 55
    memory_mib: int | None = 2048
    clock_mhz: int | None = 1380
    throttle_reasons: int | None = 0
    processes: int | None = 0
    mig: int | None = None
    lost_after_s: float | None = None


V100 = Gpu(
    "Simulated V100",
    "GPU-aaaaaaaa-0000-0000-0000-000000000000",
    pynvml.NVML_DEVICE_ARCH_VOLTA,
    power_w=150.0,
    counter_step_s=0.02,
)
P100 = Gpu(
    "Simulated P100",
    "GPU-bbbbbbbb-0000-0000-0000-000000000000",
    pynvml.NVML_DEVICE_ARCH_PASCAL,
    power_w=80.0,
    utilization_pct=25,
    temperature_c=40,
    memory_mib=512,
    clock_mhz=1100,
)


def compiler() -> list[str] | None:
    """Returns the C compiler's command, $CC or cc; None where none is there."""
    words = shlex.split(os.environ.get("CC", "cc"))
    return words if words and shutil.which(words[0]) else None


def compiled(folder: Path) -> Path:
    """Compiles the library into a folder and returns the folder."""
    words = compiler()
    assert words is not None
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    command = [*words, *options, "-o", str(folder / LIBRARY), str(SOURCE), "-lm"]
    subprocess.run(command, check=True, timeout=60)
    return folder


def environment(
    library: Path, gpus: Sequence[Gpu], init_error: int | None = None
) -> Mapping[str, str]:
    """Returns the variables of a machine with the GPUs; `init_error` is what nvmlInit answers."""
    paths = [str(library), os.environ.get("LD_LIBRARY_PATH", "")]
    variables = {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths))}
    for index, gpu in enumerate(gpus):
        told = [f"{key}={value}" for key, value in asdict(gpu).items() if value is not None]
        variables[f"NVML_GPU_{index}"] = f";{';'.join(told)};"
    if init_error is not None:
        variables["NVML_INIT_ERROR"] = str(init_error)
    return variables


@dataclass(frozen=True)
class Machine:
    """Runs commands in a folder, on a machine with GPUs.

    Attributes:
        folder: of the journals and the tracker.
        library: folder of the compiled library.
    """

    folder: Path
    library: Path

    def command(
        self,
        gpus: Sequence[Gpu],
        *words: str,
        visible: str | None = None,
        init_error: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs Python with the words; `visible` is CUDA_VISIBLE_DEVICES."""
        variables = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        if visible is not None:
            variables["CUDA_VISIBLE_DEVICES"] = visible
        ours = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env={**ours, **environment(self.library, gpus, init_error), **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def records(self) -> list[Record]:
        """Returns the records of the runs so far."""
        return [journal.read(path) for path in self.folder.glob(f"multirun/**/{journal.RECORD}")]
