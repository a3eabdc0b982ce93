"""Which output of a model stands for which class of a data set.

Where both share a label space, class k is class k: names are unsafe there (ImageNet-1k has two
"crane" and two "maillot"). Across different lists, classes are matched by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from greenexp.errors import BadInput, Unfit
from greenexp.protocols import LabelSpace

EXAMPLES = 3


def match(model: LabelSpace, dataset: LabelSpace) -> list[int]:
    """Returns, for each class of the data set, the model's class index.

    Raises:
        Unfit: where the label spaces are known to differ, or classes have no counterpart.
        BadInput: where names are ambiguous. Both list examples.
    """
    check_spaces(model.space, dataset.space)
    if model.space is not None and model.space == dataset.space:
        if len(dataset.names) > len(model.names):
            raise BadInput(
                f"labels don't match: both say {model.space}, but the data set has "
                f"{len(dataset.names)} classes and the model {len(model.names)}; "
                "correct model.labels or dataset.labels"
            )
        return list(range(len(dataset.names)))
    wanted = [_normal(name) for name in dataset.names]
    offered = [_normal(name) for name in model.names]
    _check_unique(wanted, "data set")
    missing = [name for name in dataset.names if _normal(name) not in offered]
    if missing:
        raise Unfit(
            f"labels don't match: {len(missing)} of the data set's {len(wanted)} classes have no "
            f"counterpart in the model ({_examples(missing)}; the model has "
            f"{_examples(model.names)}); rename the classes, or choose a model trained on them"
        )
    needed = set(wanted)
    _check_unique([name for name in offered if name in needed], "model")
    return [offered.index(name) for name in wanted]


def check_spaces(model: str | None, dataset: str | None) -> None:
    """Checks what can be told from the names of the label spaces alone; None is unknown.

    Raises:
        Unfit: where both are known and differ.
    """
    if model is not None and dataset is not None and model != dataset:
        raise Unfit(
            f"labels don't match: the model's are {model} and the data set's are {dataset}; "
            f"choose a model with labels {dataset}"
        )


def _normal(name: str) -> str:
    return name.strip().casefold()


def _check_unique(names: Sequence[str], owner: str) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise BadInput(
            f"labels are ambiguous: the {owner} has {len(repeated)} names twice "
            f"({_examples(repeated)}); give both the same label space with model.labels and "
            "dataset.labels to match by index, or make the names unique"
        )


def _examples(names: Sequence[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + (", …" if len(names) > EXAMPLES else "")
