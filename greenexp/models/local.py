"""A classifier in a folder, as `save_pretrained` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.models.checkpoint import Checkpoint, check_weights, needed_files
from greenexp.protocols import Classifier, LabelSpace
from greenexp.runs.files import digest, file_digest


@dataclass(frozen=True)
class Local:
    """A model folder: config.json, model.safetensors, preprocessor_config.json."""

    path: str
    labels: str | None = None
    offset: int = 0
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(Path(self.path).expanduser()))

    @property
    def title(self) -> str | None:
        """The folder's name."""
        return Path(self.path).resolve().name

    def check(self) -> LabelSpace:
        """Returns the classes; raises BadInput where the folder can't be used."""
        folder = Path(self.path)
        if not folder.is_dir():
            raise BadInput(f"model.path={self.path} is no folder; give the folder of a model")
        files = sorted(entry.name for entry in folder.iterdir())
        for needed in ("config.json", "preprocessor_config.json"):
            if needed not in files:
                raise BadInput(
                    f"model.path={self.path} lacks {needed}; give a folder that save_pretrained "
                    "of a model and of its image processor wrote"
                )
        classes = self._checkpoint().check(folder / "config.json")
        check_weights(self.path, files, allow_pickle=self.allow_pickle)
        return classes

    def digest(self, *, here: bool) -> str | None:
        """Returns that of the files which are read."""
        folder = Path(self.path)
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
        read = needed_files(names, code=self.trust_remote_code)
        return digest((name, file_digest(folder / name)) for name in read)

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device`."""
        return self._checkpoint().load(device)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            location=self.path,
            revision=None,
            labels=self.labels,
            offset=self.offset,
            allow_pickle=self.allow_pickle,
            trust_remote_code=self.trust_remote_code,
        )
