"""Runs a small random model of every architecture family through every tactic of the CPU.

    python benchmarks/families.py [--family NAME …] [--tactic NAME …] [--out docs/families.md]

Each pair is a real run in a process of its own. The table that comes out says of each: works,
unsupported or no effect, and why. The weights are random and the images digits, so that accuracy
and speed mean nothing here. `--raw` keeps every outcome as a JSON line and takes up where a run
before it ended.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
import yaml
from transformers.utils import logging

CLASSES = 10  # those of the embedded digits
SIZE = 64  # px


def _vit(config: Callable[..., Any], **more: Any) -> Any:
    return config(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=SIZE,
        patch_size=16,
        **more,
    )


FAMILIES: dict[str, Callable[[], Any]] = {
    "ViT": lambda: _vit(hf.ViTConfig),
    "DeiT": lambda: _vit(hf.DeiTConfig, architectures=["DeiTForImageClassificationWithTeacher"]),
    "BEiT": lambda: _vit(hf.BeitConfig, use_relative_position_bias=True),
    "DINOv2": lambda: hf.Dinov2Config(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=SIZE, patch_size=16
    ),
    "Swin": lambda: hf.SwinConfig(
        image_size=SIZE, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4
    ),
    "SwinV2": lambda: hf.Swinv2Config(
        image_size=SIZE, embed_dim=16, depths=[1, 1], num_heads=[2, 4], window_size=4
    ),
    "Hiera": lambda: hf.HieraConfig(
        image_size=[SIZE, SIZE],
        embed_dim=16,
        depths=[1, 1],
        num_heads=[1, 2],
        num_query_pool=1,
        masked_unit_size=[4, 4],
    ),
    "CvT": lambda: hf.CvtConfig(embed_dim=[16, 32, 48], num_heads=[1, 2, 3], depth=[1, 2, 3]),
    "LeViT": lambda: hf.LevitConfig(
        image_size=SIZE,
        hidden_sizes=[32, 48, 64],
        num_attention_heads=[2, 3, 4],
        depths=[1, 1, 1],
        key_dim=[8, 8, 8],
        drop_path_rate=0,
        architectures=["LevitForImageClassificationWithTeacher"],
        down_ops=[["Subsample", 8, 4, 4, 2, 2], ["Subsample", 8, 6, 4, 2, 2]],
    ),
    "PVT": lambda: hf.PvtConfig(
        image_size=SIZE,
        hidden_sizes=[16, 32, 48, 64],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 3, 4],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "PVTv2": lambda: hf.PvtV2Config(
        image_size=SIZE,
        hidden_sizes=[16, 32, 48, 64],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 2, 3, 4],
        mlp_ratios=[2, 2, 2, 2],
    ),
    "MobileViT": lambda: hf.MobileViTConfig(
        image_size=SIZE,
        hidden_sizes=[32, 48, 64],
        neck_hidden_sizes=[8, 16, 16, 24, 32, 40, 64],
    ),
    "SwiftFormer": lambda: hf.SwiftFormerConfig(
        image_size=SIZE, depths=[1, 1, 1, 1], embed_dims=[16, 24, 32, 48], mlp_ratio=2
    ),
    "PoolFormer": lambda: hf.PoolFormerConfig(
        hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], mlp_ratio=2.0
    ),
    "ConvNeXt": lambda: hf.ConvNextConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1]),
    "ConvNeXtV2": lambda: hf.ConvNextV2Config(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1]),
    "ResNet": lambda: hf.ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 64, 96, 128], depths=[1, 1, 1, 1]
    ),
    "BiT": lambda: hf.BitConfig(
        embedding_size=32, hidden_sizes=[64, 128, 128, 128], depths=[1, 1, 1, 1], num_groups=8
    ),
    "MobileNetV1": lambda: hf.MobileNetV1Config(image_size=SIZE, depth_multiplier=0.25),
    "MobileNetV2": lambda: hf.MobileNetV2Config(image_size=SIZE, depth_multiplier=0.25),
}


def write(family: str, folder: Path) -> Path:
    """Writes a random classifier of a family, as `from_pretrained` reads it; returns its folder."""
    config = FAMILIES[family]()
    config.num_labels = CLASSES
    config.id2label = {index: str(index) for index in range(CLASSES)}
    config.label2id = {name: index for index, name in config.id2label.items()}
    torch.manual_seed(0)
    made = getattr(hf, config.architectures[0]) if config.architectures else None
    model = made(config) if made else hf.AutoModelForImageClassification.from_config(config)
    path = folder / family
    model.eval().save_pretrained(path)
    processor = hf.ViTImageProcessor(size={"height": SIZE, "width": SIZE})
    processor.save_pretrained(path)
    return path


QUICK = (  # whether it works is asked, nothing else
    "model=local",
    "model.labels=digits",
    "dataset=digits",
    "device=cpu",
    "workload.batch_size=2",
    "workload.pool_images=4",
    "workload.idle_seconds=0.05",
    "workload.warmup_min_seconds=0.05",
    "workload.warmup_max_seconds=0.5",
    "workload.steady_batches=2",
    "workload.min_seconds=0.05",
    "isolation.timeout_s=300",
)
VARIANTS = {  # runs of a tactic besides that by its YAML
    "onnx_runtime int8": ("tactic=onnx_runtime", "tactic.precision=int8"),
    "openvino int8": ("tactic=openvino", "tactic.precision=int8"),
    "structured_pruning > int8_dynamic > torch_compile": (
        "tactic=chain",
        "tactic.steps=[structured_pruning,int8_dynamic,torch_compile]",
    ),
}
NO_EFFECT = "no effect: "


def tactics() -> dict[str, tuple[str, ...]]:
    """Returns the overrides of every tactic that runs on a CPU, by name."""
    from greenexp.settings.build import build
    from greenexp.settings.conf import config_dir

    named: dict[str, tuple[str, ...]] = {}
    for path in sorted((config_dir() / "tactic").glob("*.yaml")):
        option = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "???" not in option.values() and "cpu" in build(option, "tactic").traits.devices:
            named[path.stem] = (f"tactic={path.stem}",)
    return named | VARIANTS


def run_pair(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Runs a model through a tactic; returns its outcome, reason and effect."""
    from cells import configuration

    from greenexp.measuring.isolated import isolated

    result = isolated(configuration(*QUICK, f"model.path={path}", *overrides))
    return {
        "outcome": result.outcome,
        "reason": result.reason,
        "effect": dict(result.effect),
        "traceback": result.traceback,
    }


