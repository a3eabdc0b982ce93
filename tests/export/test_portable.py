"""What a tactic has made is written so that it runs without greenexp and without a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from greenexp.errors import Unsupported
from greenexp.export import portable
from greenexp.models.embedded_model import Embedded
from greenexp.protocols import Sample, Tactic
from greenexp.tactics.layout import ChannelsLast
from greenexp.tactics.precision import HalfPrecision
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.quantization import DynamicQuantization, Int4WeightOnly, Int8WeightOnly
from greenexp.tactics.structured_pruning import StructuredPruning

SAMPLE = Sample(torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32))


def written(tactic: Tactic, folder: Path) -> tuple[torch.Tensor, str, Mapping[str, object]]:
    with torch.no_grad():
        module = tactic(Embedded("digits_vit").load("cpu").module, SAMPLE)
        logits = module(SAMPLE.batch)
        files = portable.write(module, SAMPLE, folder)
    return logits, files.form, files.options


@pytest.mark.parametrize(
    ("tactic", "options"),
    [
        pytest.param(LocalPruning(), ("float32", "contiguous_format"), id="zeros"),
        pytest.param(HalfPrecision(), ("bfloat16", "contiguous_format"), id="half"),
        pytest.param(ChannelsLast(), ("float32", "channels_last"), id="layout"),
    ],
)
def test_architecture_that_is_kept_has_its_weights_as_safetensors(
    tactic: Tactic, options: tuple[str, str], tmp_path: Path
) -> None:
    _, form, given = written(tactic, tmp_path)
    assert form == "safetensors"
    assert (given["dtype"], given["memory_format"]) == options
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


@pytest.mark.parametrize(
    "tactic",
    [
        pytest.param(StructuredPruning(), id="other shapes"),
        pytest.param(Int8WeightOnly(), id="int8"),
        pytest.param(Int4WeightOnly(), id="int4"),
    ],
)
def test_other_modules_are_exported_as_a_graph_without_a_pickle(
    tactic: Tactic, tmp_path: Path
) -> None:
    logits, form, _ = written(tactic, tmp_path)
    assert form == "torch_export"
    assert portable._pickled(tmp_path / "model.pt2") is None
    with torch.no_grad():
        again = torch.export.load(tmp_path / "model.pt2").module()(SAMPLE.batch)
    assert torch.equal(again, logits)


def test_module_that_torch_can_t_export_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"torch\.export can't"):
        written(DynamicQuantization(), tmp_path)


def test_pickle_inside_an_archive_is_found(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pt")
    assert portable._pickled(tmp_path / "weights.pt") is not None


@pytest.mark.parametrize(
    ("tactic", "nearest"),
    [
        pytest.param("openvino", None, id="has a form"),
        pytest.param("dynamic_quantization", "int8_dynamic", id="has none"),
        pytest.param("semi_structured_sparsity", "half_precision", id="of GPUs"),
        pytest.param(
            "local_pruning amount=0.5 > dynamic_quantization backend=eager",
            "local_pruning amount=0.5 > int8_dynamic",
            id="in a chain",
        ),
    ],
)
def test_tactic_without_a_form_has_one_that_comes_nearest(tactic: str, nearest: str | None) -> None:
    assert portable.nearest(tactic) == nearest
