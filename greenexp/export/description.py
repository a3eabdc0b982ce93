"""What an artefact says of itself, in `artefact.json` beside it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from greenexp.protocols import ArtefactForm, Scalar
from greenexp.runs.files import write_atomically

FILE = "artefact.json"
SCHEMA = 1


@dataclass(frozen=True)
class Ratio:
    """How many times what the measured tactic takes the artefact takes.

    Attributes:
        value: of the ratio.
        low: lower end of its 95 % interval; None for one pair.
        high: upper end.
        equal: whether the two are shown to be equal within the margin asked for.
    """

    value: float
    low: float | None
    high: float | None
    equal: bool

    def __str__(self) -> str:
        interval = "" if self.low is None else f" ({self.low:.3f} to {self.high:.3f})"
        return f"×{self.value:.3f}{interval}"


@dataclass(frozen=True)
class Proof:
    """How far an artefact is what was measured.

    Attributes:
        images: of the evaluation split, all replayed.
        flips: images whose best class is another than under the measured tactic.
        ties: those of the flips where the two classes were as good as equal, see `TIE`.
        lost: images that the measured run had right and the artefact has not.
        gained: the other way round.
        p_value: McNemar's exact, that neither is more often right.
        largest_difference: between two logits.
        ratios: by metric; empty where they were not measured.
        margin: within which, as a fraction, the ratios are called equal; None likewise.
    """

    images: int
    flips: int
    ties: int
    lost: int
    gained: int
    p_value: float
    largest_difference: float
    ratios: Mapping[str, Ratio] = field(default_factory=dict)
    margin: float | None = None

    @property
    def holds(self) -> bool:
        """Whether every image is judged as it was measured, but for ties."""
        return self.flips == self.ties


@dataclass(frozen=True)
class Description:
    """An artefact.

    Attributes:
        form: of its files.
        file: that the loader is given.
        options: of the loader.
        shape: of its input: batch, channels, height, width; float32.
        threads: that torch computes with.
        labels: of its outputs, in order.
        versions: of the packages that the loader needs.
        model: as labelled.
        tactic: as labelled.
        run: greenexp's id of the measured run.
        tracked: MLflow's id of it; None: it is in the journal alone.
        machine: fingerprint of the machine that measured, and on which it was made.
        cpu: name of its processor.
        greenexp: version that made it.
        made: ISO time, UTC.
        provenance: checkpoint, revision, architecture.
        card: source and licence of the checkpoint, as the catalogue has them.
        dataset: that it was judged on.
        example: label that the measured tactic gives to `example.png`.
        proof: None: it has not been proven.
        schema: version of this form.
    """

    form: ArtefactForm
    file: str
    options: Mapping[str, Any]
    shape: Sequence[int]
    threads: int
    labels: Sequence[str]
    versions: Mapping[str, str]
    model: str
    tactic: str
    run: str
    tracked: str | None
    machine: str
    cpu: str | None
    greenexp: str | None
    made: str
    provenance: Mapping[str, Scalar]
    card: Mapping[str, Any]
    dataset: str
    example: str
    proof: Proof | None = None
    schema: int = SCHEMA

    @property
    def is_of_one_machine(self) -> bool:
        """Whether it runs on machines of one kind alone."""
        return self.form == "aot_inductor"

    def write(self, folder: Path) -> None:
        """Writes it into the artefact's folder."""
        text = json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        write_atomically(folder / FILE, text)


def read(folder: Path) -> Description:
    """Returns what an artefact's folder says of it."""
    return TypeAdapter(Description).validate_json((folder / FILE).read_bytes())
