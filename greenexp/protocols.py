"""What the rooms of greenexp hand each other: four protocols and the values that pass between."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from greenexp.quantities import Quantity

# Where an energy comes from: a hardware counter, integrated power samples, or an estimate.
Source = Literal["counter", "sampled", "model"]

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Reading:
    """One quantity that a meter read over one phase or window.

    Attributes:
        quantity: name with its unit, e.g. `energy_j`, `utilization_pct`, `memory_mib`.
        component: `gpu:0`, `cpu`, `cpu:0` (a package), `dram:0`, `process`.
        value: in the unit of the name. A quantity that could not be read has no Reading.
        source: how the meter came by it.
        meter: the instrument.
        relative_error: systematic bound: the truth lies within this fraction of the value, the
            same way in every reading of the meter. None: not stated.
        resolution: bound of the error that the ends of the stretch cause, anew in each reading, in
            the unit of the value. None: not stated.
    """

    quantity: str
    component: str
    value: float
    source: Source
    meter: str
    relative_error: float | None = None
    resolution: float | None = None


@dataclass(frozen=True)
class Availability:
    """What a meter can tell of one component on this machine, before anything is run.

    Attributes:
        quantity: what is told, without a unit: `energy`, `utilization`, `temperature`.
        component: as in `Reading`; `gpu` or `cpu` where none of that kind is there.
        source: how the meter comes by it; None: absent.
        detail: the instrument behind it, or why it is absent; one line.
        cure: what the user can do to get it, e.g. a command; empty where there is nothing.
    """

    quantity: str
    component: str
    source: Source | None
    detail: str
    cure: str = ""


@dataclass(frozen=True)
class Shortest:
    """The shortest window that a meter can tell something of: both must be reached."""

    seconds: float = 0.0
    batches: int = 1


@dataclass(frozen=True)
class Series:
    """A quantity over time: `values[i]` at `t_s[i]` seconds after the run began."""

    quantity: str
    component: str
    source: Source
    meter: str
    t_s: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Batch:
    """Preprocessed images, float32 (batch, channels, height, width); the first `count` are scored.

    Repeats fill a last batch up, so that every forward pass has the same shape.
    """

    images: Tensor
    count: int


@dataclass(frozen=True)
class Sample:
    """What a tactic may look at of the data: pixel values on the module's device.

    Attributes:
        batch: one batch of the workload, float32 (batch, channels, height, width).
        calibration: batches of training images in that shape, as many images as the tactic's
            traits ask for, filled up to whole batches; empty where they ask for none.
    """

    batch: Tensor
    calibration: Sequence[Tensor] = ()


Form = Literal["half", "quantized", "exported", "compiled", "engine"]
"""What a tactic makes of a module: half-precision weights, quantized layers, a graph in place of
layers, a compiler's wrapper, an inference engine's session."""

# Forms that can't come before a tactic that needs layers in floating point, and in float32.
NOT_FLOAT: tuple[Form, ...] = ("quantized", "exported", "compiled", "engine")
NOT_FLOAT32: tuple[Form, ...] = ("half", *NOT_FLOAT)


@dataclass(frozen=True)
class Traits:
    """What planning knows of a tactic before it costs anything.

    Attributes:
        makes: forms that the module has afterwards.
        not_after: forms that it can't start from.
        devices: where it runs.
        packages: optional packages that it imports.
        extra: the extra of greenexp that installs them.
        calibration_images: training images that it wants to look at.
        batch_size: images a forward pass, in place of the workload's; None: as the workload says.
        threads: CPU threads of one operation, in place of the workload's; None: as that says.
    """

    makes: Sequence[Form] = ()
    not_after: Sequence[Form] = ()
    devices: Sequence[str] = ("cpu", "cuda")
    packages: Sequence[str] = ()
    extra: str | None = None
    calibration_images: int = 0
    batch_size: int | None = None
    threads: int | None = None


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a model or a data set.

    Attributes:
        space: name of a shared label space such as `imagenet_1k`; None where unknown.
        names: class index to name.
    """

    space: str | None
    names: Sequence[str]


@dataclass(frozen=True)
class Classifier:
    """A loaded image classifier.

    Attributes:
        module: float32 pixel values (batch, channels, height, width) to logits (batch, outputs).
        preprocess: images to pixel values.
        labels: the model's classes, one for each output.
        offset: output index of class 0 (1 where output 0 is a background class).
        provenance: checkpoint, resolved revision, architecture, as far as known.
    """

    module: nn.Module
    preprocess: Callable[[Sequence[Image]], Tensor]
    labels: LabelSpace
    offset: int
    provenance: Mapping[str, Scalar]


