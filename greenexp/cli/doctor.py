"""`python -m greenexp.doctor`: what this machine has to measure with, before anything runs."""

from __future__ import annotations

from typing import Any, cast

import hydra
from omegaconf import DictConfig, OmegaConf

from greenexp.cli.compose import settings
from greenexp.cli.exit import exit_code
from greenexp.errors import BadInput, GreenexpError
from greenexp.protocols import Meter, Traits
from greenexp.settings.build import build, typed
from greenexp.settings.conf import config_dir
from greenexp.settings.hardware import Hardware
from greenexp.settings.sweep import Tracking


def main() -> int:
    """Shows the screen; returns 1 where the device or a source asked for isn't there."""
    return exit_code(_hydra_main)


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="doctor")
def _hydra_main(cfg: DictConfig) -> None:
    from greenexp.cli import console

    try:
        _examine(cfg)
    except GreenexpError as error:
        console.note(f"greenexp: {error}")
        raise SystemExit(1) from None  # an exception would make Hydra print lines of its own


def _examine(cfg: DictConfig) -> None:
    from greenexp.cli import console
    from greenexp.doctor import screen
    from greenexp.doctor.energy import check_required, energy_verdicts
    from greenexp.doctor.surroundings import facts
    from greenexp.measuring.child import device_refusal, quiet_libraries, resolved

    plain = settings(cfg)
    typed(plain, "hardware", Hardware)
    quiet_libraries()
    meters: dict[str, Meter] = {
        name: build(choice, f"meters.{name}") for name, choice in plain["meters"].items()
    }
    told = [(name, one) for name, meter in meters.items() for one in meter.availability()]
    available = [one for _, one in told]
    verdicts = energy_verdicts(available)
    device = resolved(plain["device"])
    refusal = device_refusal(device)
    listed = list(facts(device, refusal, typed(plain, "tracking", Tracking), _traits()))
    for line in screen.headline(verdicts):
        console.out.print(line, markup=False, soft_wrap=True)
    console.out.print(screen.meters(told))
    console.out.print(screen.machine(listed))
    cures = screen.cures(verdicts, listed)
    if cures:
        console.out.print("To get more:", markup=False)
    for line in cures:
        console.out.print(f"  {line}", markup=False, soft_wrap=True)
    check_required(plain["doctor"]["require"], available)
    if refusal:
        raise BadInput(refusal)


def _traits() -> list[Traits]:
    """Returns the traits of every packaged tactic whose options are complete."""
    traits = []
    for path in sorted((config_dir() / "tactic").glob("*.yaml")):
        choice = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))
        choice.pop("defaults", None)
        try:
            traits.append(build(choice, "tactic").traits)
        except BadInput:  # an option that has to be given, such as a chain's steps
            continue
    return traits
