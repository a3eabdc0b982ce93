"""Journals of several machines that measured the same models: made up, whole and always the same.

Each record is one that a run leaves: windows in rounds, predictions, phases, power over time.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from greenexp.protocols import Reading, Series, Source
from greenexp.runs import journalled
from greenexp.runs.identity import cell_hash
from greenexp.runs.journal import Record
from greenexp.runs.result import Phase, Predictions, Result, Window
from greenexp.settings.hardware import Carbon, Hardware, Price

IMAGES = 40
ROUNDS = 6
BATCHES = 8
NOISE = 0.002
TACTICS = {"baseline": 1.0, "dynamic_quantization": 0.6, "local_pruning": 1.0}  # of time and energy
MODELS = {"digits_vit": 1.0, "digits_resnet": 0.5}  # of a machine's seconds an image
NAMESPACE = uuid.UUID(int=0)


@dataclass(frozen=True)
class Machine:
    """A machine that measured, and what is true of it.

    Attributes:
        name: of its journal, its host and its runs.
        cpu: as its maker calls it.
        seconds: an image of the first model takes under the baseline.
        watts: while it computes.
        preset: its prices.
        hardware: what the preset is called.
        source: of its joules.
        tactics: what it measured, and the share of the baseline's time that each takes.
        day: of January 2026 on which it measured.
    """

    name: str
    cpu: str
    seconds: float
    watts: float
    preset: Hardware
    hardware: str = "local"
    source: Source = "counter"
    tactics: Mapping[str, float] = field(default_factory=lambda: TACTICS)
    day: int = 1

    @property
    def fingerprint(self) -> str:
        """What is equal for machines of its kind."""
        return uuid.uuid5(NAMESPACE, self.cpu).hex[:12]


def preset(usd_per_hour: float | None, **fields: float) -> Hardware:
    """Returns a preset that any device may have."""
    return Hardware(
        description="made up",
        any_device=True,
        price=Price(usd_per_hour=usd_per_hour, usd_per_kwh=0.2, **fields),
        carbon=Carbon(g_per_kwh=300.0),
    )


SMALL = Machine("small", "Small CPU 2000", 0.020, 15.0, preset(0.1))
LARGE = Machine("large", "Large CPU 9000", 0.004, 180.0, preset(0.9), "aws_c7i_2xlarge", "model")


def journal(
    folder: Path,
    machine: Machine,
    *,
    models: Sequence[str] = tuple(MODELS),
    blocks: int = 2,
    together: bool = True,
) -> Path:
    """Writes what a machine measured into a journal, and returns its folder.

    Args:
        folder: that the journal's folder stands in.
        machine: that measured.
        models: that it measured.
        blocks: complete ones.
        together: whether each block was measured in rounds, else one run after the other.
    """
    random = np.random.default_rng(machine.day)
    for number, model in enumerate(models):
        for block in range(1, blocks + 1):
            name = f"{machine.name}/{model}/{block}"
            pace = 1 + random.normal(0, NOISE, ROUNDS)
            members = [("baseline", 1), ("baseline", 2)]
            members += [(tactic, 1) for tactic in machine.tactics if tactic != "baseline"]
            for place, (tactic, replicate) in enumerate(members):
                seconds = machine.seconds * MODELS[model] * machine.tactics[tactic]
                record = Record(
                    id=uuid.uuid5(NAMESPACE, f"{name}/{place}").hex,
                    title=f"{model} · {tactic}",
                    cell="",
                    sweep=f"2026-01-{machine.day:02}/10-00-00",
                    choices=_choices(model, tactic, machine),
                    configuration=_configuration(model, tactic, machine, block, replicate),
                    started=_time(machine, number, block, 0),
                    ended=_time(machine, number, block, 30),
                    result=_result(machine, seconds, pace, random, together, tactic),
                    machine=machine.fingerprint,
                    version="0.1.0",
                    together=uuid.uuid5(NAMESPACE, name).hex if together else None,
                    conditions="4 of 4 CPUs, torch 2.13.0",
                )
                own = cell_hash(record.configuration)
                journalled.write(
                    Record(**{**vars(record), "cell": own}),
                    folder / machine.name / f"{number}-{block}" / str(place),
                )
    return folder / machine.name


def _time(machine: Machine, number: int, block: int, minutes: int) -> str:
    return f"2026-01-{machine.day:02}T{10 + number:02}:{block:02}:{minutes:02}+00:00"


def _choices(model: str, tactic: str, machine: Machine) -> dict[str, str]:
    return {
        "model": model,
        "tactic": tactic,
        "dataset": "digits",
        "hardware": machine.hardware,
        "workload": "quick",
    }


def _configuration(
    model: str, tactic: str, machine: Machine, block: int, replicate: int
) -> dict[str, object]:
    return {
        "model": {"_target_": "greenexp.models.Any", "name": model},
        "tactic": {"_target_": f"greenexp.tactics.{tactic}"},
        "hardware": asdict(machine.preset),
        "workload": {"batch_size": 1},
        "tracking": {},
        "sweep": {"block": block, "replicate": replicate},
    }


def _result(
    machine: Machine,
    seconds: float,
    pace: np.ndarray,
    random: np.random.Generator,
    together: bool,
    tactic: str,
) -> Result:
    windows = []
    for number, slower in enumerate(pace, 1):
        took = seconds * float(slower) * (1 + random.normal(0, NOISE, BATCHES))
        duration_s = float(took.sum())
        joules = _joules(machine, machine.watts * duration_s)
        windows.append(
            Window(
                start_s=float(number),
                duration_s=duration_s,
                images=BATCHES,
                latencies_s=took.tolist(),
                readings=[joules],
                round=number if together else 0,
            )
        )
    is_baseline = tactic == "baseline"
    applying_s = 0.0 if is_baseline else 2.0
    right = [0 if image % 10 else 1 for image in range(IMAGES)]
    if tactic == "local_pruning":
        right[1] = 1  # one image more is wrong
    return Result(
        outcome="ok",
        device="cpu",
        components=["cpu", "process"],
        phases=[
            Phase("idle", 0.0, 5.0, [_joules(machine, 25.0)]),
            Phase("optimize", 5.0, applying_s, [_joules(machine, machine.watts * applying_s)]),
        ],
        windows=windows,
        series=[
            Series(
                "power_w",
                "cpu",
                machine.source,
                "made_up",
                [float(second) for second in range(10)],
                [5.0, 5.0, *([machine.watts] * 8)],
            )
        ],
        predictions=Predictions(
            [f"{image}.png" for image in range(IMAGES)],
            [0] * IMAGES,
            [[answer, 1 - answer] for answer in right],
        ),
        environment={"cpu": machine.cpu, "host": machine.name},
        duration_s=30.0,
    )


def _joules(machine: Machine, joules: float) -> Reading:
    return Reading("energy_j", "cpu", joules, machine.source, "made_up")
