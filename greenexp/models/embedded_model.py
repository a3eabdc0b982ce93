"""The small classifiers that come with greenexp."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenexp.models.local import Local
from greenexp.protocols import Classifier, LabelSpace
from greenexp.settings.checks import check_choice

FOLDER = Path(__file__).parent / "embedded"


@dataclass(frozen=True)
class Embedded:
    """A classifier shipped in the package, read like any local folder."""

    name: str
    labels: str | None = None

    def __post_init__(self) -> None:
        check_choice("model.name", self.name, [entry.parent.name for entry in _configs()])

    @property
    def title(self) -> str | None:
        """None: the choice's own name says it."""
        return None

    def check(self) -> LabelSpace:
        """Returns the classes."""
        return self._folder().check()

    def digest(self, *, here: bool) -> str | None:
        """Returns that of its files."""
        return self._folder().digest(here=here)

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device`."""
        return self._folder().load(device)

    def _folder(self) -> Local:
        return Local(path=str(FOLDER / self.name), labels=self.labels)


def _configs() -> list[Path]:
    return sorted(FOLDER.glob("*/config.json"))
