"""How large a module is and how much it computes, as it runs."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from greenexp.runs.result import Complexity

if TYPE_CHECKING:
    from torch import Tensor, nn

BYTES_PER_MIB = 2**20
KNOWN_NAMESPACES = ("aten", "prim", "prims", "profiler")
INT8_TO_FLOAT = "quantized_decomposed"  # (de)quantization around convolutions of exported graphs
PRODUCTS = {  # in names of operations; of a known namespace only these multiply matrices
    *("mm", "addmm", "bmm", "baddbmm", "matmul", "mv", "addmv", "dot"),
    *("linear", "convolution", "attention"),
}


@runtime_checkable
class HoldsWeights(Protocol):
    """A module that holds its weights elsewhere than in parameters, such as an engine's session."""

    stored_bytes: int

    def held_weights(self) -> Iterable[Tensor]:
        """Returns the weights."""
        ...


def complexity(module: nn.Module, batch: Tensor) -> Complexity:
    """Returns the complexity of a module that is fed such batches."""
    total = zeros = 0
    readable = True
    for tensor in weights(module):
        total += tensor.numel()
        values = _readable(tensor)
        if values is None:
            readable = False
        else:
            zeros += int((values == 0).sum())
    in_memory = memory_bytes(module)
    return Complexity(
        parameters=total,
        macs=count_macs(module, batch),
        weights_mib=stored_bytes(module) / BYTES_PER_MIB,
        sparsity=zeros / total if total and readable else None,
        weights_in_memory_mib=None if in_memory is None else in_memory / BYTES_PER_MIB,
    )


def weights(module: nn.Module) -> Iterator[Tensor]:
    """Yields every weight and bias, those packed inside quantized modules included."""
    if isinstance(module, HoldsWeights):
        yield from module.held_weights()
        return
    for parameter in module.parameters():
        yield parameter.data
    yield from _packed(module)


def _readable(tensor: Tensor) -> Tensor | None:
    """Returns a weight as numbers, None where its packed format can't be unpacked.

    Zeros of int8 stay zeros.
    """
    from torch.sparse import SparseSemiStructuredTensor
    from torchao.utils import TorchAOBaseTensor

    try:
        if isinstance(tensor, SparseSemiStructuredTensor):
            dense: Tensor = tensor.to_dense()
            return dense
        packed = tensor.is_quantized or isinstance(tensor, TorchAOBaseTensor)
        return tensor.dequantize() if packed else tensor
    except NotImplementedError:
        return None


def _packed(module: nn.Module) -> Iterator[Tensor]:
    """Yields the weights and biases inside eager quantized layers."""
    import torch

    for child in module.modules():
        if isinstance(child, torch.ao.nn.quantized.dynamic.Linear):
            weight, bias = child._packed_params._weight_bias()
            yield weight
            if bias is not None:
                yield bias


def stored_bytes(module: nn.Module) -> int:
    """Returns the bytes that the weights take as stored.

    Those of the state dict as torch serializes it, or of the engine's own file.
    """
    import torch

    if isinstance(module, HoldsWeights):
        return module.stored_bytes
    buffer = io.BytesIO()
    torch.save(_uncompiled(module).state_dict(), buffer)
    return buffer.tell()


def memory_bytes(module: nn.Module) -> int | None:
    """Returns the bytes that parameters and buffers take in memory; None where an engine has them.

    Of weights packed for eager int8 kernels the bytes before packing are counted.
    """
    if isinstance(module, HoldsWeights):
        return None
    tensors = [
        part for tensor in (*module.parameters(), *module.buffers()) for part in _plain(tensor.data)
    ]
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors
    }
    return sum(storages.values()) + sum(
        tensor.numel() * tensor.element_size() for tensor in _packed(module)
    )


def _plain(tensor: Tensor) -> Iterator[Tensor]:
    """Yields the tensors that a tensor consists of: itself, or a subclass's parts."""
    if not hasattr(tensor, "__tensor_flatten__"):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()
    for name in names:
        yield from _plain(getattr(tensor, name))


def _uncompiled(module: nn.Module) -> nn.Module:
    """Returns what torch.compile wraps; its wrapper renames every weight and hides every call."""
    inner: nn.Module = getattr(module, "_orig_mod", module)
    return inner


def count_macs(module: nn.Module, batch: Tensor) -> int | None:
    """Returns multiply-accumulates for one image, None where they can't be counted.

    Counts matrix products, convolutions and attention by torch's own FLOP counter, two operations
    a multiply-accumulate; what is element-wise is not counted. Zero weights count like any. A
    module that runs operations torch's counter doesn't know has no count.

    Args:
        module: as it runs.
        batch: pixel values (batch, channels, height, width).
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    if isinstance(module, HoldsWeights) and not hasattr(module, "uncompiled"):
        return None
    eager = getattr(module, "uncompiled", _uncompiled(module))
    counter: Any = FlopCounterMode(display=False, custom_mapping=_int_products())
    unknown = _unknown_operations(counter.flop_registry)
    # The counter doesn't know the CPU's fused attention; as plain products it counts them. It goes
    # first, so that what it takes apart is judged by the parts.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), unknown, counter:
        eager(batch)
    if unknown.found:
        return None
    return round(int(counter.get_total_flops()) / 2 / len(batch))


def _int_products() -> dict[Any, Any]:
    """Returns the products of integers that torch's counter leaves out: operation to FLOPs."""
    import torch

    def rows(shape: Sequence[int]) -> int:
        return int(torch.Size(shape[:-1]).numel())

    def int_mm(first: Any, second: Any, *_: Any, **__: Any) -> int:
        return 2 * rows(first) * int(first[-1]) * int(second[-1])

    def int4_mm(first: Any, packed: Any, *_: Any, **__: Any) -> int:
        return 2 * rows(first) * int(first[-1]) * int(packed[0])

    def int4_mm_tiled(first: Any, packed: Any, *_: Any, **__: Any) -> int:
        return 8 * int4_mm(first, packed)  # a GPU's format: tiles of 8 rows

    def linear(first: Tensor, packed: Any, *_: Any, **__: Any) -> int:
        weight, _bias = packed.unpack()
        return 2 * rows(first.shape) * int(weight.numel())

    linear._get_raw = True  # type: ignore[attr-defined]  # the counter hands over values, not shapes
    return {
        torch.ops.aten._int_mm: int_mm,
        torch.ops.aten._weight_int4pack_mm_for_cpu: int4_mm,
        torch.ops.aten._weight_int4pack_mm: int4_mm_tiled,
        torch.ops.quantized.linear_dynamic: linear,
    }


def _unknown_operations(counted: Any) -> Any:
    """Returns a context that collects operations which may compute and which nobody counts."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Unknown(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # torch left it bare
            self.found: set[str] = set()

        def __torch_dispatch__(
            self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = operation._schema.name.partition("::")[2]
            known = operation.namespace in (*KNOWN_NAMESPACES, INT8_TO_FLOAT)
            multiplies = not PRODUCTS.isdisjoint(name.split("_"))
            if (multiplies or not known) and operation.overloadpacket not in counted:
                self.found.add(str(operation))
            return operation(*args, **(kwargs or {}))

    return Unknown()
