"""The runs that count, at the prices asked for."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from greenexp.runs import cost as money
from greenexp.runs.identity import BASELINE
from greenexp.settings.hardware import Hardware
from greenexp.study.economics import MILLION, Prices, Spent
from greenexp.study.study import COST, LeftOut, Setting

if TYPE_CHECKING:
    import pandas as pd

SECOND_BASELINE = 2  # the replicate that makes an A/A pair with the first
MENTIONED = 3  # examples of runs left out
# Stand against a run's prices or its width alone; the spread between blocks holds the latter.
HARMLESS = ("valid", "hardware_mismatch", "precision_not_reached")
SINGLE = "in no block of a sweep, so beside no baseline"
FLAGGED = "flagged: "
NAMES = (
    "run_id", "model", "tactic", "dataset", "hardware", "workload", "setting_varied", "block",
    "replicate", "cell", "peers", "machine", "outcome", "validity", "energy_source", "device",
    "cpu", "gpus", "started",
)  # fmt: skip
SECONDS = "throughput/images_per_s"
CARBON = "carbon/g_per_million_images"
MEASURED = (
    "accuracy/top1",
    "latency/p50_ms",
    SECONDS,
    "energy/per_image_j",
    "optimization/time_s",
    "optimization/energy_j",
    "complexity/parameters",
    "complexity/macs",
    "complexity/weights_mib",
)

Reprice = Callable[[Hardware], Hardware]  # a preset to the one to price with


@dataclass(frozen=True)
class Run:
    """One run as the report needs it.

    Attributes:
        id: MLflow's.
        setting: what else is the same for runs compared.
        model: label.
        tactic: label; `baseline` for the baseline.
        peers: equal for runs that differ in their tactic alone, on one machine.
        block: complete block of a sweep.
        replicate: 2 for the second baseline.
        figures: measured and priced, by the metrics' names; absent is absent.
        image: what an image takes; None where speed was not measured.
        applying: what applying the tactic took; None likewise.
        prices: of the machine.
        energy_source: as tagged.
        mismatch: whether the prices are of another device than the one that ran.
    """

    id: str
    setting: Setting
    model: str
    tactic: str
    peers: str
    block: int
    replicate: int
    figures: Mapping[str, float]
    image: Spent | None
    applying: Spent | None
    prices: Prices
    energy_source: str | None
    mismatch: bool

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.tactic == BASELINE

    @property
    def is_second(self) -> bool:
        """Whether it is the second baseline of its block (A/A)."""
        return self.replicate == SECOND_BASELINE


def own_prices(own: Hardware) -> Hardware:
    """Returns a run's preset as it is."""
    return own


