"""The quantities of a run: each described once, and everything loops over the list.

A metric's name begins with the section that the MLflow UI groups it in and ends with its unit.
What a meter reads is found by the name of its readings (`Quantity.reads`), so that a meter brings
a quantity of its own without an edit here: `Meter.quantities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher"]
Combination = Literal["sum per image", "mean over time", "peak"]


@dataclass(frozen=True)
class Quantity:
    """One metric of a run.

    Attributes:
        name: in MLflow, with its unit: `energy/per_image_j`.
        label: what a person calls it, without a unit: `energy`.
        unit: as a person reads it, `J/image`; empty for a plain number.
        heading: of a column of measured figures; empty: label and unit.
        digits: significant digits that a table shows.
        better: which direction is; None: neither.
        reads: name of the readings that it is made of, `temperature_c`; None: the metric is made of
            something else (latencies, predictions, other metrics).
        component: kind of the components whose readings count, `gpu`; empty: any.
        combines: how the readings of windows become the metric; None without readings.
        interval: whether the metric has an interval over windows, where readings make it.
        compared: whether each tactic is held against the baseline by it: ratio, test, verdict.
        shown: where tables of measured figures show it beside those compared: on the page, or on
            the terminal and in LaTeX as well; None: in the flat files alone.
        slug: how the columns of a comparison begin: `energy`.
        phrase: what a sentence calls it, as in `less …`: `energy per image`.
        axis: what a figure's axis calls it: `J per image`.
        width_px: of its column in the saved view of the MLflow UI; None: it has none.
    """

    name: str
    label: str
    unit: str = ""
    heading: str = ""
    digits: int = 3
    better: Better | None = None
    reads: str | None = None
    component: str = ""
    combines: Combination | None = None
    interval: bool = True
    compared: bool = False
    shown: Literal["page", "everywhere"] | None = None
    slug: str = ""
    phrase: str = ""
    axis: str = ""
    width_px: int | None = None

    @property
    def title(self) -> str:
        """The heading of its column of measured figures."""
        return self.heading or " ".join(filter(None, [self.label, self.unit]))

    @property
    def column(self) -> str:
        """Its column in a flat table."""
        return self.name.replace("/", "_")


TOP1 = "accuracy/top1"
ENERGY = "energy/per_image_j"
LATENCY = "latency/p50_ms"
COST = "cost/usd_per_million_images"
CARBON = "carbon/g_per_million_images"
THROUGHPUT = "throughput/images_per_s"
OPTIMIZATION_S = "optimization/time_s"
OPTIMIZATION_J = "optimization/energy_j"
OPTIMIZATION_USD = "optimization/cost_usd"
PARAMETERS = "complexity/parameters"
MACS = "complexity/macs"
WEIGHTS = "complexity/weights_mib"

QUANTITIES: Sequence[Quantity] = (
    Quantity(TOP1, "top-1", better="higher", width_px=105),
    Quantity(
        ENERGY,
        "energy",
        "J/image",
        better="lower",
        compared=True,
        slug="energy",
        phrase="energy per image",
        axis="J per image",
        width_px=162,
    ),
    Quantity(
        LATENCY,
        "latency",
        "ms",
        "latency p50 ms",
        better="lower",
        compared=True,
        slug="latency",
        phrase="latency per batch",
        axis="ms per batch",
        width_px=115,
    ),
    Quantity(
        COST,
        "dollars",
        "USD/million",
        "USD / million",
        better="lower",
        compared=True,
        slug="cost",
        phrase="dollars per million images",
        axis="USD/million",
        width_px=193,
    ),
    Quantity(
        CARBON,
        "carbon",
        "g/million",
        "CO2e g / million",
        better="lower",
        shown="page",
        width_px=194,
    ),
    Quantity(THROUGHPUT, "throughput", "images/s", better="higher", width_px=175),
    Quantity(OPTIMIZATION_S, "optimization", "s", better="lower", width_px=150),
    Quantity(OPTIMIZATION_J, "optimization", "J", better="lower"),
    Quantity(OPTIMIZATION_USD, "optimization", "USD", better="lower"),
    Quantity(PARAMETERS, "parameters"),
    Quantity(MACS, "MACs", better="lower"),
    Quantity(WEIGHTS, "weights", "MiB", better="lower"),
    Quantity("complexity/weights_in_memory_mib", "weights in memory", "MiB", better="lower"),
    Quantity("complexity/sparsity", "sparsity"),
    Quantity("accuracy/top5", "top-5", better="higher"),
    Quantity("latency/mean_ms", "mean latency", "ms", better="lower"),
    Quantity("latency/p90_ms", "latency p90", "ms", better="lower"),
    Quantity("latency/p99_ms", "latency p99", "ms", better="lower"),
    Quantity("energy/net_per_image_j", "net energy", "J/image", better="lower"),
    Quantity("energy/gpu_per_image_j", "GPU energy", "J/image", better="lower"),
    Quantity("energy/cpu_per_image_j", "CPU energy", "J/image", better="lower"),
    Quantity("power/mean_w", "mean power", "W", better="lower"),
    Quantity("power/idle_w", "idle power", "W"),
    Quantity("power/parked_w", "power with all runs of the block asleep", "W"),
    Quantity("memory/peak_mib", "peak memory", "MiB", better="lower"),
    Quantity(
        "utilization/gpu_pct",
        "GPU utilization",
        "%",
        reads="utilization_pct",
        component="gpu",
        combines="mean over time",
        width_px=140,
    ),
    Quantity(
        "utilization/cpu_pct",
        "CPU utilization",
        "%",
        reads="utilization_pct",
        component="cpu",
        combines="mean over time",
        width_px=140,
    ),
    Quantity(
        "temperature/gpu_c",
        "GPU temperature",
        "°C",
        reads="temperature_c",
        component="gpu",
        combines="peak",
    ),
    Quantity(
        "temperature/cpu_c",
        "CPU temperature",
        "°C",
        reads="temperature_c",
        component="cpu",
        combines="peak",
    ),
    Quantity(
        "interference/steal_pct",
        "steal",
        "%",
        reads="steal_pct",
        combines="mean over time",
        interval=False,
    ),
    Quantity(
        "interference/other_processes_pct",
        "other processes",
        "%",
        reads="other_processes_pct",
        combines="mean over time",
        interval=False,
    ),
    Quantity(
        "interference/involuntary_switches_per_s",
        "involuntary switches",
        "1/s",
        reads="involuntary_switches_per_s",
        combines="mean over time",
        interval=False,
    ),
)


# What may be 0 or less, or is a fraction of 1, has intervals about its mean; all else is above 0.
_ABOUT_THE_MEAN = (TOP1, "accuracy/top5", "complexity/sparsity", "energy/net_per_image_j")
POSITIVE = frozenset({quantity.name for quantity in QUANTITIES}.difference(_ABOUT_THE_MEAN))


def compared(quantities: Iterable[Quantity] = QUANTITIES) -> list[Quantity]:
    """Returns the quantities by which tactics are held against the baseline, in order."""
    return [quantity for quantity in quantities if quantity.compared]


def in_tables(
    quantities: Iterable[Quantity] = QUANTITIES, *, narrow: bool = False
) -> list[Quantity]:
    """Returns the quantities that tables of measured figures show, in order.

    Args:
        quantities: to choose from.
        narrow: whether there is little room, as on a terminal.
    """
    places = ("everywhere",) if narrow else ("page", "everywhere")
    return [quantity for quantity in quantities if quantity.compared or quantity.shown in places]


def with_own(own: Iterable[Quantity]) -> list[Quantity]:
    """Returns the list with the quantities that meters bring; a name that is known stays as is."""
    listed = {quantity.name: quantity for quantity in QUANTITIES}
    for quantity in own:
        listed.setdefault(quantity.name, quantity)
    return list(listed.values())
