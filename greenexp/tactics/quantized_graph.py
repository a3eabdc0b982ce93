"""An exported graph with int8 operations, run through inductor."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
import torch._inductor.config
from torch import Tensor, nn


class QuantizedGraph(nn.Module):
    """Runs a converted PT2E graph compiled; keeps the graph itself, to be counted and weighed."""

    def __init__(self, graph: Any) -> None:
        super().__init__()
        self.training = False  # by hand: an exported graph has no train() or eval()
        drop_unread(graph)
        self.uncompiled = graph
        self._compiled: Any = torch.compile(graph)
        self._ready = False

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns the logits."""
        if self._ready:
            logits: Tensor = self._compiled(pixels)
            return logits
        # Freezing packs the quantized weights for the int8 kernels; without it each pass would
        # turn them back into float32 first. It is read while tracing, so no option of compile's.
        with torch._inductor.config.patch(freezing=True), warnings.catch_warnings():
            # Of inductor's own lines (mkldnn_lowerings.py), which no user can mend.
            warnings.filterwarnings("ignore", message="To copy construct from a tensor")
            logits = self._compiled(pixels)
        self._ready = True
        return logits

    @cached_property
    def stored_bytes(self) -> int:
        """The bytes of the graph's state dict as torch serializes it."""
        buffer = io.BytesIO()
        torch.save(self.uncompiled.state_dict(), buffer)
        return buffer.tell()

    def held_weights(self) -> Iterator[Tensor]:
        """Yields the graph's weights and biases: quantized ones are buffers, others parameters."""
        yield from self.uncompiled.parameters()
        yield from (weight for weight in self.uncompiled.buffers() if weight.dtype == torch.int8)

    def quantized(self, operation: str) -> tuple[int, int]:
        """Returns how many of the graph's operations of a name have int8 input, and of how many."""
        calls = self._calls(f"aten.{operation}")
        int8 = [node for node in calls if _dequantized(node.args[0]) and _dequantized(node.args[1])]
        return len(int8), len(calls)

    def activation_bits(self) -> int | None:
        """Returns the most bits that a quantized activation takes, None without one."""
        # The arguments of the operation: input, scale, zero point, least and greatest value, dtype.
        spans = [
            int(node.args[4]) - int(node.args[3])
            for node in self._calls("quantized_decomposed.quantize_per_tensor")
        ]
        return max(spans).bit_length() if spans else None

    def _calls(self, operation: str) -> list[Any]:
        return [
            node
            for node in self.uncompiled.graph.nodes
            if node.op == "call_function" and str(node.target).startswith(operation)
        ]


def drop_unread(graph: Any) -> None:
    """Deletes the float weights that a converted graph keeps beside the int8 ones it reads."""
    read = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for name in [name for name, _ in graph.named_parameters() if name not in read]:
        owner, _, leaf = name.rpartition(".")
        delattr(graph.get_submodule(owner), leaf)


def _dequantized(node: Any) -> bool:
    return "dequantize" in str(getattr(node, "target", ""))
