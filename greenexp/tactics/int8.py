"""What the int8 kernels of this CPU can take."""

from __future__ import annotations


def reduced_range() -> bool:
    """Returns whether one of the two factors must keep to 7 bits.

    Without VNNI the products of a pair of int8 numbers are added up in 16 bits, which 8-bit factors
    saturate: torch's kernels then take 7-bit activations, ONNX Runtime's 7-bit weights.
    """
    import torch

    return not torch.cpu._is_vnni_supported()
