"""What the fork server imports once, so that no run has to. No accelerator may be touched here."""

import logging

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

import greenexp.measure  # noqa: E402, F401 - as above
