"""An artefact as a model of MLflow: kept there, and registered where it is proven."""

from __future__ import annotations

from pathlib import Path

from greenexp.export.card import card
from greenexp.export.description import Description
from greenexp.export.making import EXAMPLE, REQUIREMENTS
from greenexp.runs.run import Run
from greenexp.tracking import registry
from greenexp.tracking.models import Models


def publish(models: Models, run: Run, run_id: str, folder: Path, description: Description) -> str:
    """Puts an artefact into MLflow; returns the id of its model, READY where it is proven.

    Args:
        models: of the experiment.
        run: that was measured.
        run_id: MLflow's id of it.
        folder: of the artefact.
        description: what the artefact says of itself.
    """
    proof = description.proof
    tags = {"greenexp.form": description.form, registry.EXAMPLE_TAG: description.example}
    if proof is not None:
        differ = f"{proof.flips} of {proof.images} images differ"
        tags["greenexp.proof"] = f"{'holds' if proof.holds else 'fails'}: {differ}"
        for metric, ratio in proof.ratios.items():
            tags[f"greenexp.proof.{metric}"] = f"{ratio} of the tactic's"
    lines = (folder / REQUIREMENTS).read_text(encoding="utf-8").split()
    package = registry.Package(
        folder=folder,
        form=description.form,
        example=folder / EXAMPLE,
        requirements=lines,
        tags=tags,
        is_proven=proof is not None and proof.holds,
    )
    return registry.keep(models, run, run_id, package)


def register(models: Models, name: str, model_id: str, run: Run, description: Description) -> str:
    """Registers a proven artefact; returns the version. Its description is the model card's."""
    return registry.register(models.client, name, model_id, card(description, run))
