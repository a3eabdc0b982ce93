"""The doctor's screen: verdicts, meters, cures and the machine, on one screen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from greenexp.doctor import checks
from greenexp.doctor.checks import Fact
from greenexp.doctor.screen import cures, screen
from greenexp.doctor.verdict import verdicts
from greenexp.meters.cpu_estimate import CpuEstimate
from greenexp.meters.machine import Machine
from greenexp.meters.neighbours import Neighbours
from greenexp.protocols import Availability
from tests.support.availability import ESTIMATE, NO_GPU, NO_RAPL, PACKAGE

OTHER_GPU = Availability("energy", "gpu:1", "sampled", "NVML, P100")
TEMPERATURE = Availability("temperature", "cpu", None, "no sensor")


def lines(
    availability: Sequence[Availability], facts: Sequence[Fact] = (), width: int = 100
) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for renderable in screen(verdicts(availability), availability, facts):
            console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_screen_shows_verdict_then_meters_then_cures_then_machine() -> None:
    facts = [Fact("tracker", "can't be reached", there=False, cure="start the server")]
    shown = lines([NO_RAPL, ESTIMATE, NO_GPU, TEMPERATURE], facts)
    assert shown == [
        "CPU energy is an estimate, not a measurement (no RAPL folder).",
        "GPU energy is absent (no driver).",
        "",
        "component  quantity     source    instrument, or why it is absent",
        "cpu        energy       absent    no RAPL folder",
        "cpu        energy       estimate  from utilization",
        "gpu        energy       absent    no driver",
        "cpu        temperature  absent    no sensor",
        "",
        "How to get more",
        "cpu energy  modprobe it",
        "cpu energy  give the CPU's power",
        "gpu energy  install it",
        "tracker     start the server",
        "",
        "Machine",
        "tracker  can't be reached",
    ]


def test_quantities_of_one_instrument_share_a_line() -> None:
    clock = Availability("clock", "gpu:1", "sampled", OTHER_GPU.detail)
    shown = lines([OTHER_GPU, clock])
    assert any(re.fullmatch(r"gpu:1 +energy, clock +sampled +NVML, P100", line) for line in shown)


def test_text_in_brackets_is_no_markup() -> None:
    cure = "pip install 'greenexp[onnx]'"
    shown = lines([], [Fact("no engine", "absent: [onnx]", there=False, cure=cure)])
    assert f"no engine  {cure}" in shown
    assert "no engine  absent: [onnx]" in shown


def test_narrow_screen_cuts_no_command_and_no_path() -> None:
    word = "-v/sys/class/powercap/intel-rapl:/zeus_sys/class/powercap/intel-rapl:ro"
    absent = Availability("energy", "cpu", None, word, f"run {word}")
    folded = re.sub(r"\s", "", "".join(lines([absent], [Fact("cure", "x", cure=word)], width=60)))
    assert folded.count(word) == 4  # verdict, table, two cures


def test_energy_that_a_counter_tells_needs_no_cure() -> None:
    availability = [PACKAGE, ESTIMATE, NO_GPU]
    assert cures(verdicts(availability), availability, []) == [("gpu energy", NO_GPU.cure)]


def test_cure_is_told_once() -> None:
    twice = [NO_RAPL, NO_RAPL, NO_GPU]
    names = [name for name, _ in cures(verdicts(twice), twice, [])]
    assert names == ["cpu energy", "gpu energy"]


def test_this_machine_fits_one_screen() -> None:
    meters = [Machine(0.2), Neighbours(), CpuEstimate(0.2, 0.69, 4.063, relative_error=0.5)]
    availability = [NO_RAPL, NO_GPU, *checks.availability_of(meters)]
    facts = checks.machine(Path("multirun"), counted=False)
    assert len(lines(availability, facts)) <= 45
