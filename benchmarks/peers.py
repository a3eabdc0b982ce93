"""What do greenexp and optimum-benchmark report of one model, and how long do they take?

    python benchmarks/peers.py [--model FOLDER] [--rounds 4] [--seconds 2] [--runs 20]
        [--threads N] [--batch-size 1] [--environment FOLDER] [override …]

optimum-benchmark 0.6.0 cannot run under transformers 5. So it has a virtual environment of its own:
the torch that greenexp runs with, transformers 4.57.6, and what pip chooses for the rest (the last
line says which). The benchmark makes it in the folder `--environment`, where it is used again, or
in a temporary folder. Where pip offers torch for CUDA alone, this takes several gigabytes.

The model is the embedded digits_vit with UCI digits. The folder of another classifier needs its
images: `--model my_model dataset=folder dataset.path=photos`. Overrides go to greenexp alone.
Everything runs on the CPU and without a hub. Run it on a quiet machine.

A round has three parts, in reverse order every other time: greenexp, optimum-benchmark with its
launcher `process`, and with its launcher `inline`. In each part a fresh bare loop (`bare_loop.py`)
in the tool's own environment measures, sleeps while the tool's command runs, and measures again. A
ratio is the median latency that the tool reports by the mean of the two medians of the bare loop.

Equal for all: threads, float32, batch, shape of the input, measured seconds (greenexp: windows of
0.05 s at least, `half_width=null`; optimum-benchmark: `scenario.duration`), and the C library's
allocator, set for every process as greenexp sets it for its own runs.

Not equal, in the seconds of a command:
- greenexp watches the idle machine, counts MACs, judges every image of the data set, warms up until
  latency is steady, reads utilization, power, memory and neighbours around each window, cycles
  through up to 64 real images, and keeps predictions and raw samples. MLflow
  (`tracking.offline=true`) and the summary (`report.after_sweep=false`) are left out.
- optimum-benchmark warms up with 11 passes over one random input, and writes its configuration and
  its report. Memory and energy, which would be measured in passes of their own, are off, as by
  default. Its launcher `inline` has no process of its own, and its authors advise it for debugging
  only.
- greenexp's sweep is the baseline twice, local and global pruning, in blocks of four processes that
  measure in turns; pruning has its cost. That of optimum-benchmark is a Hydra multirun over seeds,
  each run in a new process.

The last line is a JSON object: `_ratio` is the median over the rounds, `_ratio_low` and
`_ratio_high` the lowest and the highest; `_bare_ms` the median latency of the bare loop, and
`_bare_apart` the largest ratio between its two measurements of a round, far above 1 where the
machine was not quiet; `_run_s` the median seconds from command to result, `_runs_s` the seconds of
a sweep.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import peer_environment
import torch
from cells import last_line, say
from peer_tools import (
    PER_BLOCK,
    ROOT,
    Setting,
    Tool,
    greenexp,
    greenexp_input,
    greenexp_overrides,
    optimum_benchmark,
)

BARE_LOOP = ROOT / "benchmarks" / "bare_loop.py"
PACKAGES = ("greenexp", "torch", "transformers", "datasets", "numpy", "hydra-core")


@dataclass
class Rounds:
    """What the rounds of a tool gave."""

    ratios: list[float] = field(default_factory=list)
    bare_ms: list[float] = field(default_factory=list)
    bare_apart: list[float] = field(default_factory=list)
    run_s: list[float] = field(default_factory=list)

    def figures(self, name: str) -> dict[str, float]:
        """Returns the tool's part of the last line."""
        return {
            f"{name}_ratio": statistics.median(self.ratios),
            f"{name}_ratio_low": min(self.ratios),
            f"{name}_ratio_high": max(self.ratios),
            f"{name}_bare_ms": statistics.median(self.bare_ms),
            f"{name}_bare_apart": max(self.bare_apart),
            f"{name}_run_s": statistics.median(self.run_s),
        }


