"""How large a module is and how much it computes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from greenexp.result import Complexity

if TYPE_CHECKING:
    from torch import Tensor, nn

BYTES_PER_MIB = 2**20


def complexity(module: nn.Module, *, macs: int | None) -> Complexity:
    """Returns the module's complexity; `macs` as counted by `count_macs`, None if they can't be."""
    total = 0
    zeros = 0
    for tensor in weights(module):
        values = tensor.dequantize() if tensor.is_quantized else tensor
        total += values.numel()
        zeros += int((values == 0).sum())
    return Complexity(
        parameters=total,
        macs=macs,
        weights_mib=stored_bytes(module) / BYTES_PER_MIB,
        sparsity=zeros / total if total else 0.0,
    )


def weights(module: nn.Module) -> Iterator[Tensor]:
    """Yields every weight and bias, those packed inside quantized modules included.

    Weights that torchao quantized come dequantized: int8 zeros stay zeros.
    """
    import torch
    from torchao.utils import TorchAOBaseTensor

    for parameter in module.parameters():
        held = parameter.data
        yield held.dequantize() if isinstance(held, TorchAOBaseTensor) else held
    for child in module.modules():
        if isinstance(child, torch.ao.nn.quantized.dynamic.Linear):
            weight, bias = child._packed_params._weight_bias()
            yield weight
            if bias is not None:
                yield bias


def stored_bytes(module: nn.Module) -> int:
    """Returns the size in bytes of the module's state dict as torch serializes it."""
    import torch

    loaded = getattr(module, "_orig_mod", module)  # torch.compile's wrapper renames every weight
    buffer = io.BytesIO()
    torch.save(loaded.state_dict(), buffer)
    return buffer.tell()


def count_macs(module: nn.Module, image: Tensor) -> int:
    """Returns multiply-accumulates of one forward pass of `image` (1, channels, height, width).

    Counts matrix products, convolutions and attention by torch's own FLOP counter, two operations
    a multiply-accumulate; what is element-wise is not counted.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter: Any = FlopCounterMode(display=False)
    # The counter doesn't know the CPU's fused attention; as plain products it counts them.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(image)
    return int(counter.get_total_flops()) // 2
