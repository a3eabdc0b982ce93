"""What can't be exported is refused; what is not as it was measured is kept, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenexp.datasets.digits import Digits
from greenexp.errors import BadInput
from greenexp.export.description import read
from greenexp.export.export import Source, check, export
from greenexp.measuring.machine import fingerprint
from greenexp.runs.result import Predictions
from greenexp.runs.run import Run
from tests.support.builders import a_run

UNLIKE = {"_target_": "tests.support.unlike.Unlike"}


def source(run: Run, predictions: Predictions) -> Source:
    return Source(run, predictions, model="digits_resnet", tactic="unlike")


def measured(**fields: Any) -> Run:
    """Returns a run that ended well on this machine."""
    return a_run(**({"device": "cpu", "machine": fingerprint()} | fields))


NOTHING = Predictions([], [], [])


def test_run_of_this_machine_that_ended_well_can_be_exported() -> None:
    check(measured())


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        pytest.param(
            {"outcome": "oom", "reason": "too large", "device": None},
            "ended as oom: too large; export a run that ended well",
            id="failed",
        ),
        pytest.param(
            {"device": "cuda"},
            "measured on cuda, and artefacts are made for the CPU; measure it with device=cpu",
            id="on a GPU",
        ),
        pytest.param(
            {"device": "cuda", "choices": {"tactic": "semi_structured_sparsity"}},
            "half_precision comes nearest: measure that with device=cpu first",
            id="runs on GPUs alone",
        ),
        pytest.param(
            {"machine": "another", "cpu": "Another CPU"},
            r"another kind of machine \(Another CPU\); export it there",
            id="elsewhere",
        ),
    ],
)
def test_run_that_can_t_be_exported_is_refused_with_the_cure(
    fields: dict[str, Any], line: str
) -> None:
    with pytest.raises(BadInput, match=line):
        check(measured(**fields))


def test_disk_that_is_too_small_is_told_before_anything_is_made(tmp_path: Path) -> None:
    baseline = {"tactic": {"_target_": "greenexp.tactics.baseline.Baseline"}}
    run = measured(configuration=baseline, metrics={"complexity/weights_mib": 1e12})
    with pytest.raises(
        BadInput, match=r"MiB free, .*; make room, or give another with export.folder"
    ):
        export(source(run, NOTHING), tmp_path, None, lambda stage: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_artefact_that_is_not_what_was_measured_is_kept_and_says_so(tmp_path: Path) -> None:
    images = tmp_path / "images"
    given = {
        "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
        "tactic": UNLIKE,
        "dataset": {"_target_": "greenexp.datasets.folder.Folder", "path": str(images)},
        "device": "cpu",
        "workload": {},
        "interference": {},
        "isolation": {"alone": False},
        "meters": {},
        "plugins": {"allow": ["tests.support"]},
    }
    predictions = judged_right(images)
    stages: list[str] = []
    folder, _ = export(
        source(measured(configuration=given), predictions),
        tmp_path / "artefacts",
        None,
        lambda stage: stages.append(stage.name),
    )
    assert stages == ["make", "replay"]
    proof = read(folder).proof
    assert proof is not None
    assert not proof.holds
    assert proof.flips > proof.images / 2
    assert proof.lost > proof.images / 2


def judged_right(folder: Path) -> Predictions:
    """Writes an image of each digit, and returns predictions that have all right."""
    samples = Digits().load()
    for digit, name in enumerate(samples.labels.names):
        (folder / name).mkdir(parents=True)
        number = list(samples.targets).index(digit)
        samples.image(number).save(folder / name / f"{samples.identifiers[number]}.png")
    digits = list(range(len(samples.labels.names)))
    return Predictions([str(digit) for digit in digits], digits, [[digit] for digit in digits])
