"""Trains the small classifiers which ship in ``greenexp/models/embedded``.

Run once by a maintainer, never by the package itself::

    python benchmarks/train_embedded.py [--only NAME] [--output DIR]

Each model learns from the training part of scikit-learn's digits alone. Epochs and learning rates
are fixed in ``RECIPES``; the evaluation part is read once, after the folder has been written, to
state the accuracy of what ``from_pretrained`` reads back. Same machine, same versions, same
weights: the seeds, the thread count and PyTorch's deterministic algorithms are fixed.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from torch import nn
from transformers import AutoImageProcessor, AutoModelForImageClassification, PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor

import greenexp
from benchmarks.embedded_recipes import RECIPES, Recipe
from greenexp.datasets import digits_split

SEED = 20261121
THREADS = 2
BATCH_SIZE = 64
WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.1
GREATEST_ROTATION_DEG = 10.0
GREATEST_SHIFT = 0.06  # of the width, which is half a pixel of the 8x8 source
GREATEST_ZOOM = 0.1
# MobileNetV2 in transformers keeps 0.3 % of the old running statistics at each step, so that they
# would be those of the last batch; PyTorch's default averages over the last tens of batches.
BATCH_NORM_MOMENTUM = 0.1


@contextlib.contextmanager
def deterministic_cpu(seed: int) -> Iterator[None]:
    """Fixes seed, threads and algorithms inside the block, and puts back the latter two."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)


def pixel_values(processor: BaseImageProcessor, indices: Sequence[int]) -> torch.Tensor:
    """Returns the digits as the processor hands them to a model, float32, shape (n, 3, 32, 32)."""
    images = [digits_split.image(index) for index in indices]
    pixels: torch.Tensor = processor(images, return_tensors="pt")["pixel_values"]
    return pixels


def targets(indices: Sequence[int]) -> torch.Tensor:
    """Returns the classes of the digits, int64, shape (n,)."""
    return torch.tensor([digits_split.target(index) for index in indices])


def augment(pixels: torch.Tensor, background: float) -> torch.Tensor:
    """Returns each image turned, shifted and zoomed a little, at random.

    Args:
        pixels: Shape (n, channels, height, width).
        background: Value for what comes in from outside the image.
    """
    turn, zoom, shift_x, shift_y = torch.rand(4, len(pixels)).mul(2).sub(1)
    angle_rad = turn * math.radians(GREATEST_ROTATION_DEG)
    scale = 1 + zoom * GREATEST_ZOOM
    cosine, sine = torch.cos(angle_rad) * scale, torch.sin(angle_rad) * scale
    # affine_grid counts from -1 to 1 across the image: a shift of the width is 2.
    shift_x, shift_y = 2 * GREATEST_SHIFT * shift_x, 2 * GREATEST_SHIFT * shift_y
    matrices = torch.stack(
        [torch.stack([cosine, -sine, shift_x], 1), torch.stack([sine, cosine, shift_y], 1)], 1
    )
    grid = nn.functional.affine_grid(matrices, list(pixels.shape), align_corners=False)
    # grid_sample fills with zeros, so zero is made the background for its time.
    moved = nn.functional.grid_sample(pixels - background, grid, align_corners=False)
    return moved + background


def train(recipe: Recipe, indices: Sequence[int]) -> tuple[PreTrainedModel, BaseImageProcessor]:
    """Trains one model and returns it, in evaluation mode, with its processor.

    Args:
        recipe: What to build and how long to train it.
        indices: Digits to learn from.
    """
    model, processor = recipe.build(), recipe.processor()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = BATCH_NORM_MOMENTUM
    pixels, labels = pixel_values(processor, indices), targets(indices)
    background = float(pixels.min())
    steps_per_epoch = len(indices) // BATCH_SIZE
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_learning_rate, total_steps=recipe.epochs * steps_per_epoch
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    model.train()
    console = Console(stderr=True)
    epochs = range(recipe.epochs)
    for _ in track(epochs, recipe.name, console=console, disable=not console.is_terminal):
        # What is left over after the last whole batch waits for the next order.
        order = torch.randperm(len(indices))[: steps_per_epoch * BATCH_SIZE]
        for batch in order.reshape(steps_per_epoch, BATCH_SIZE):
            logits = model(pixel_values=augment(pixels[batch], background)).logits
            optimizer.zero_grad()
            criterion(logits, labels[batch]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    model.train(mode=False)
    return model, processor


@torch.inference_mode()
def predict(
    model: nn.Module, processor: BaseImageProcessor, indices: Sequence[int], batch_size: int
) -> torch.Tensor:
    """Returns the class the model gives each digit, int64, shape (n,)."""
    pixels = pixel_values(processor, indices)
    starts = range(0, len(pixels), batch_size)
    logits = [model(pixel_values=pixels[start : start + batch_size]).logits for start in starts]
    return torch.cat(logits).argmax(dim=-1)


def evaluate_folder(folder: Path) -> float:
    """Returns the top-1 accuracy, 0 to 1, of a saved folder over the evaluation part.

    Raises:
        RuntimeError: The predictions at batch sizes 1 and 64 differ.
    """
    model = AutoModelForImageClassification.from_pretrained(folder, use_safetensors=True)
    # The method is untyped in some versions of transformers, hence unused-ignore.
    processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call, unused-ignore]
        folder
    )
    indices = digits_split.evaluation_indices()
    predictions = predict(model, processor, indices, batch_size=64)
    if not torch.equal(predictions, predict(model, processor, indices, batch_size=1)):
        raise RuntimeError(f"{folder.name}: the predictions at batch sizes 1 and 64 differ")
    return float((predictions == targets(indices)).double().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, saves and reports the embedded models.

    Args:
        arguments: Command line without the program's name; that of the process if None.
    """
    names = [recipe.name for recipe in RECIPES]
    parser = argparse.ArgumentParser(description="Train the models embedded in greenexp.")
    parser.add_argument("--only", metavar="NAME", choices=names, help=f"one of {', '.join(names)}")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(greenexp.__file__).parent / "models" / "embedded",
        help="folder that takes one folder per model (default: the package's own)",
    )
    options = parser.parse_args(arguments)
    for recipe in RECIPES:
        if options.only not in (None, recipe.name):
            continue
        folder = options.output / recipe.name
        with deterministic_cpu(SEED):
            start_s = time.perf_counter()
            model, processor = train(recipe, digits_split.training_indices())
            training_s = time.perf_counter() - start_s
            model.save_pretrained(folder)
            # safetensors makes the file for its owner alone; installed packages have other readers.
            (folder / "model.safetensors").chmod(0o644)
            processor.save_pretrained(folder)
            top1_pct = 100 * evaluate_folder(folder)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(
            f"{recipe.name}: {parameters} parameters, evaluation top-1 {top1_pct:.2f} %, "
            f"trained in {training_s:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
