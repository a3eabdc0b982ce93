"""What the fork server imports once, so that no run has to. No accelerator may be touched here."""

import contextlib
import importlib
import logging
import pkgutil
import warnings

from greenexp.measuring.isolation import adopt_orphans
from greenexp.settings.build import ROOMS

adopt_orphans()
# It says so of each orphan that ends; the caller has ended them.
warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")

for chatty in ("torchao", "torch.utils._pytree"):  # they speak of GPU kernels and deprecations
    logging.getLogger(chatty).setLevel(logging.ERROR)

import datasets  # noqa: E402, F401 - imported for its effect on the children's start
import scipy.stats  # noqa: E402, F401 - as above
import torchao.quantization  # noqa: E402, F401 - as above
import zeus.monitor  # noqa: E402, F401 - as above
from transformers import (  # noqa: E402 - as above
    AutoImageProcessor,  # noqa: F401 - as above
    AutoModelForImageClassification,  # noqa: F401 - as above
    PreTrainedModel,  # noqa: F401 - as above
)

import greenexp.measuring.child  # noqa: E402, F401 - as above

for room in ROOMS.values():
    for module in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}."):
        with contextlib.suppress(ImportError):  # said where the choice is made, if it is
            importlib.import_module(module.name)
