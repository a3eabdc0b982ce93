"""Tactics that may stand in a chain, by name, and chains of them."""

from __future__ import annotations

from greenexp.protocols import Tactic
from greenexp.tactics.chain import Chain
from greenexp.tactics.compilation import TorchCompile
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.onnx_runtime import OnnxRuntime
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import GlobalPruning, LocalPruning
from greenexp.tactics.quantization import DynamicQuantization, Int4WeightOnly, Int8Dynamic
from greenexp.tactics.running import BatchSize, Threads
from greenexp.tactics.semi_structured_sparsity import SemiStructuredSparsity
from greenexp.tactics.static_quantization import StaticQuantization
from greenexp.tactics.structured_pruning import StructuredPruning

STEPS: dict[str, Tactic] = {
    "batch_size": BatchSize(),
    "channels_last": ChannelsLast(),
    "dynamic_quantization": DynamicQuantization(),
    "global_pruning": GlobalPruning(),
    "half_precision": HalfPrecision(),
    "int4_weight_only": Int4WeightOnly(),
    "int8_dynamic": Int8Dynamic(),
    "local_pruning": LocalPruning(),
    "onnx_runtime": OnnxRuntime(),
    "openvino": OpenVino(),
    "semi_structured_sparsity": SemiStructuredSparsity(),
    "static_quantization": StaticQuantization(),
    "structured_pruning": StructuredPruning(),
    "threads": Threads(),
    "torch_compile": TorchCompile(),
}


def chain(*names: str) -> Chain:
    return Chain([{name: STEPS[name]} for name in names])
