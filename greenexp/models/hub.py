"""A classifier on the Hugging Face hub."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.hub import asking, describe
from greenexp.models.checkpoint import Checkpoint, check_weights, has_weights
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
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        try:
            validate_repo_id(self.checkpoint)
        except HFValidationError:
            valid = False
        else:
            valid = self.checkpoint.count("/") == 1
        if not valid:
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
        snapshot = self._cached()
        if snapshot is None:
            repository = describe(
                self.checkpoint, self.revision, kind="model", key="model.checkpoint"
            )
            check_weights(self.checkpoint, repository.files, allow_pickle=self.allow_pickle)
            snapshot = self._fetch()
        return self._checkpoint().check(snapshot / "config.json")

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device`, downloading it where it is not cached."""
        snapshot = self._cached()
        checkpoint = self._checkpoint()
        if snapshot is not None:  # read as a folder, so that nothing waits for the network
            classifier = replace(checkpoint, location=str(snapshot), revision=None).load(device)
        else:
            with asking(self.checkpoint, self.revision, kind="model", key="model.checkpoint"):
                classifier = checkpoint.load(device)
            snapshot = self._fetch()
        named = {"checkpoint": self.checkpoint, "commit": snapshot.name}
        return replace(classifier, provenance={**classifier.provenance, **named})

    def _cached(self) -> Path | None:
        """Returns the cache's folder of the revision where all that is needed lies in it."""
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(self.checkpoint, "config.json", revision=self.revision)
        if not isinstance(config, str):
            return None
        snapshot = Path(config).parent
        files = [entry.name for entry in snapshot.iterdir()]
        if "preprocessor_config.json" not in files or not has_weights(files):
            return None
        check_weights(self.checkpoint, files, allow_pickle=self.allow_pickle)
        return snapshot

    def _fetch(self) -> Path:
        """Returns the cache's folder of the revision, config.json at least being in it."""
        from huggingface_hub import hf_hub_download

        with asking(self.checkpoint, self.revision, kind="model", key="model.checkpoint"):
            config = hf_hub_download(self.checkpoint, "config.json", revision=self.revision)
        return Path(config).parent

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            location=self.checkpoint,
            revision=self.revision,
            labels=self.labels,
            offset=self.offset,
            allow_pickle=self.allow_pickle,
            trust_remote_code=self.trust_remote_code,
        )