class Samples(Protocol):
    """Labelled images of an evaluation split, decoded when asked for."""

    labels: LabelSpace
    targets: Sequence[int]  # class index of each image
    identifiers: Sequence[str]  # a name for each image, unique
    commit: str | None = None  # of the repository that they are from, where it has such

    @abstractmethod
    def image(self, index: int) -> Image:
        """Returns image `index` in RGB."""


class ModelSource(Protocol):
    """Where a classifier comes from. `labels` names its label space, None where unknown."""

    labels: str | None

    @property
    def title(self) -> str | None:
        """A name to show where the choice's own (`local`, `hub`) says too little, else None."""

    def check(self) -> LabelSpace:
        """Reads the configuration only and returns the classes; raises BadInput if unfit."""

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device` in evaluation mode."""


class Dataset(Protocol):
    """Where labelled images come from. `labels` names their label space, None where unknown."""

    labels: str | None

    def check(self) -> LabelSpace:
        """Looks at every image once and returns the classes; raises BadInput if unfit."""

    def load(self) -> Samples:
        """Returns the evaluation split."""

    @property
    def calibrates(self) -> bool:
        """Whether it has training images that a tactic may be calibrated on."""

    def calibration(self, count: int) -> Samples:
        """Returns up to `count` training images; raises BadInput where it has none."""


@runtime_checkable
class IdentifiedModel(Protocol):
    """A model that tells its content, so that results of another do not stand for it.

    One that can't change need not.
    """

    def digest(self, *, here: bool) -> str | None:
        """Returns what is equal as long as configuration and weights are; None: it isn't known.

        Args:
            here: whether to look at this machine alone, and to fetch nothing.
        """


@runtime_checkable
class IdentifiedDataset(Protocol):
    """A data set that tells its content, likewise."""

    def digest(self, *, calibration: int = 0, here: bool) -> str | None:
        """Returns what is equal as long as images and labels are; None: it isn't known.

        Args:
            calibration: 0: of the evaluated images; else of so many calibration images.
            here: whether to look at this machine alone, and to fetch nothing.
        """


@runtime_checkable
class Noticing(Protocol):
    """A data set that has something to say of what it takes; it need not."""

    def notices(self) -> Sequence[str]:
        """Returns lines for the user, once `check` has looked."""


@runtime_checkable
class Tactic(Protocol):
    """An optimization: a frozen dataclass that validates its options when it is made."""

    @property
    def traits(self) -> Traits:
        """What planning must know of it."""

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the optimized module, on the device of `module`; gradients are off.

        Args:
            module: the classifier's module; it may be changed in place.
            sample: what it may look at of the data.

        Raises:
            Unsupported: where it can't run.
        """

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the proof of what was changed, read off the module after its first forward.

        Raises:
            NoEffect: where nothing was changed.
        """


ArtefactForm = Literal["onnx", "openvino", "torch_export", "aot_inductor", "safetensors"]
"""The forms in which a model runs without greenexp, see `export/travelling/model.py`."""


@dataclass(frozen=True)
class ModelFiles:
    """What a tactic has written, and how it is run.

    Attributes:
        form: which loader takes it.
        name: of the file that the loader is given, in its folder; others may lie beside it.
        options: of the loader, as the tactic has measured with; as JSON takes them.
        packages: distributions that the loader needs, in the versions of this environment.
    """

    form: ArtefactForm
    name: str
    options: Mapping[str, object]
    packages: Sequence[str]


@runtime_checkable
class Portable(Protocol):
    """A tactic that writes what it makes in a form of its own; others are exported by torch."""

    def write(self, module: nn.Module, sample: Sample, folder: Path) -> ModelFiles:
        """Writes the optimized module into a folder.

        Args:
            module: as it is before the tactic; it may be changed in place.
            sample: as the tactic is called with.
            folder: that is there.

        Raises:
            Unsupported: where it can't be written.
        """


class Meter(Protocol):
    """An instrument. Inside its context it is on; `window` reads it over a stretch of time."""

    def shortest_window(self, device: str) -> Shortest:
        """Returns the shortest window it can measure a run on `device` (cpu or cuda) over."""
        return Shortest()

    def quantities(self) -> Sequence[Quantity]:
        """Returns the metrics that its readings become, beside those of the list of quantities."""
        return ()

    def availability(self) -> Sequence[Availability]:
        """Returns what it can tell on this machine; needs no context and disturbs nothing."""
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Holds nothing open."""

    def rest(self) -> None:
        """Uses no processor until `wake`: the run is parked while others are measured."""

    def wake(self) -> None:
        """Goes on after `rest`."""

    @abstractmethod
    def window(self) -> AbstractContextManager[Sequence[Reading]]:
        """Returns a context whose value holds the readings once the context has ended."""

    def series(self, origin_s: float) -> Iterable[Series]:
        """Returns what was sampled so far; times count from `origin_s` (time.perf_counter)."""
        return ()
