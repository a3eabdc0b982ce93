"""One run, from an idle machine to a `Result`: the measuring protocol."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from greenexp.datasets.labels import match
from greenexp.errors import BadInput, NoEffect, NotFinite
from greenexp.measuring.environment import environment
from greenexp.measuring.loop import Forward, warm_up
from greenexp.measuring.quiet import Guard
from greenexp.measuring.recorder import Recorder
from greenexp.measuring.turns import Place, SinglePlace, Steady, watch
from greenexp.protocols import (
    Batch,
    Classifier,
    Dataset,
    Meter,
    ModelSource,
    Sample,
    Samples,
    Scalar,
    Shortest,
    Tactic,
    Traits,
)
from greenexp.runs.result import Predictions, Result
from greenexp.settings.workload import Interference, Workload
from greenexp.tactics.chain import Step, steps_of
from greenexp.tactics.complexity import complexity

if TYPE_CHECKING:
    from torch import Tensor, nn

RANKED = 5  # outputs kept per image, for top-1 and top-5
ALONE = SinglePlace()


@dataclass(frozen=True)
class Experiment:
    """Everything one run needs, as plain objects. `device` is cpu or cuda."""

    model: ModelSource
    tactic: Tactic
    dataset: Dataset
    workload: Workload
    meters: Sequence[Meter]
    device: str
    interference: Interference = field(default_factory=Interference)


def run(experiment: Experiment, place: Place = ALONE) -> Result:
    """Runs an experiment, alone or among peers, and returns its raw record.

    Raises:
        BadInput: where model and data don't fit each other or the machine.
        Unsupported: where the tactic can't run.
        NoEffect: where the tactic changed nothing.
        Disturbed: where something else used the machine and the run must not be disturbed.
    """
    import torch

    began_s = time.perf_counter()
    workload = driven(experiment.workload, experiment.tactic.traits)
    device = experiment.device
    components = ["cpu", "dram", "process", *(["gpu:0"] if device == "cuda" else [])]
    check_device(device)
    if workload.threads is not None:
        torch.set_num_threads(workload.threads)
    surroundings = environment(device)
    samples = experiment.dataset.load()

    # Not in inference mode as a whole: what is made there can't be traced or exported.
    with torch.no_grad(), ExitStack() as stack:
        meters = [stack.enter_context(meter) for meter in experiment.meters]
        recorder = Recorder(meters)
        guard = Guard(recorder, experiment.interference, workload.on_interference, components)
        cool = guard.cool_down()
        if place.watches_idle:
            watch(recorder, guard, "idle", workload.idle_seconds)

        with recorder.phase("load"):
            classifier = experiment.model.load(device)
        classes = match(classifier.labels, samples.labels)
        pool = preprocessed(classifier, samples, workload, device)
        # Of a copy: some models keep tensors of their first pass, which a cast would not reach.
        before = complexity(copy.deepcopy(classifier.module), pool[0])
        sample = Sample(pool[0], calibration(experiment, classifier, workload.batch_size))

        module = classifier.module
        effect: dict[str, Scalar] = {}
        steps = steps_of(experiment.tactic)
        for step in steps:
            with recorder.phase("optimize", step.name):
                module = step.tactic(module, sample)
                forward = _synchronized(module, device)
                with torch.inference_mode():
                    forward(pool[0])
            proof = step.tactic.effect(module)
            effect |= {"/".join(filter(None, (step.name, key))): proof[key] for key in proof}
        after = complexity(module, pool[0])
        settled = _effects(steps, module)

        with recorder.phase("accuracy") if place.judges else nullcontext():
            batches = batches_of(classifier, samples, workload.batch_size)
            predictions = (
                _predict(module, batches, samples, classes, classifier.offset, device)
                if place.judges
                else None
            )

        inputs = itertools.cycle(pool)
        with torch.inference_mode():
            with recorder.phase("warmup"):
                warmed = warm_up(forward, inputs, workload)

            answer = _top1(module, pool[0])
            shortest = _shortest(meters, device)
            measured = place.measure(
                Steady(recorder, forward, inputs, workload, guard, shortest, device)
            )
            changed = _top1(module, pool[0]) != answer

        late = _effects(steps, module)
        series = [trace for meter in meters for trace in meter.series(recorder.origin_s)]

    doubts = {
        "not_cooled_down": not cool,
        "warmup_not_settled": not warmed.settled,
        "precision_not_reached": not measured.settled,
        "effect_changed": late != settled,  # compiled anew while measured, say
        "outputs_changed": changed,
        **dict.fromkeys(measured.doubts, True),
    }
    return Result(
        outcome="ok",
        device=device,
        components=components,
        phases=recorder.phases,
        windows=recorder.windows,
        series=series,
        predictions=predictions,
        before=before,
        after=after,
        effect=effect,
        provenance=_provenance(classifier, samples),
        environment=surroundings,
        quantities=[own for meter in meters for own in meter.quantities()],
        doubts=[doubt for doubt, holds in doubts.items() if holds],
        discarded_windows=measured.discarded,
        duration_s=time.perf_counter() - began_s - measured.slept_s,
    )


def _provenance(classifier: Classifier, samples: Samples) -> dict[str, Scalar]:
    """Returns where the model is from, and `dataset_commit` where the images have one."""
    provenance = dict(classifier.provenance)
    if samples.commit is not None:
        provenance["dataset_commit"] = samples.commit
    return provenance


def _effects(steps: Sequence[Step], module: nn.Module) -> list[Mapping[str, Scalar] | None]:
    """Returns what each step can still be seen to have done; None where another covers it."""
    effects: list[Mapping[str, Scalar] | None] = []
    for step in steps:
        try:
            effects.append(step.tactic.effect(module))
        except NoEffect:
            effects.append(None)
    return effects


def driven(workload: Workload, traits: Traits) -> Workload:
    """Returns the workload as the tactic drives it."""
    return replace(
        workload,
        batch_size=traits.batch_size or workload.batch_size,
        threads=traits.threads or workload.threads,
    )


def calibration(experiment: Experiment, classifier: Classifier, size: int) -> list[Tensor]:
    """Returns preprocessed batches of training images, as many as the tactic asks for."""
    wanted = experiment.tactic.traits.calibration_images
    if wanted == 0:
        return []
    samples = experiment.dataset.calibration(wanted)
    return [batch.images.to(experiment.device) for batch in batches_of(classifier, samples, size)]


def _shortest(meters: Sequence[Meter], device: str) -> Shortest:
    """Returns the shortest window that all meters can measure a run on the device over."""
    each = [meter.shortest_window(device) for meter in meters]
    return Shortest(
        seconds=max((window.seconds for window in each), default=0.0),
        batches=max((window.batches for window in each), default=1),
    )


def check_device(device: str) -> None:
    """Checks that the device is there.

    Raises:
        BadInput: where cuda is asked for and absent.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            "device=cuda is asked for and no CUDA device is there; "
            "use device=cpu, or device=auto for whatever there is"
        )


