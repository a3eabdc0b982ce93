"""Which options of a sweep go with each other, told from their YAML files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydra._internal.config_repository import IConfigRepository
from omegaconf import OmegaConf

from greenexp.datasets.labels import check_spaces
from greenexp.errors import Unfit
from greenexp.report.words.format import listing, plural
from greenexp.sweep.plan import Exclusion

NAMED = 4  # choices in a line; of more their number


def fitting(
    repository: IConfigRepository, overrides: Sequence[str], labels: str | None
) -> tuple[list[str], list[Exclusion]]:
    """Returns the models whose label space may be the data set's, and those left out.

    Told from the files alone, so that a model that can't fit isn't composed with every tactic.

    Args:
        repository: of the configuration files.
        overrides: `model=…`, one an option.
        labels: the data set's label space; None where unknown.
    """
    kept: list[str] = []
    exclusions: list[Exclusion] = []
    for override in overrides:
        name = override.partition("=")[2]
        loaded = repository.load_config(f"model/{name}")
        own = OmegaConf.select(loaded.config, "labels") if loaded is not None else None
        try:
            check_spaces(own, labels)
        except Unfit as unfit:
            exclusions.append(Exclusion(name, str(unfit), own))
        else:
            kept.append(override)
    return kept, exclusions


def lacking(
    repository: IConfigRepository, swept: Mapping[str, Sequence[str]]
) -> set[tuple[str, str]]:
    """Returns which choices of a sweep have no such option as another override sets.

    `tactic=baseline,local_pruning tactic.amount=0.5` sets the amount of the one that has it. An
    option that none has is a mistake, which composing tells of.

    Args:
        repository: of the configuration files.
        swept: the overrides of each key of the sweep.

    Returns:
        The choice, `tactic=baseline`, and the key, `tactic.amount`.
    """
    pairs = set()
    for key in swept:
        group, _, inner = key.partition(".")
        choices = swept.get(group, ())
        without = [choice for choice in choices if inner and not _has(repository, choice, inner)]
        if len(without) < len(choices):
            pairs |= {(choice, key) for choice in without}
    return pairs


def lacking_line(lacks: set[tuple[str, str]]) -> list[str]:
    """Returns a line for each key that some choices have no option for."""
    lines = []
    for key in sorted({key for _, key in lacks}):
        names = sorted(choice.partition("=")[2] for choice, own in lacks if own == key)
        shown = listing(names) if len(names) <= NAMED else plural(len(names), "choice")
        has, them = ("has", "it is") if len(names) == 1 else ("have", "they are")
        lines.append(f"{key}=… leaves {shown}, which {has} no such option, as {them}")
    return lines


def _has(repository: IConfigRepository, choice: str, inner: str) -> bool:
    """Tells whether an option has a key, as far as its own file says."""
    group, _, name = choice.partition("=")
    loaded = repository.load_config(f"{group}/{name}")
    if loaded is None or any(not entry.is_self() for entry in loaded.defaults_list or ()):
        return True
    first = inner.partition(".")[0]
    return OmegaConf.is_dict(loaded.config) and first in set(loaded.config)  # `???` is there
