"""What the fork server imports once, so that no run has to. No accelerator may be touched here."""

import datasets  # noqa: F401 - imported for its effect on the children's start
import PIL.Image  # noqa: F401 - as above
import torch._dynamo
import torch._inductor.compile_fx  # noqa: F401 - as above
import torchao.quantization  # noqa: F401 - as above
import zeus.monitor  # noqa: F401 - as above
from transformers import (  # noqa: F401 - as above
    AutoImageProcessor,
    AutoModelForImageClassification,
    PreTrainedModel,
)

import greenexp.measure  # noqa: F401 - as above
