"""Half precision: 16 bits a number in place of 32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from greenexp.errors import NoEffect, Unsupported, first_line
from greenexp.protocols import NOT_FLOAT32, Sample, Scalar, Traits
from greenexp.settings.checks import check_choice

if TYPE_CHECKING:
    import torch
    from torch import nn

    from greenexp.tactics.casting import Cast

Dtype = Literal["bfloat16", "float16"]
Method = Literal["cast", "autocast"]


@dataclass(frozen=True)
class HalfPrecision:
    """Computes in bfloat16 or float16; logits come out in float32.

    Attributes:
        dtype: bfloat16 has float32's range, float16 more digits.
        method: `cast` converts the weights for good; `autocast` keeps float32 weights and lets
            torch choose, operation by operation, what is computed in half precision.
    """

    traits: ClassVar[Traits] = Traits(makes=("half",), not_after=NOT_FLOAT32)

    dtype: Dtype = "bfloat16"
    method: Method = "cast"

    def __post_init__(self) -> None:
        check_choice("tactic.dtype", self.dtype, get_args(Dtype))
        check_choice("tactic.method", self.method, get_args(Method))

    def __call__(self, module: nn.Module, sample: Sample) -> nn.Module:
        """Returns the module, cast or wrapped."""
        import torch

        from greenexp.tactics.casting import Autocast

        dtype: torch.dtype = getattr(torch, self.dtype)
        if self.method == "autocast":
            return Autocast(module, dtype).eval()
        return cast_to(module, dtype, sample)

    def effect(self, module: nn.Module) -> Mapping[str, Scalar]:
        """Returns the type computed in, and of the weights' bytes the fraction in that type."""
        from greenexp.tactics.casting import Autocast

        proof: dict[str, Scalar] = {"dtype": self.dtype, "method": self.method}
        if isinstance(module, Autocast):
            return proof
        parameters = list(module.parameters())
        half = [
            parameter for parameter in parameters if str(parameter.dtype) == f"torch.{self.dtype}"
        ]
        if not half:
            raise NoEffect("no weight was cast; the model has none in floating point")
        return {**proof, "tensors_cast": len(half), "tensors": len(parameters)}


def cast_to(module: nn.Module, dtype: torch.dtype, sample: Sample) -> Cast:
    """Returns the module with weights of that type, fed and answering in float32.

    Raises:
        Unsupported: where the model's own code mixes types.
    """
    import torch

    from greenexp.tactics.casting import Cast

    cast = Cast(module.to(dtype), dtype).eval()
    try:
        cast(sample.batch)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise Unsupported(
            f"the model's code can't compute in {dtype} throughout ({first_line(error)})"
        ) from None
    return cast
