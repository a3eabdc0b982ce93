"""What several tests are built on: tiny models, images, a clock, a hub, a full disk."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.util import Finalize

import hypothesis
import pytest

from greenexp.errors import BadInput

# What a developer's shell says of MLflow is nothing to a test.
for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
    os.environ.pop(name, None)
# Of this process alone: other measurements on the machine hold a lock in the usual place. It has a
# short path, for sockets: beside that of the process that leads in pytest-xdist, not inside it.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
TEMPORARY = tempfile.mkdtemp(prefix="greenexp-tests-", dir=os.environ["PYTEST_DEBUG_TEMPROOT"])
os.environ["TMPDIR"] = tempfile.tempdir = TEMPORARY
# At the very end: multiprocessing removes folders of its own in it.
Finalize(None, shutil.rmtree, [TEMPORARY], {"ignore_errors": True}, exitpriority=-1000)

# A shell starts what runs in the background with Ctrl-C ignored, and commands of tests would
# inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.support.clock",
    "tests.support.hub_server",
    "tests.support.small_disk",
    "tests.support.tiny_models",
]

# No test asserts a time; hypothesis would, by its default deadline for each example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def refusal() -> Callable[[Callable[[], object]], str]:
    """Calls what must raise BadInput and returns the message, which must be one line."""

    def message(call: Callable[[], object]) -> str:
        with pytest.raises(BadInput) as caught:
            call()
        text = str(caught.value)
        assert text == " ".join(text.split())
        return text

    return message
