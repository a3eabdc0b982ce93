"""Which columns of a table hold images and classes, and what the classes are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.errors import BadInput, nearest


@dataclass(frozen=True)
class Columns:
    """The columns of a data set that are read.

    Attributes:
        id: of the data set, for messages.
        split: likewise.
        image: name of the column of images.
        label: name of the column of class indices.
        class_names: in the order of the indices, in place of the column's own; None: its own.
    """

    id: str
    split: str
    image: str
    label: str
    class_names: Sequence[str] | None

    def names(self, features: Any) -> list[str]:
        """Returns the names of the classes.

        Raises:
            BadInput: where a column is missing or of another type, or the names don't fit.
        """
        import datasets

        for key, column in (("image", self.image), ("label", self.label)):
            if column not in features:
                raise BadInput(
                    f"dataset.{key}_column={column} is not in {self.id}; it has "
                    f"{', '.join(features)}.{nearest(column, features)}"
                )
        image, label = features[self.image], features[self.label]
        if not isinstance(image, datasets.Image):
            raise BadInput(
                f"dataset.image_column={self.image} of {self.id} holds no images "
                f"but {image}; give the column whose type is Image"
            )
        if isinstance(label, datasets.ClassLabel):
            own = list(label.names)
            if self.class_names is not None and len(self.class_names) != len(own):
                raise BadInput(
                    f"dataset.class_names holds {len(self.class_names)} names, and {self.id} has "
                    f"{len(own)} classes; give a name for each, in the order of their indices"
                )
            return own if self.class_names is None else list(self.class_names)
        if not isinstance(label, datasets.Value) or "int" not in label.dtype:
            raise BadInput(
                f"dataset.label_column={self.label} of {self.id} holds no class labels "
                f"but {label}; give the column whose type is ClassLabel"
            )
        if self.class_names is None:
            raise BadInput(
                f"dataset.label_column={self.label} of {self.id} holds no class labels "
                f"but {label}; give the column whose type is ClassLabel, or dataset.class_names "
                "in the order of the indices"
            )
        return list(self.class_names)

    def target(self, label: int | None, names: Sequence[str]) -> int:
        """Returns the class index that a row's label is.

        Raises:
            BadInput: where it is none.
        """
        if label is None or label < 0:
            raise BadInput(
                f"dataset.id={self.id} has no labels in split {self.split}; give another split"
            )
        if label >= len(names):
            raise BadInput(
                f"dataset.class_names holds {len(names)} names, and {self.id} has class index "
                f"{label} in split {self.split}; give a name for each, in the order of the indices"
            )
        return int(label)
