"""Several tactics one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.errors import BadInput, Unfit
from greenexp.protocols import Form, Sample, Scalar, Tactic, Traits

if TYPE_CHECKING:
    from torch import nn

REASONS: Mapping[Form, str] = {
    "half": "weights in half precision",
    "quantized": "quantized weights",
    "exported": "an exported graph",
    "compiled": "a compiled module",
    "engine": "an engine's session",
}


@dataclass(frozen=True)
class Step:
    """A tactic in a chain, by its name."""

    name: str
    tactic: Tactic


@dataclass(frozen=True)
class Chain:
    """Applies tactics in order; each is timed, metered and proven on its own.

    Attributes:
        steps: tactics by name, one a mapping, in order; none: the model stays as it is.
    """

    steps: Sequence[Mapping[str, Tactic]]

    def __post_init__(self) -> None:
        steps = list(named(self.steps))
        names = [step.name for step in steps]
        for step in steps:
            if isinstance(step.tactic, Chain):
                raise BadInput(
                    f"tactic.steps holds {step.name}, which is a chain; give its steps in its place"
                )
            if step.name == "baseline":
                raise BadInput("tactic.steps holds baseline, which is no step; leave it out")
            if names.count(step.name) > 1:
                raise BadInput(f"tactic.steps holds {step.name} twice; give each tactic once")
        _check_order(steps)
        _merged("batch_size", steps)
        _merged("threads", steps)

    @property
    def traits(self) -> Traits:
        """What all steps need and make together."""
        steps = list(named(self.steps))
        each = [step.tactic.traits for step in steps]
        extras = sorted({traits.extra for traits in each if traits.extra is not None})
        return Traits(
            makes=tuple(dict.fromkeys(form for traits in each for form in traits.makes)),
            devices=tuple(
                device
                for device in ("cpu", "cuda")
                if all(device in traits.devices for traits in each)
            ),
            packages=tuple(
                dict.fromkeys(package for traits in each for package in traits.packages)
            ),
            extra=",".join(extras) or None,
            calibration_images=max((traits.calibration_images for traits in each), default=0),
            batch_size=_merged("batch_size", steps),
            threads=_merged("threads", steps),
        )

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module after all steps."""
        for step in named(self.steps):
            module = step.tactic(module, sample)
        return module

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the number of steps; each proves its own effect once it is applied."""
        return {"steps": len(self.steps)}


def named(steps: Sequence[Mapping[str, Tactic]]) -> Iterator[Step]:
    """Yields the steps of a chain's configuration."""
    for step in steps:
        for name, tactic in step.items():
            yield Step(name, tactic)


def steps_of(tactic: Tactic) -> list[Step]:
    """Returns the tactics to apply in order; one that is no chain is its own, nameless step."""
    if isinstance(tactic, Chain) and tactic.steps:
        return list(named(tactic.steps))
    return [Step("", tactic)]


def _check_order(steps: Sequence[Step]) -> None:
    """Checks that each step can start from what those before it make.

    Raises:
        Unfit: naming both steps.
    """
    made: dict[Form, str] = {}
    for step in steps:
        for form in step.tactic.traits.not_after:
            if form in made:
                raise Unfit(
                    f"{step.name} can't follow {made[form]}, which makes {REASONS[form]}; "
                    f"put {step.name} first, or leave one out"
                )
        made |= dict.fromkeys(step.tactic.traits.makes, step.name)


def _merged(setting: str, steps: Sequence[Step]) -> int | None:
    """Returns the setting that a step gives the workload; None without one."""
    given = [
        (step.name, value)
        for step in steps
        if (value := getattr(step.tactic.traits, setting)) is not None
    ]
    if len(given) > 1:
        raise BadInput(f"tactic.steps sets {setting} twice, by {given[0][0]} and {given[1][0]}")
    return given[0][1] if given else None
