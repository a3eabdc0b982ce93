"""The commands of greenexp and of optimum-benchmark that `peers.py` runs, and what they report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cells import configuration, say

from greenexp.measuring.allocator import HUGE_PAGES, LARGEST_MMAP_THRESHOLD_BYTES, TUNABLES
from greenexp.measuring.child import experiment, quiet_libraries
from greenexp.measuring.experiment import preprocessed
from greenexp.models.embedded_model import FOLDER as EMBEDDED
from greenexp.runs import journal
from greenexp.runs.run import Run, of

ROOT = Path(__file__).resolve().parents[1]
MODEL = "digits_vit"
WINDOW_S = 0.05
PER_BLOCK = 4  # runs
ALLOCATOR = (
    f"{HUGE_PAGES}:glibc.malloc.mmap_threshold={LARGEST_MMAP_THRESHOLD_BYTES}"
    f":glibc.malloc.trim_threshold={2**63 - 1}"  # freed memory is kept
)
MS_PER_S = 1e3


@dataclass(frozen=True)
class Setting:
    """What is equal for all tools.

    Attributes:
        model: folder; None for the embedded one.
        seconds: that a run measures.
        threads: of one operation.
        batch_size: images a pass.
    """

    model: Path | None
    seconds: int
    threads: int
    batch_size: int

    @property
    def folder(self) -> Path:
        """The model's."""
        return self.model or EMBEDDED / MODEL


@dataclass(frozen=True)
class Tool:
    """A tool with the settings of this benchmark; its commands want a folder of their own.

    Attributes:
        name: its key in the last line.
        python: of its environment.
        variables: environment variables of its commands and of its bare loop.
        command: for one run.
        sweep: what the command has more for a sweep of so many runs.
        latency_ms: the median that the one run in a folder has reported.
        ended: how many runs in a folder have ended well.
    """

    name: str
    python: Path
    variables: Mapping[str, str]
    command: Sequence[str]
    sweep: Callable[[int], Sequence[str]]
    latency_ms: Callable[[Path], float]
    ended: Callable[[Path], int]


def greenexp_overrides(setting: Setting, more: Sequence[str]) -> list[str]:
    """Returns the settings of greenexp; what is given more comes last and wins."""
    windows = max(1, round(setting.seconds / WINDOW_S))
    own = setting.model
    return [
        *([f"model={MODEL}"] if own is None else ["model=local", f"model.path='{own}'"]),
        *("device=cpu", f"workload.threads={setting.threads}"),
        f"workload.batch_size={setting.batch_size}",
        *(f"workload.min_seconds={WINDOW_S}", "workload.half_width=null"),
        *(f"workload.min_windows={windows}", f"workload.max_windows={windows}"),
        *("tracking.offline=true", "report.after_sweep=false"),
        *more,
    ]


def greenexp_input(overrides: Sequence[str]) -> tuple[list[int], int]:
    """Returns the shape of a batch as greenexp preprocesses it, and how many images it judges."""
    quiet_libraries()
    given = experiment(configuration(*overrides))
    samples = given.dataset.load()
    classifier = given.model.load(given.device)
    batch = preprocessed(classifier, samples, given.workload, given.device)[0]
    return list(batch.shape), len(samples.targets)


def greenexp(overrides: Sequence[str]) -> Tool:
    """Returns greenexp, in this environment and from this checkout."""
    return Tool(
        name="greenexp",
        python=Path(sys.executable),
        variables=shared_variables() | {"PYTHONPATH": str(ROOT)},
        command=[sys.executable, "-m", "greenexp", *overrides],
        sweep=lambda runs: [
            *("-m", "tactic=baseline,local_pruning,global_pruning", "sweep.baselines=2"),
            f"repetitions={runs // PER_BLOCK}",
        ],
        latency_ms=_greenexp_latency_ms,
        ended=lambda folder: len(_greenexp_runs(folder)),
    )


def _greenexp_latency_ms(folder: Path) -> float:
    (run,) = _greenexp_runs(folder)
    if run.doubts:
        say(f"greenexp flags this run: {', '.join(run.doubts)}")
    return run.metrics["latency/p50_ms"]


def _greenexp_runs(folder: Path) -> list[Run]:
    runs = [of(journal.read(path)) for path in folder.rglob("record.json")]
    for run in runs:
        if run.outcome != "ok":
            raise RuntimeError(f"{run.title}: {run.outcome}, {run.reason}")
    return runs


def optimum_benchmark(
    python: Path, setting: Setting, shape: Sequence[int], folder: Path
) -> tuple[Tool, Tool]:
    """Returns it with its launcher `process`, and with `inline`.

    Args:
        python: of its environment.
        setting: model, seconds, threads.
        shape: of its input: batch, channels, height, width.
        folder: to make, for its configuration.
    """
    keys = ("batch_size", "num_channels", "height", "width")
    settings = {
        "defaults": [
            "benchmark",
            {"launcher": "process"},
            {"scenario": "inference"},
            {"backend": "pytorch"},
            "_self_",
        ],
        "name": "peers",
        "backend": {
            "model": str(setting.folder),
            "library": "transformers",
            "task": "image-classification",
            "device": "cpu",
            "torch_dtype": "float32",
            # Release 0.6.0 takes each for the other, so both are given.
            "intra_op_num_threads": setting.threads,
            "inter_op_num_threads": setting.threads,
        },
        "scenario": {
            "duration": setting.seconds,
            "input_shapes": dict(zip(keys, shape, strict=True)),
        },
        "hydra": {
            "run": {"dir": "runs"},
            "sweep": {"dir": "sweeps", "subdir": "${hydra.job.num}"},
            "job": {"chdir": True},  # its reports go to the working directory
        },
    }
    folder.mkdir()
    (folder / "peers.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    variables = shared_variables()
    variables.pop("PYTHONPATH", None)  # else Hydra meets greenexp's sweeper there
    program = str(python.with_name("optimum-benchmark"))
    command = [program, "--config-dir", str(folder), "--config-name", "peers"]

    def tool(name: str, *more: str) -> Tool:
        return Tool(
            name=name,
            python=python,
            variables=variables,
            command=[*command, *more],
            sweep=lambda runs: ["-m", f"backend.seed=range({runs})"],
            latency_ms=_optimum_benchmark_latency_ms,
            ended=lambda place: len(list(place.glob("sweeps/*/benchmark_report.json"))),
        )

    return tool("optimum_benchmark"), tool("optimum_benchmark_inline", "launcher=inline")


def _optimum_benchmark_latency_ms(folder: Path) -> float:
    report = json.loads((folder / "runs" / "benchmark_report.json").read_bytes())
    return float(report["forward"]["latency"]["p50"]) * MS_PER_S


def shared_variables() -> dict[str, str]:
    """Returns the environment variables that all commands and bare loops have."""
    return dict(os.environ) | {"HF_HUB_OFFLINE": "1", TUNABLES: ALLOCATOR}
