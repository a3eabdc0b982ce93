"""Which output of a model stands for which class of a data set.

Where both share a label space, class k is class k: names are unsafe there (ImageNet-1k has two
"crane" and two "maillot"). A data set that holds some classes of a space only names them by what
identifies them there: WordNet ids, listed in `<label space>.txt`. Across different lists, classes
are matched by name.

Whatever the data set holds, all outputs of the model compete: on a sub-set of ImageNet-1k an image
is right where its class is the largest of 1,000 outputs.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from greenexp.errors import BadInput, Unfit
from greenexp.protocols import LabelSpace

EXAMPLES = 3


def match(model: LabelSpace, dataset: LabelSpace) -> list[int]:
    """Returns, for each class of the data set, the model's class index.

    Raises:
        Unfit: where the label spaces are known to differ, or classes have no counterpart.
        BadInput: where names are ambiguous, or the classes' indices can't be told. All list
            examples.
    """
    check_spaces(model.space, dataset.space)
    if model.space is not None:
        ids = identifiers(model.space)
        if set(dataset.names) & set(ids):
            return _by_identifier(model, dataset, ids)
        if model.space == dataset.space:
            return _by_index(model, dataset)
    wanted = [_normal(name) for name in dataset.names]
    offered = [_normal(name) for name in model.names]
    _check_unique(wanted, "data set")
    missing = [name for name in dataset.names if _normal(name) not in offered]
    _check_none_missing(missing, dataset.names, model.names)
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


@functools.cache
def identifiers(space: str) -> Sequence[str]:
    """Returns what identifies each class of a label space, by index; empty where no list is here.

    The list is `<space>.txt` beside this file: an identifier a line, after a comment.
    """
    path = Path(__file__).parent / f"{space}.txt"
    if not space.isidentifier() or not path.is_file():  # a space is no way out of this folder
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def _by_identifier(model: LabelSpace, dataset: LabelSpace, ids: Sequence[str]) -> list[int]:
    _check_unique(dataset.names, "data set")
    if len(model.names) != len(ids):
        raise BadInput(
            f"labels don't match: {model.space} has {len(ids)} classes and the model "
            f"{len(model.names)}; correct model.labels or model.offset"
        )
    # A model that names its classes by their identifiers knows best in which order it has them.
    offered = list(model.names if set(model.names) == set(ids) else ids)
    missing = [name for name in dataset.names if name not in offered]
    _check_none_missing(missing, dataset.names, offered)
    return [offered.index(name) for name in dataset.names]


def _by_index(model: LabelSpace, dataset: LabelSpace) -> list[int]:
    if len(dataset.names) != len(model.names):
        cure = "correct model.labels or dataset.labels"
        if len(dataset.names) < len(model.names):
            cure += ", or, where it holds a part of the classes, name them by WordNet id"
        raise BadInput(
            f"labels don't match: both say {model.space}, but the data set has "
            f"{len(dataset.names)} classes ({_examples(dataset.names)}) and the model "
            f"{len(model.names)}; {cure}"
        )
    wanted, offered = ([_normal(name) for name in space.names] for space in (dataset, model))
    if len(set(wanted)) == len(wanted) and set(wanted) == set(offered):
        return [offered.index(name) for name in wanted]  # the same list in another order
    return list(range(len(wanted)))


def _normal(name: str) -> str:
    # File systems and authors spell one letter as one character or as two.
    return unicodedata.normalize("NFC", name.strip().casefold())


def _check_none_missing(
    missing: Sequence[str], wanted: Sequence[str], offered: Sequence[str]
) -> None:
    if missing:
        raise Unfit(
            f"labels don't match: {len(missing)} of the data set's {len(wanted)} classes have no "
            f"counterpart in the model ({_examples(missing)}; the model has "
            f"{_examples(offered)}); rename the classes, or choose a model trained on them"
        )


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