def _synchronized(module: nn.Module, device: str) -> Forward:
    """Returns a forward pass that ends when the device has finished."""
    import torch

    if device != "cuda":
        return module

    def forward(batch: Tensor) -> None:
        module(batch)
        torch.cuda.synchronize()

    return forward


def _top1(module: nn.Module, batch: Tensor) -> list[int]:
    """Returns the output that ranks first for each image."""
    best: list[int] = module(batch).argmax(dim=-1).tolist()
    return best


def batches_of(classifier: Classifier, samples: Samples, size: int) -> Iterator[Batch]:
    """Yields the whole split in batches of one shape, decoded and preprocessed as it goes."""
    count = len(samples.targets)
    for start in range(0, count, size):
        group = range(start, min(start + size, count))
        filled = list(itertools.islice(itertools.cycle(group), size))
        images = [samples.image(index) for index in filled]
        yield Batch(classifier.preprocess(images), count=len(group))


def preprocessed(
    classifier: Classifier, samples: Samples, workload: Workload, device: str
) -> list[Tensor]:
    """Returns preprocessed batches on the device for warm-up and windows to cycle through."""
    size = workload.batch_size
    count = max(1, min(workload.pool_images, len(samples.targets)) // size)
    batches = batches_of(classifier, samples, size)
    return [batch.images.to(device) for batch in itertools.islice(batches, count)]


def _predict(
    module: nn.Module,
    batches: Iterator[Batch],
    samples: Samples,
    classes: Sequence[int],
    offset: int,
    device: str,
) -> Predictions:
    """Ranks all outputs for each image of the split.

    Args:
        module: pixel values to logits.
        batches: of the whole split, in order.
        samples: the split.
        classes: the model's class for each class of the data set.
        offset: output index of class 0.
        device: of the module.

    Raises:
        NotFinite: where logits are no numbers or infinite, so that no rank means anything.
    """
    import torch

    ranked: list[list[int]] = []
    not_finite = 0
    for batch in batches:
        # Images made in inference mode are tensors of another kind, compiled for anew.
        images = batch.images.to(device)
        with torch.inference_mode():
            logits = module(images)
        not_finite += int((~logits[: batch.count].isfinite().all(dim=-1)).sum())
        best = logits.topk(min(RANKED, logits.shape[-1]), dim=-1).indices
        ranked += best[: batch.count].cpu().tolist()
    if not_finite:
        raise NotFinite(f"{not_finite} of {len(ranked)} images have logits that aren't finite")
    return Predictions(
        identifiers=list(samples.identifiers),
        targets=[classes[target] + offset for target in samples.targets],
        ranked=ranked,
    )
