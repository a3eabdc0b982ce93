"""One run from its plain configuration, in its own process: build, measure, type the outcome."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from greenexp.errors import BadInput, Disturbed, NoEffect, NotFinite, Unsupported, first_line
from greenexp.measuring.allocator import keep_freed_memory
from greenexp.measuring.experiment import ALONE, Experiment, check_device, run
from greenexp.measuring.turns import Place
from greenexp.runs.files import write_atomically
from greenexp.runs.result import Result, to_json
from greenexp.settings.build import build, typed
from greenexp.settings.plugins import allowed
from greenexp.settings.workload import Interference, Workload

NO_EFFECT = "no effect"  # begins the reason where a tactic had nothing to change


def measure(configuration: Mapping[str, Any], path: str, place: Place = ALONE) -> None:
    """Runs the experiment and writes its `Result` as JSON to `path`, whatever the outcome."""
    quiet_libraries()
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # number GPUs as NVML does
    folder = Path(path).parent
    folder.mkdir(parents=True, exist_ok=True)
    # In the folder that the caller clears away, so that a killed run leaves no cache behind.
    with tempfile.TemporaryDirectory(prefix="greenexp-", dir=folder) as cache:
        # torch.compile's cost must be paid in full by each run, so its caches start empty.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        os.environ["TRITON_CACHE_DIR"] = str(Path(cache) / "triton")
        result = _attempt(configuration, place)
    try:
        text = to_json(result)
    except ValueError:
        text = to_json(Result("error", reason="a measured value is NaN or infinite"))
    try:
        write_atomically(Path(path), text)
    except OSError as error:  # whoever waits finds no result, and tells where a disk is full
        sys.exit(f"greenexp: a run's result can't be written to {folder}: {error.strerror}")


def probe_device(device: str, path: str) -> None:
    """Writes to `path` the device that is meant and, on a second line, why it can't be used."""
    there = resolved(device)
    Path(path).write_text(f"{there}\n{device_refusal(there)}", encoding="utf-8")


def device_refusal(device: str) -> str:
    """Returns why a device can't be used, an empty text where it can."""
    try:
        check_device(device)
    except BadInput as error:
        return str(error)
    return ""


def resolved(device: str) -> str:
    """Returns cpu or cuda for `auto`, else the device itself."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def experiment(configuration: Mapping[str, Any]) -> Experiment:
    """Returns the experiment that a plain configuration describes."""
    allow = allowed(configuration)
    return Experiment(
        model=build(configuration["model"], "model", allow),
        tactic=build(configuration["tactic"], "tactic", allow),
        dataset=build(configuration["dataset"], "dataset", allow),
        workload=typed(configuration, "workload", Workload),
        meters=[
            build(choice, f"meters.{name}", allow)
            for name, choice in configuration["meters"].items()
        ],
        device=resolved(configuration["device"]),
        interference=typed(configuration, "interference", Interference),
    )


def _attempt(configuration: Mapping[str, Any], place: Place) -> Result:
    import torch
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._dynamo.exc import Unsupported as NotCompilable
    from torch._inductor.exc import InductorError

    try:
        given = experiment(configuration)
        if given.workload.keep_freed_memory:
            keep_freed_memory()
        return run(given, place)
    except (BadInput, Disturbed) as error:
        return Result("error", reason=str(error))
    except NotFinite as error:
        made_by = type(given.tactic).__name__
        cure = "look at the checkpoint and its precision, or leave the tactic out"
        return Result("error", reason=f"{error} after {made_by}; {cure}")
    except Unsupported as error:
        return Result("unsupported", reason=str(error))
    except NoEffect as error:
        return Result("unsupported", reason=f"{NO_EFFECT}: {error}")
    except (NotCompilable, BackendCompilerFailed, InductorError) as error:
        return Result("unsupported", reason=f"torch.compile can't: {_named(error)}")
    except (MemoryError, torch.OutOfMemoryError) as error:
        return Result("oom", reason=f"out of memory: {_named(error)}")
    except Exception as error:
        if "DefaultCPUAllocator" in str(error):  # torch has no type for memory the CPU lacks
            return Result("oom", reason=f"out of memory: {_named(error)}")
        return Result("error", reason=_named(error), traceback=traceback.format_exc())


def _named(error: BaseException) -> str:
    kind, line = type(error).__name__, first_line(error)
    return kind if line == kind else f"{kind}: {line}"


def quiet_libraries() -> None:
    """Silences progress bars and notices of the libraries: the parent shows the progress."""
    import datasets
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    datasets.disable_progress_bars()
    for chatty in ("torchao", "torch.onnx", "nncf"):  # they speak of kernels and absent packages
        logging.getLogger(chatty).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*_stable_hash_for_caching")
    warnings.simplefilter("ignore", FutureWarning)
