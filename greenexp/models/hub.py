"""A classifier on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from greenexp.errors import BadInput
from greenexp.hub import asking, describe
from greenexp.models.card import Card
from greenexp.models.checkpoint import Checkpoint, check_weights, has_weights, needed_files
from greenexp.protocols import Classifier, LabelSpace


@dataclass(frozen=True)
class Hub:
    """A checkpoint by its hub id and revision; `card` describes it and changes no measurement."""

    checkpoint: str
    revision: str = "main"
    labels: str | None = None
    offset: int = 0
    allow_pickle: bool = False
    trust_remote_code: bool = False
    card: Card | None = None

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
        """The checkpoint's name without its owner; None with a card: the choice's own name says it.

        Two owners in the catalogue give one name to different checkpoints.
        """
        return None if self.card is not None else self.checkpoint.rpartition("/")[2]

    def check(self) -> LabelSpace:
        """Fetches config.json, or finds it in the cache, and returns the classes."""
        snapshot = self._cached() or self._fetch(["config.json"])
        return self._checkpoint().check(snapshot / "config.json")

    def digest(self, *, here: bool) -> str | None:
        """Returns the commit that is read; None where that isn't known here."""
        snapshot = self._cached()
        if snapshot is None and not here:
            snapshot = self._fetch(["config.json"])
        return None if snapshot is None else snapshot.name

    def load(self, device: str) -> Classifier:
        """Returns the classifier on `device`, downloading it where it is not cached."""
        # Read as a folder, so that nothing waits for the network once the files are there.
        snapshot = self._cached() or self._fetch(None)
        checkpoint = replace(self._checkpoint(), location=str(snapshot), revision=None)
        classifier = checkpoint.load(device)
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

    def _fetch(self, wanted: Sequence[str] | None) -> Path:
        """Returns the cache's folder of the revision with the files wanted; None: all it needs."""
        from huggingface_hub import hf_hub_download

        repository = describe(self.checkpoint, self.revision, kind="model", key="model.checkpoint")
        check_weights(self.checkpoint, repository.files, allow_pickle=self.allow_pickle)
        if wanted is None:
            wanted = needed_files(repository.files, code=self.trust_remote_code)
        with asking(self.checkpoint, self.revision, kind="model", key="model.checkpoint"):
            paths = [
                hf_hub_download(self.checkpoint, name, revision=self.revision) for name in wanted
            ]
        return Path(paths[0]).parent

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(
            location=self.checkpoint,
            revision=self.revision,
            labels=self.labels,
            offset=self.offset,
            allow_pickle=self.allow_pickle,
            trust_remote_code=self.trust_remote_code,
        )
