"""Makes an artefact in a fresh process: the tactic applied anew, exactly as it was measured."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from greenexp.errors import BadInput, NoEffect, NotFinite, Unsupported, first_line
from greenexp.export import portable
from greenexp.export.travelling import model as travelling
from greenexp.measuring.child import experiment, quiet_libraries
from greenexp.measuring.experiment import Experiment, batches_of, calibration, driven, preprocessed
from greenexp.models.preprocessing import Preprocessing
from greenexp.protocols import Classifier, ModelFiles, Portable, Sample, Samples
from greenexp.runs.files import write_atomically
from greenexp.tactics.chain import Step, steps_of

if TYPE_CHECKING:
    from torch import nn

ALWAYS = ("numpy", "pillow", "transformers", "torch")  # torch: some image processors need it
ANSWER, REFERENCE, IMAGES = "made.json", "reference.npz", "images.txt"
EXAMPLE, REQUIREMENTS = "example.png", "requirements.txt"
EXAMPLE_SIZE = 96  # pixels, height and width
IMAGE_FOLDER = "images"
LOADER = travelling.__file__
FIRST = 20  # images by whose size that of all is estimated
BYTES_PER_MIB = 2**20


@dataclass(frozen=True)
class Build:
    """What was written.

    Attributes:
        files: of the model.
        shape: of its input.
        threads: that torch computed with.
        labels: of its outputs, in order.
        versions: of what the loader needs.
        example: label that the tactic gives to the example image.
    """

    files: ModelFiles
    shape: Sequence[int]
    threads: int
    labels: Sequence[str]
    versions: Mapping[str, str]
    example: str


def make(configuration: Mapping[str, Any], folder: str, work: str) -> None:
    """Makes an artefact and what it is proven with; runs in a process of its own.

    Args:
        configuration: of the measured run.
        folder: for the artefact; it is there.
        work: folder for the images, what the tactic answers to them, and how it went.
    """
    quiet_libraries()
    # What a compiler leaves is cleared away with the folder.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(work) / "cache")
    os.environ["TRITON_CACHE_DIR"] = str(Path(work) / "cache" / "triton")
    try:
        answer: dict[str, Any] = {"made": asdict(_made(configuration, Path(folder), Path(work)))}
    except (BadInput, NoEffect, NotFinite, Unsupported) as error:
        answer = {"failure": f"{error}{full_disk(folder, work)}"}
    except Exception as error:  # where a disk is full, what writes a model raises all kinds
        if not full_disk(folder, work):
            raise
        answer = {"failure": f"{first_line(error)}{full_disk(folder, work)}"}
        shutil.rmtree(Path(work) / IMAGE_FOLDER, ignore_errors=True)  # room for the answer
    write_atomically(Path(work) / ANSWER, json.dumps(answer, ensure_ascii=False))


def full_disk(folder: str, work: str) -> str:
    """Returns what to say of a disk that is full; empty where there is room."""
    for path, setting in ((folder, "export.folder=…"), (work, "TMPDIR")):
        if shutil.disk_usage(path).free < BYTES_PER_MIB:
            return f"; the disk of {path} is full: make room, or give another with {setting}"
    return ""


def _made(configuration: Mapping[str, Any], folder: Path, work: Path) -> Build:
    import torch

    given = experiment(configuration)
    workload = driven(given.workload, given.tactic.traits)
    if workload.threads is not None:
        torch.set_num_threads(workload.threads)
    samples = given.dataset.load()
    with torch.no_grad():
        classifier = given.model.load(given.device)
        if not isinstance(classifier.preprocess, Preprocessing):
            raise Unsupported("its images are preprocessed by code, which no artefact can take")
        pool = preprocessed(classifier, samples, workload, given.device)
        sample = Sample(pool[0], calibration(given, classifier, workload.batch_size))
        module, files = _written(given, classifier.module, sample, folder)
        _answer(module, classifier, samples, workload.batch_size, work)
        shown = _example(module, classifier, workload.batch_size, folder)
    classifier.preprocess.save(folder)
    shutil.copyfile(LOADER, folder / "model.py")
    _require(folder, files)
    names = classifier.labels.names
    labels = [*(f"output {number}" for number in range(classifier.offset)), *names]
    return Build(
        files=files,
        shape=list(pool[0].shape),
        threads=torch.get_num_threads(),
        labels=labels,
        versions={name: version(name) for name in files.packages},
        example=labels[shown],
    )


def _written(
    given: Experiment, module: nn.Module, sample: Sample, folder: Path
) -> tuple[nn.Module, ModelFiles]:
    """Returns the module as it was measured, and what was written of it."""
    import torch

    steps = steps_of(given.tactic)
    last = _last_change(steps)
    files: ModelFiles | None = None
    for number, step in enumerate(steps):
        if number == last and isinstance(step.tactic, Portable):
            files = step.tactic.write(copy.deepcopy(module), sample, folder)
        module = step.tactic(module, sample)
        with torch.inference_mode():
            module(sample.batch)
    return module, files or portable.write(module, sample, folder)


def _last_change(steps: Sequence[Step]) -> int:
    """Returns the number of the last step that is more than a way of driving the module."""
    changes = [
        number
        for number, step in enumerate(steps)
        if step.tactic.traits.batch_size is None and step.tactic.traits.threads is None
    ]
    return changes[-1] if changes else len(steps) - 1


def _answer(
    module: nn.Module, classifier: Classifier, samples: Samples, size: int, work: Path
) -> None:
    """Writes the images and the logits that the tactic gives them."""
    import torch

    logits = []
    for batch in batches_of(classifier, samples, size):
        with torch.inference_mode():
            logits.append(module(batch.images)[: batch.count].float().numpy().copy())
    np.savez(work / REFERENCE, logits=np.concatenate(logits))
    (work / IMAGES).write_text("\n".join(_saved(samples, work)), encoding="utf-8")


def _example(module: nn.Module, classifier: Classifier, size: int, folder: Path) -> int:
    """Writes an image that was drawn, so nobody owns it; returns the output that is given to it."""
    import torch
    from PIL import Image

    rows, columns = np.mgrid[0:EXAMPLE_SIZE, 0:EXAMPLE_SIZE] / (EXAMPLE_SIZE - 1)
    disc = 255.0 * ((rows - 0.5) ** 2 + (columns - 0.5) ** 2 < 0.1)
    drawn = Image.fromarray(
        np.stack([255 * rows, disc, 255 * columns], axis=-1).round().astype(np.uint8)
    )
    drawn.save(folder / EXAMPLE)
    with torch.inference_mode():
        logits = module(classifier.preprocess([drawn] * size))
    return int(logits[0].argmax())


def _saved(samples: Samples, work: Path) -> Iterator[str]:
    """Writes each image without loss; yields where."""
    folder = work / IMAGE_FOLDER
    folder.mkdir()
    count, written_bytes = len(samples.targets), 0
    for number in range(count):
        path = folder / f"{number}.png"
        samples.image(number).save(path, compress_level=1)
        yield str(path)
        written_bytes += path.stat().st_size
        if number == min(FIRST, count) - 1:
            _check_room(work, written_bytes * (count / (number + 1) - 1))


def _check_room(folder: Path, needed_bytes: float) -> None:
    """Checks that the images left, about as large as the first, have room.

    Raises:
        BadInput: where they have not.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise BadInput(
            f"TMPDIR={folder.parent} has {free_bytes / BYTES_PER_MIB:.0f} MiB free, and the images "
            f"to replay take about {needed_bytes / BYTES_PER_MIB:.0f}: make room, or set TMPDIR to "
            "another folder"
        )


def _require(folder: Path, files: ModelFiles) -> None:
    """Writes the packages that the artefact needs, in the versions it was made with."""
    names = dict.fromkeys([*files.packages, *ALWAYS])
    lines = [f"{name}=={version(name).partition('+')[0]}" for name in names]
    write_atomically(folder / REQUIREMENTS, "\n".join([*lines, ""]))


def made_in(work: Path) -> Build:
    """Returns what `make` wrote.

    Raises:
        Unsupported: where it could not make an artefact.
    """
    from pydantic import TypeAdapter

    answer = json.loads((work / ANSWER).read_bytes())
    if "failure" in answer:
        raise Unsupported(answer["failure"])
    return TypeAdapter(Build).validate_python(answer["made"])