def runs(
    frame: pd.DataFrame,
    hardware: Mapping[str, Hardware],
    *,
    reprice: Reprice = own_prices,
    label: str | None = None,
    keep_flagged: bool = False,
) -> tuple[list[Run], list[LeftOut]]:
    """Returns the runs that figures are made of, and why others are not.

    Args:
        frame: as `load` returns it.
        hardware: by cell: the preset its runs were made with.
        reprice: a preset to the one to price with.
        label: what the settings call that; None: the run's own choice.
        keep_flagged: whether runs that something stands against count as well.
    """
    left: dict[str, list[str]] = defaultdict(list)
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}  # by all that tells a run from others
    for row in _rows(frame):
        reason = _left_out(row, keep_flagged)
        if reason is not None:
            left[reason].append(_name(row))
            continue
        key = tuple(row[name] for name in ("peers", "machine", "tactic", "block", "replicate"))
        older, newer = sorted([latest.get(key, row), row], key=lambda one: one["started"])
        if older is not newer:
            left["measured again later"].append(_name(older))
        latest[key] = newer
    priced = {cell: reprice(preset) for cell, preset in hardware.items()}
    unknown = reprice(Hardware())
    used = [_run(row, priced.get(row["cell"], unknown), label) for row in latest.values()]
    return _told_apart(used), [
        LeftOut(reason, len(names), names[:MENTIONED]) for reason, names in sorted(left.items())
    ]


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yields the rows as plain values; what is absent has no entry, but None among NAMES."""
    import pandas as pd

    columns = [name for name in (*NAMES, *MEASURED) if name in frame.columns]
    values = [frame[name].astype(object).where(frame[name].notna(), None) for name in columns]
    for row in zip(*values, strict=True):
        found = dict.fromkeys(NAMES) | {
            name: value for name, value in zip(columns, row, strict=True) if value is not None
        }
        if not isinstance(found["started"], pd.Timestamp):
            found["started"] = pd.Timestamp(0, tz="UTC")
        yield found


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['model']} · {row['tactic']}"


def _left_out(row: Mapping[str, Any], keep_flagged: bool) -> str | None:
    if row["outcome"] != "ok":
        return f"ended as {row['outcome'] or 'unknown'}"
    if row["peers"] is None:
        return "recorded before runs said what they are compared with (no tag greenexp.peers)"
    if row["block"] is None:
        return SINGLE
    reasons = str(row["validity"] or "valid").split(", ")
    against = [reason for reason in reasons if reason not in HARMLESS]
    if against and not keep_flagged:
        return f"{FLAGGED}{', '.join(against)}"
    return None


def _run(row: Mapping[str, Any], preset: Hardware, label: str | None) -> Run:
    device = row["device"] or "cpu"
    cpu, gpus = row["cpu"] or "", [name for name in (row["gpus"] or "").split(", ") if name]
    own = row["hardware"] or ""
    setting = Setting(
        dataset=row["dataset"] or "",
        hardware=own if label is None or label == own else f"{label} (measured as {own})",
        workload=row["workload"] or "",
        machine=", ".join(gpus) if device == "cuda" else cpu or row["machine"] or "",
        varied=row["setting_varied"] or "",
    )
    prices = Prices(preset, money.share(preset, device))
    figures = {
        name: float(row[name]) for name in MEASURED if name in row and math.isfinite(row[name])
    }
    image = applying = None
    if figures.get(SECONDS):
        image = Spent(1 / figures[SECONDS], figures.get("energy/per_image_j"))
        figures |= _known({COST: _times(prices.usd(image)), CARBON: _times(prices.grams(image))})
    if "optimization/time_s" in figures:
        applying = Spent(figures["optimization/time_s"], figures.get("optimization/energy_j"))
        figures |= _known({"optimization/cost_usd": prices.usd(applying)})
    return Run(
        id=row["run_id"],
        setting=setting,
        model=row["model"],
        tactic=row["tactic"],
        peers=f"{row['peers']}/{row['machine']}",
        block=int(row["block"]),
        replicate=int(row["replicate"] or 1),
        figures=figures,
        image=image,
        applying=applying,
        prices=prices,
        energy_source=row["energy_source"],
        mismatch=not money.matches(preset, device=device, cpu=cpu, gpus=gpus),
    )


def _told_apart(used: Sequence[Run]) -> list[Run]:
    """Returns the runs; settings of one name on several machines are told apart by the machine."""
    machines: dict[str, dict[str, str]] = defaultdict(dict)  # by setting and fingerprint
    for run in used:
        machines[run.setting.name][_fingerprint(run)] = run.setting.machine
    return [
        run if len(of_name := machines[run.setting.name]) == 1 else _on_machine(run, of_name)
        for run in used
    ]


def _on_machine(run: Run, machines: Mapping[str, str]) -> Run:
    fingerprint, machine = _fingerprint(run), run.setting.machine
    if list(machines.values()).count(machine) > 1:
        machine = f"{machine} {fingerprint}"
    words = filter(None, [run.setting.varied, machine])
    return replace(run, setting=replace(run.setting, varied=" · ".join(words)))


def _fingerprint(run: Run) -> str:
    return run.peers.rpartition("/")[2]


def _times(per_image: float | None) -> float | None:
    return None if per_image is None else per_image * MILLION


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value is not None}
