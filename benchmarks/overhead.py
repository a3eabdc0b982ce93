"""Does greenexp report the latency that a plain loop has?

    python benchmarks/overhead.py [--alternations 40] [--seconds 0.5] [override …]

For each model and batch size: one process, one loaded model, the same preprocessed images. A window
as greenexp measures it (every meter on, their threads sampling) alternates with a plain loop (no
meter, no greenexp), the order changing each time, in pieces so short that the machine's own changes
of speed meet both alike. Run it on a quiet machine. Overrides go to every composition, for example
`model=local model.path=my_model dataset=folder dataset.path=my_images`. The last line is a JSON
object; a ratio is the median latency that greenexp's metrics report by the plain loop's, the median
over all alternations and models; `_low` and `_high` are its quartiles.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import torch
from cells import configuration, last_line, say
from torch import Tensor

from greenexp.measuring.child import experiment, quiet_libraries
from greenexp.measuring.experiment import Experiment, preprocessed
from greenexp.measuring.loop import measure_window
from greenexp.measuring.recorder import Recorder
from greenexp.runs import metrics
from greenexp.runs.result import Result
from greenexp.settings.hardware import Hardware

MODELS = ("digits_vit", "digits_resnet")
BATCH_SIZES = (1, 16)
MS_PER_S = 1e3


def main() -> None:
    """Prints a line a comparison and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alternations", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each window and plain loop")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    quiet_libraries()
    models = [()] if any(o.startswith("model=") for o in given.overrides) else MODELS
    figures: dict[str, float] = {}
    for batch_size in BATCH_SIZES:
        ratios: list[float] = []
        for model in models:
            overrides = [
                *([f"model={model}"] if model else []),
                f"workload.batch_size={batch_size}",
                *given.overrides,
            ]
            mine = compare(experiment(configuration(*overrides)), given.alternations, given.seconds)
            ratios += mine
            low, middle, high = statistics.quantiles(mine, n=4)
            say(
                f"{model or 'given model'}, batch {batch_size}: ratio {middle:.4f}, "
                f"quartiles {low:.4f} to {high:.4f}"
            )
        low, middle, high = statistics.quantiles(ratios, n=4)
        name = f"ratio_batch{batch_size}"
        figures |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    last_line(figures)


def compare(given: Experiment, alternations: int, seconds: float) -> list[float]:
    """Returns the ratio of each alternation: greenexp's median latency by the plain loop's."""
    samples = given.dataset.load()
    classifier = given.model.load(given.device)
    pool = preprocessed(classifier, samples, given.workload, given.device)
    model = classifier.module.model  # what from_pretrained gave, without greenexp's wrapper
    inputs = itertools.cycle(pool)
    ratios = []
    with torch.inference_mode():
        plain_ms(model, inputs, 2.0)  # warm-up
        for number in range(alternations):
            halves: list[Callable[[], float]] = [
                lambda: reported_ms(given, classifier.module, inputs, seconds),
                lambda: plain_ms(model, inputs, seconds),
            ]
            first, second = (0, 1) if number % 2 else (1, 0)
            latencies = {first: halves[first](), second: halves[second]()}
            ratios.append(latencies[0] / latencies[1])
    return ratios


def reported_ms(
    given: Experiment, module: torch.nn.Module, inputs: Iterator[Tensor], seconds: float
) -> float:
    """Returns the median latency in ms of a window as greenexp measures and reports it."""
    with ExitStack() as stack:
        recorder = Recorder([stack.enter_context(meter) for meter in given.meters])
        with recorder.window(given.workload.batch_size) as latencies_s:
            latencies_s.extend(measure_window(module, inputs, seconds, 1))
    result = Result("ok", device=given.device, windows=recorder.windows)
    return metrics.evaluate(result, Hardware(any_device=True))["latency/p50_ms"]


def plain_ms(model: Callable[[Tensor], object], inputs: Iterator[Tensor], seconds: float) -> float:
    """Returns the median latency in ms of the model in a loop that does nothing else."""
    latencies_s: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        batch = next(inputs)
        start_s = time.perf_counter()
        model(batch)
        latencies_s.append(time.perf_counter() - start_s)
    return statistics.median(latencies_s) * MS_PER_S


if __name__ == "__main__":
    main()
