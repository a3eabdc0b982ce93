"""What tests of a run's process are built on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture
def settings_put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`measure` has its process for itself; here its settings are put back."""
    import datasets
    from transformers.utils import logging

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "as before")
    monkeypatch.setenv("TRITON_CACHE_DIR", "as before")
    verbosity = logging.get_verbosity()
    with warnings.catch_warnings():
        yield
    logging.set_verbosity(verbosity)
    logging.enable_progress_bar()
    datasets.enable_progress_bars()
