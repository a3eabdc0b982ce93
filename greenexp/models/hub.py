"""A classifier on the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.hub import describe
from greenexp.models.checkpoint import Checkpoint, check_weights
from greenexp.protocols import Classifier, LabelSpace


@dataclass(frozen=True)
class Hub:
    """A checkpoint by its hub id and revision."""

    checkpoint: str
    revision: str = "main"
    labels: str | None = None
    offset: int = 0
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        parts = self.checkpoint.split("/")
        if len(parts) != 2 or not all(parts) or any(part.strip() != part for part in parts):
            raise BadInput(
                f"model.checkpoint={self.checkpoint} is no hub id; allowed: org/name. "
                "For a folder use model=local model.path=…"
            )

    @property
    def title(self) -> str | None:
        """The checkpoint's name without its owner."""
        return self.checkpoint.rpartition("/")[2]

    def check(self) -> LabelSpace:
        """Fetches config.json, or finds it in the cache, and returns the classes."""
        from huggingface_hub import hf_hub_download, try_to_load_from_cache

        cached = try_to_load_from_cache(self.checkpoint, "config.json", revision=self.revision)
        if isinstance(cached, str):
            folder = Path(cached).parent
            files = [entry.name for entry in folder.iterdir()]
        else:
            repository = describe(
                self.checkpoint, self.revision, kind="model", key="model.checkpoint"
            )
            files = list(repository.files)
            folder = Path(
                hf_hub_download(self.checkpoint, "config.json", revision=self.revision)
            ).parent
        classes = self._checkpoint().check(folder / "config.json")
        check_weights(self.checkpoint, files, allow_pickle=self.allow_pickle)
        return classes

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device`, downloading it where it is not cached."""
        return self._checkpoint().load(device)

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            location=self.checkpoint,
            revision=self.revision,
            labels=self.labels,
            offset=self.offset,
            allow_pickle=self.allow_pickle,
            trust_remote_code=self.trust_remote_code,
        )
