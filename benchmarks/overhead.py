"""Does greenexp report the latency that a plain loop has?

    python benchmarks/overhead.py [override …]

For each model and batch size, alternates in one process a plain loop over preprocessed images with
a whole greenexp run (all meters on) over the same images, and compares the median latencies. Run it
on a quiet machine. Overrides go to every composition, for example
`model=local model.path=my_model dataset=folder dataset.path=my_images`.
The last line is a JSON object; a ratio is greenexp's median latency by the plain loop's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence

import torch
from hydra import compose, initialize_config_dir

from greenexp import metrics
from greenexp.config import Hardware, config_dir, register, settings, typed
from greenexp.experiment import Experiment, run
from greenexp.measure import experiment, quiet_libraries

MODELS = ("digits_vit", "digits_resnet")
BATCH_SIZES = (1, 16)
MS_PER_S = 1e3


def main() -> None:
    """Prints a line a comparison and the JSON object last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alternations", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each plain loop and window")
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
                f"workload.min_seconds={given.seconds}",
                "workload.windows=1",
                *given.overrides,
            ]
            mine = compare(overrides, given.alternations, given.seconds)
            ratios += mine
            sys.stdout.write(
                f"{model or 'given model'}, batch {batch_size}: ratio "
                f"{statistics.median(mine):.4f} ({min(mine):.4f} to {max(mine):.4f})\n"
            )
        figures[f"ratio_batch{batch_size}"] = round(statistics.median(ratios), 4)
        figures[f"ratio_batch{batch_size}_min"] = round(min(ratios), 4)
        figures[f"ratio_batch{batch_size}_max"] = round(max(ratios), 4)
    sys.stdout.write(json.dumps(figures) + "\n")


def compare(overrides: Sequence[str], alternations: int, seconds: float) -> list[float]:
    """Returns the ratio of each alternation: greenexp's median latency by the plain loop's."""
    register()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        configuration = settings(compose("config", overrides=list(overrides)))
    hardware = typed(configuration, "hardware", Hardware)
    ratios = []
    for _ in range(alternations):
        plain_ms = plain_loop_ms(experiment(configuration), seconds)
        reported = metrics.evaluate(run(experiment(configuration)), hardware)
        ratios.append(reported["latency/p50_ms"] / plain_ms)
    return ratios


def plain_loop_ms(given: Experiment, seconds: float) -> float:
    """Returns the median latency in ms of the model in a loop that does nothing else."""
    samples = given.dataset.load()
    classifier = given.model.load(given.device)
    size = given.workload.batch_size
    count = max(1, min(given.workload.pool_images, len(samples.targets)) // size)
    pool = [
        classifier.preprocess([samples.image(i) for i in range(n * size, (n + 1) * size)])
        for n in range(count)
    ]
    model = classifier.module.model
    latencies_s = []
    with torch.inference_mode():
        inputs = itertools.cycle(pool)
        end_s = time.perf_counter() + 0.5  # warm-up
        while time.perf_counter() < end_s:
            model(next(inputs))
        end_s = time.perf_counter() + seconds
        while time.perf_counter() < end_s:
            batch = next(inputs)
            start_s = time.perf_counter()
            model(batch)
            latencies_s.append(time.perf_counter() - start_s)
    return statistics.median(latencies_s) * MS_PER_S


if __name__ == "__main__":
    main()