def main() -> None:
    """Prints a line a part of a round, and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder; default: digits_vit")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2, help="that a run measures")
    parser.add_argument("--runs", type=int, default=20, help="of a sweep")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--environment", type=Path, help="folder of optimum-benchmark's")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    if given.runs < PER_BLOCK or given.runs % PER_BLOCK:
        parser.error(f"--runs {given.runs}: a block has {PER_BLOCK} runs; give a multiple of it")
    model = given.model and given.model.resolve()
    setting = Setting(model, given.seconds, given.threads, given.batch_size)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        work = Path(folder)
        python = peer_environment.prepare((given.environment or work / "environment").resolve())
        overrides = greenexp_overrides(setting, given.overrides)
        shape, images = greenexp_input(overrides)
        say(f"{setting.folder.name}, input {shape}, {images} images judged")
        ours = greenexp(overrides)
        theirs, inline = optimum_benchmark(python, setting, shape, work / "configuration")

        rounds = measured_rounds((ours, theirs, inline), setting, shape, given.rounds, work)
        figures: dict[str, object] = {}
        for name, measured in rounds.items():
            figures |= measured.figures(name)
        for tool in (ours, theirs):
            figures[f"{tool.name}_{given.runs}_runs_s"] = sweep_s(tool, given.runs, work)
        figures |= {"rounds": given.rounds, "seconds": given.seconds, "threads": given.threads}
        figures |= {"shape": shape, "images": images, "versions": versions(python)}
    last_line(figures)


def measured_rounds(
    tools: Sequence[Tool], setting: Setting, shape: Sequence[int], rounds: int, work: Path
) -> dict[str, Rounds]:
    """Returns what the rounds of each tool gave, by its name."""
    loop = (str(setting.folder), str(setting.threads), ",".join(map(str, shape)))
    measured = {tool.name: Rounds() for tool in tools}
    for number in range(rounds):
        for tool in reversed(tools) if number % 2 else tools:
            place = work / f"{tool.name}-{number}"
            with bare_loop(tool, loop) as median_ms:
                before_ms = median_ms(setting.seconds)
                took_s = run(tool, tool.command, place)
                after_ms = median_ms(setting.seconds)
            reported_ms = tool.latency_ms(place)
            bare_ms = statistics.fmean((before_ms, after_ms))
            own = measured[tool.name]
            own.ratios.append(reported_ms / bare_ms)
            own.bare_ms.append(bare_ms)
            own.bare_apart.append(max(before_ms, after_ms) / min(before_ms, after_ms))
            own.run_s.append(took_s)
            say(
                f"round {number + 1}, {tool.name}: {reported_ms:.3f} ms, bare loop "
                f"{before_ms:.3f} and {after_ms:.3f} ms, ratio {own.ratios[-1]:.3f}; "
                f"{took_s:.1f} s"
            )
    return measured


def sweep_s(tool: Tool, runs: int, work: Path) -> float:
    """Returns the seconds of a sweep.

    Raises:
        RuntimeError: where it is not of so many runs that ended well.
    """
    place = work / f"{tool.name}-sweep"
    took_s = run(tool, [*tool.command, *tool.sweep(runs)], place)
    if tool.ended(place) != runs:
        raise RuntimeError(f"{tool.name}: {tool.ended(place)} of {runs} runs ended well")
    say(f"{tool.name}: {runs} runs in {took_s:.1f} s")
    return took_s


@contextmanager
def bare_loop(tool: Tool, words: Sequence[str]) -> Iterator[Callable[[float], float]]:
    """Starts a bare loop in a tool's environment; yields what asks it for a median in ms."""
    with subprocess.Popen(
        [str(tool.python), str(BARE_LOOP), *words],
        env=dict(tool.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        def median_ms(seconds: float) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                raise RuntimeError(f"{tool.name}'s bare loop: {process.stderr.read()[-2000:]}")
            return float(answer)

        yield median_ms


def run(tool: Tool, command: Sequence[str], place: Path) -> float:
    """Returns the seconds that a tool's command takes in a new folder.

    Raises:
        RuntimeError: with the end of what it printed, where it fails.
    """
    place.mkdir()
    printed = place / "printed.txt"
    with printed.open("wb") as output:
        began_s = time.monotonic()
        done = subprocess.run(
            command,
            check=False,
            cwd=place,
            env=dict(tool.variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        took_s = time.monotonic() - began_s
    if done.returncode:
        end = printed.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{tool.name} ended with {done.returncode}: {end}")
    return took_s


def versions(python: Path) -> dict[str, object]:
    """Returns the versions of greenexp, of optimum-benchmark and of what they run on."""
    return {
        "python": platform.python_version(),
        "greenexp": {name: version(name) for name in PACKAGES},
        "optimum_benchmark": peer_environment.versions(python),
    }


if __name__ == "__main__":
    main()
