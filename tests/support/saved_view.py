"""What the saved view is to show: its columns, and runs in which all of it is planted."""

from __future__ import annotations

VERDICT = "greenexp.verdict"
METRICS = [
    "vs_baseline/energy_ratio",
    "vs_baseline/latency_ratio",
    "vs_baseline/cost_ratio",
    "vs_baseline/top1_delta",
    "accuracy/top1",
    "energy/per_image_j",
    "latency/p50_ms",
    "cost/usd_per_million_images",
    "carbon/g_per_million_images",
    "throughput/images_per_s",
    "optimization/time_s",
    "utilization/gpu_pct",
    "utilization/cpu_pct",
]
VALIDITY = "greenexp.validity"
TAGS = ["greenexp.outcome", "greenexp.energy_source"]
PARAMETERS = ["model", "tactic"]
TACTICS = {
    "baseline": 1.0,
    "dynamic_quantization": 0.55,
    "torch_compile": 0.7,
    "local_pruning": 1.01,
    "global_pruning": 0.99,
}
MODELS_J = {f"model_{number:02d}": 0.02 + 0.003 * number for number in range(1, 17)}
UNSUPPORTED = ("model_03", "dynamic_quantization")
FLAGGED = ("model_05", "torch_compile")
SAME = "A/A"  # the second baseline of each block
