"""`python -m greenexp.doctor`: what this machine can measure, before anything is run."""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from greenexp.cli.compose import settings
from greenexp.cli.exit import exit_code, told
from greenexp.cli.explained import explained
from greenexp.errors import BadInput
from greenexp.settings.build import build, typed
from greenexp.settings.checks import check_choice
from greenexp.settings.conf import config_dir
from greenexp.settings.doctor import Doctor
from greenexp.settings.hardware import Hardware
from greenexp.settings.plugins import allowed
from greenexp.settings.sweep import Tracking

MULTIRUN = ("-m", "--multirun")


def main() -> int:
    """Runs the command line; returns 1 where device or energy source asked for is absent."""
    return exit_code(_run)


def _run() -> None:
    sweeps = [word for word in sys.argv[1:] if word in MULTIRUN]
    if sweeps:  # Hydra would write to a folder of the sweep
        raise BadInput(f"{sweeps[0]} is for sweeps, and the doctor looks once; leave it out")
    explained(_hydra_main, "doctor")


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="doctor")
def _hydra_main(cfg: DictConfig) -> None:
    with told():
        _examine(cfg)


def _examine(cfg: DictConfig) -> None:
    from greenexp.cli import console
    from greenexp.doctor.checks import availability_of, machine
    from greenexp.doctor.device import probing
    from greenexp.doctor.screen import screen
    from greenexp.doctor.tracker import tracker
    from greenexp.doctor.verdict import missing, verdicts

    plain = settings(cfg)
    doctor = typed(plain, "doctor", Doctor)
    typed(plain, "hardware", Hardware)
    tracking = typed(plain, "tracking", Tracking)
    check_choice("device", plain["device"], ("auto", "cpu", "cuda"))
    allow = allowed(plain)
    meters = [build(choice, f"meters.{name}", allow) for name, choice in plain["meters"].items()]
    with probing(plain["device"]) as probe:
        availability = availability_of(meters)
        energy = verdicts(availability)
        counted = any((v.kind, v.source) == ("cpu", "counter") for v in energy)
        facts = [
            *machine(Path(tracking.journal), counted=counted),
            tracker(tracking.uri, tracking.experiment, doctor.timeout_s),
        ]
        device = probe.device()
    for renderable in screen(energy, availability, [device.fact(), *facts]):
        console.out.print(renderable)
    refusals = [*filter(None, [device.refusal]), *missing(doctor.require, availability)]
    if refusals:
        raise BadInput("; ".join(refusals))
