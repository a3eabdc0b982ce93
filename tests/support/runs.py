"""A run in miniature: a model that tells colors, seven images of one color each, fake meters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import nn

from greenexp.measuring.experiment import Experiment
from greenexp.protocols import Classifier, LabelSpace, Reading, Series, Shortest
from greenexp.quantities import Quantity
from greenexp.settings.workload import Workload
from greenexp.tactics.baseline import Baseline

COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
IMAGES = ["blue", "green", "red", "red", "blue", "green", "green"]
CLASSES = ["blue", "green", "red"]  # of the data set; the model has them the other way round
QUICK = Workload(
    batch_size=3,
    pool_images=6,
    idle_seconds=0.0,
    warmup_min_seconds=0.0,
    warmup_max_seconds=60.0,
    steady_batches=2,
    steady_tolerance=1e9,  # anything is steady
    min_seconds=1e-9,
    min_batches=4,
    min_windows=2,
    max_windows=2,
)


class MeanColor(nn.Module):
    """Says the color that an image has most of; remembers the shapes it was given."""

    def __init__(self, background: bool = False) -> None:
        super().__init__()
        self.background = background
        self.scale = nn.Parameter(torch.ones(1))
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(pixels.shape))
        logits = pixels.mean(dim=(2, 3)) * self.scale
        nothing = logits.new_full((len(logits), 1), -1.0)
        return torch.cat([nothing, logits], dim=1) if self.background else logits


def preprocess(images: Sequence[Image.Image]) -> torch.Tensor:
    rows = np.stack([np.asarray(image.resize((2, 2)), dtype=np.float32) for image in images])
    return torch.from_numpy(rows).permute(0, 3, 1, 2) / 255


@dataclass
class FakeModel:
    """A source of MeanColor, which tells red, green and blue apart."""

    log: list[str] = field(default_factory=list)
    labels: str | None = None
    names: Sequence[str] = tuple(COLORS)
    offset: int = 0
    title: str | None = None
    module: nn.Module | None = None

    def check(self) -> LabelSpace:
        return LabelSpace(self.labels, self.names)

    def load(self, device: str) -> Classifier:
        self.log.append(f"load on {device}")
        module = self.module or MeanColor(background=self.offset == 1)
        source = {"checkpoint": "fake"}
        return Classifier(module.eval(), preprocess, self.check(), self.offset, source)


@dataclass
class FakeImages:
    """One image of each color in IMAGES; data set and samples at once.

    `training` holds the colors of the images to calibrate on; `asked` how many were asked for.
    """

    log: list[str] = field(default_factory=list)
    names: Sequence[str] = tuple(CLASSES)
    labels: Any = None  # the name of the label space until loaded, then the LabelSpace
    colors: Sequence[str] = tuple(IMAGES)
    targets: Sequence[int] = ()
    identifiers: Sequence[str] = ()
    training: Sequence[str] = ()
    asked: list[int] = field(default_factory=list)
    commit: str | None = None

    def check(self) -> LabelSpace:
        return LabelSpace(self.labels, self.names)

    def load(self) -> FakeImages:
        targets = [CLASSES.index(color) for color in self.colors]
        identifiers = [f"{index}-{color}" for index, color in enumerate(self.colors)]
        return replace(self, labels=self.check(), targets=targets, identifiers=identifiers)

    @property
    def calibrates(self) -> bool:
        return bool(self.training)

    def calibration(self, count: int) -> FakeImages:
        self.asked.append(count)
        return replace(self, colors=self.training[:count]).load()

    def image(self, index: int) -> Image.Image:
        self.log.append(f"image {index}")
        return Image.new("RGB", (4, 4), COLORS[self.colors[index]])


@dataclass
class FakeMeter:
    """Counts its windows: the reading of the first is 1, of the second 2, …

    `beside` holds what it reads besides, in each window; the last one repeats for ever.
    """

    name: str = "meter"
    log: list[str] = field(default_factory=list)
    opened: int = 0
    shortest: Shortest = field(default_factory=Shortest)
    beside: Sequence[Sequence[Reading]] = ((),)

    def quantities(self) -> Sequence[Quantity]:
        return ()

    def __enter__(self) -> Self:
        self.log.append(f"{self.name} on")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.log.append(f"{self.name} off")

    @contextmanager
    def window(self) -> Iterator[Sequence[Reading]]:
        readings: list[Reading] = []
        self.opened += 1
        value = float(self.opened)
        self.log.append(f"{self.name} open")
        try:
            yield readings
        finally:
            self.log.append(f"{self.name} close")
        readings.append(Reading("energy_j", "cpu", value, "counter", self.name))
        readings.extend(self.beside[min(int(value), len(self.beside)) - 1])

    def shortest_window(self, device: str) -> Shortest:
        assert device == "cpu"
        return self.shortest

    def series(self, origin_s: float) -> list[Series]:
        return [Series("power_w", "cpu", "sampled", self.name, [origin_s * 0], [1.0])]


def experiment(**parts: Any) -> Experiment:
    whole = {
        "model": FakeModel(),
        "tactic": Baseline(),
        "dataset": FakeImages(),
        "workload": QUICK,
        "meters": [],
        "device": "cpu",
    }
    return Experiment(**{**whole, **parts})