def table(outcomes: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """Returns the Markdown table, family by tactic, and the reasons below it."""
    families = list(dict.fromkeys(family for family, _ in outcomes))
    names = list(dict.fromkeys(tactic for _, tactic in outcomes))
    reasons: dict[str, list[str]] = defaultdict(list)
    numbers: dict[str, int] = {}
    lines = [
        "| tactic | " + " | ".join(families) + " |",
        "|---|" + "---|" * len(families),
    ]
    for tactic in names:
        cells = []
        for family in families:
            outcome = outcomes.get((family, tactic))
            if outcome is None:
                cells.append("")
            elif outcome["outcome"] == "ok":
                cells.append("✓")
            else:
                reason = str(outcome["reason"]).replace("|", "\\|")
                number = numbers.setdefault(reason, len(numbers) + 1)
                reasons[reason].append(f"{family} x {tactic}")
                word = "no effect" if reason.startswith(NO_EFFECT) else outcome["outcome"]
                cells.append(f"{word} [{number}]")
        lines.append(f"| {tactic} | " + " | ".join(cells) + " |")
    lines.append("")
    for reason, number in numbers.items():
        lines.append(f"{number}. {reason} ({', '.join(reasons[reason])})")
    return "\n".join(lines)


def main() -> None:
    """Runs the pairs and prints the table."""
    from cells import say

    from greenexp.measuring import isolation

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument("--tactic", action="append", help="by name, as in conf/tactic")
    parser.add_argument("--raw", type=Path, help="file for every outcome, as JSON lines")
    parser.add_argument("--out", type=Path, help="file for the table")
    given = parser.parse_args()
    logging.disable_progress_bar()
    chosen = {name: how for name, how in tactics().items() if name in (given.tactic or [name])}
    outcomes: dict[tuple[str, str], dict[str, Any]] = {}
    if given.raw is not None and given.raw.exists():
        for line in given.raw.read_text(encoding="utf-8").splitlines():
            known = json.loads(line)
            outcomes[known["family"], known["tactic"]] = known
    isolation.prepare()
    with tempfile.TemporaryDirectory(prefix="greenexp-families-") as folder:
        for family in given.family or FAMILIES:
            path = write(family, Path(folder))
            for tactic, overrides in chosen.items():
                if (family, tactic) in outcomes:
                    continue
                outcome = {"family": family, "tactic": tactic, **run_pair(path, overrides)}
                outcomes[family, tactic] = outcome
                say(f"{family} x {tactic}: {outcome['outcome']} {outcome['reason'] or ''}"[:200])
                if given.raw is not None:
                    with given.raw.open("a", encoding="utf-8") as raw:
                        raw.write(json.dumps(outcome) + "\n")
    text = table(outcomes)
    say(text)
    if given.out is not None:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
