"""What the machine that will measure says of a sweep's cells: which fit, and what they read.

It is asked there: by this process, or by a job that is sent to it with all configurations.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from greenexp.errors import GreenexpError, Unfit
from greenexp.measuring.environment import version
from greenexp.measuring.machine import conditions, fingerprint
from greenexp.runs.files import write_atomically
from greenexp.sweep.preflight import Inspection, Preflight


@dataclass(frozen=True)
class Survey:
    """What a machine says of a sweep.

    Attributes:
        host: its name.
        machine: its fingerprint.
        conditions: there, see `machine.conditions`.
        version: of greenexp there.
        inspections: what each configuration is found to be, in order; a text tells why it is unfit.
        notices: lines that the user must see.
    """

    host: str
    machine: str
    conditions: str
    version: str | None
    inspections: Sequence[Inspection | str]
    notices: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns it as JSON takes it; `survey_of` reads it."""
        return asdict(self)


def survey(configurations: Iterable[Mapping[str, Any]], preflight: Preflight) -> Survey:
    """Looks at a sweep's configurations on this machine.

    Raises:
        BadInput: where one would fail for a reason that leaving it out does not mend.
    """
    inspections = [_inspected(preflight, configuration) for configuration in configurations]
    return Survey(
        host=socket.gethostname(),
        machine=fingerprint(),
        conditions=conditions(),
        version=version("greenexp"),
        inspections=inspections,
        notices=list(preflight.notices),
    )


def _inspected(preflight: Preflight, configuration: Mapping[str, Any]) -> Inspection | str:
    try:
        return preflight.check(configuration)
    except Unfit as unfit:
        return str(unfit)


def fetch(configurations: Iterable[Mapping[str, Any]]) -> None:
    """Fetches what comes from a hub, where nodes that measure may reach none.

    What can't be had here may be there, so nothing is refused.
    """
    preflight = Preflight(here=False)
    for configuration in configurations:
        with contextlib.suppress(GreenexpError, OSError):
            preflight.check(configuration)


def survey_of(told: Mapping[str, Any]) -> Survey:
    """Returns the survey that a job has told of."""
    return TypeAdapter(Survey).validate_python(told)


def write_configurations(configurations: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes configurations for a job; what several hold is written once."""
    texts: dict[int, str] = {}  # by the identity of a section that cells share
    kept: list[Any] = []  # so that no identity is given to another
    numbers: dict[str, int] = {}

    def number(section: Any) -> int:
        if id(section) not in texts:
            texts[id(section)] = json.dumps(section, sort_keys=True, ensure_ascii=False)
            kept.append(section)
        return numbers.setdefault(texts[id(section)], len(numbers))

    cells = [
        {key: number(section) for key, section in configuration.items()}
        for configuration in configurations
    ]
    sections = ",\n".join(numbers)
    write_atomically(path, f'{{"sections": [{sections}],\n"cells": {json.dumps(cells)}}}')


def read_configurations(path: Path) -> list[dict[str, Any]]:
    """Returns what `write_configurations` wrote; what several hold is one object."""
    written = json.loads(path.read_bytes())
    sections = written["sections"]
    return [{key: sections[number] for key, number in cell.items()} for cell in written["cells"]]
