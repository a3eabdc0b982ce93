"""Forward passes in a loop and no tool around them, in the environment of whoever starts it.

    python bare_loop.py MODEL_FOLDER THREADS 1,3,224,224

Each line on standard input is a number of seconds. The answer is the median latency in ms of
float32 passes over one random tensor of the shape, for so long, after a second of warm-up. Between
the lines the process sleeps. It needs torch and transformers alone; `peers.py` starts it.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from transformers import AutoModelForImageClassification

WARMUP_S = 1.0
MS_PER_S = 1e3


def main() -> None:
    """Answers until standard input ends."""
    folder, threads, shape = sys.argv[1:]
    torch.set_num_threads(int(threads))
    model = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = {model.main_input_name: torch.rand([int(size) for size in shape.split(",")])}
    with torch.inference_mode():
        for line in sys.stdin:
            median_ms(model, inputs, WARMUP_S)
            sys.stdout.write(f"{median_ms(model, inputs, float(line))}\n")
            sys.stdout.flush()


def median_ms(model: torch.nn.Module, inputs: dict[str, torch.Tensor], seconds: float) -> float:
    """Returns the median latency in ms of the passes that fit into the seconds, one at least."""
    latencies_s: list[float] = []
    end_s = time.perf_counter() + seconds
    while not latencies_s or time.perf_counter() < end_s:
        start_s = time.perf_counter()
        model(**inputs)
        latencies_s.append(time.perf_counter() - start_s)
    return statistics.median(latencies_s) * MS_PER_S


if __name__ == "__main__":
    main()
