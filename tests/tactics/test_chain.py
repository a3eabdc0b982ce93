"""Chains: which orders are refused, and what planning sees of those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from torch import nn

from greenexp.errors import BadInput, Unfit
from greenexp.protocols import Form, Tactic, Traits
from greenexp.settings.build import build
from greenexp.tactics.baseline import Baseline
from greenexp.tactics.chain import REASONS, Chain, Step, steps_of
from greenexp.tactics.openvino import OpenVino
from greenexp.tactics.pruning import LocalPruning
from greenexp.tactics.running import BatchSize, Threads
from greenexp.tactics.structured_pruning import StructuredPruning
from tests.support.chains import STEPS, chain
from tests.support.modules import Refusal, seen

# Order

REFUSED: dict[tuple[str, str], Form] = {
    # pruning and half precision need the weights that others have packed or taken away
    ("dynamic_quantization", "structured_pruning"): "quantized",
    ("int8_dynamic", "local_pruning"): "quantized",
    ("int8_dynamic", "half_precision"): "quantized",
    ("int4_weight_only", "int8_dynamic"): "quantized",
    ("static_quantization", "global_pruning"): "quantized",
    ("torch_compile", "structured_pruning"): "compiled",
    ("torch_compile", "channels_last"): "compiled",
    ("torch_compile", "int8_dynamic"): "compiled",
    ("static_quantization", "torch_compile"): "compiled",
    ("static_quantization", "channels_last"): "exported",
    # kernels of these start from float32
    ("half_precision", "dynamic_quantization"): "half",
    ("half_precision", "int4_weight_only"): "half",
    ("half_precision", "static_quantization"): "half",
    ("half_precision", "semi_structured_sparsity"): "half",
    ("half_precision", "openvino"): "half",
    # an engine is the end
    ("onnx_runtime", "torch_compile"): "engine",
    ("openvino", "onnx_runtime"): "engine",
    ("onnx_runtime", "half_precision"): "engine",
    ("openvino", "structured_pruning"): "engine",
}


@pytest.mark.parametrize(("pair", "form"), REFUSED.items(), ids=map(" > ".join, REFUSED))
def test_order_that_can_t_be_is_refused_in_a_sentence_that_names_both(
    refusal: Refusal, pair: tuple[str, str], form: Form
) -> None:
    first, second = pair
    text = refusal(lambda: chain(first, second))
    assert text == (
        f"{second} can't follow {first}, which makes {REASONS[form]}; "
        f"put {second} first, or leave one out"
    )


def test_refusal_is_of_the_kind_that_a_sweep_leaves_out() -> None:
    with pytest.raises(Unfit):
        chain("torch_compile", "structured_pruning")


def test_refusal_names_the_step_at_fault_not_the_one_before(refusal: Refusal) -> None:
    text = refusal(lambda: chain("int8_dynamic", "channels_last", "threads", "local_pruning"))
    assert text.startswith("local_pruning can't follow int8_dynamic")


@pytest.mark.parametrize(
    "names",
    [
        "structured_pruning torch_compile",
        "structured_pruning int8_dynamic torch_compile",
        "local_pruning half_precision channels_last torch_compile",
        "half_precision int8_dynamic",
        "int4_weight_only torch_compile",
        "channels_last global_pruning",
        "structured_pruning static_quantization",
        "structured_pruning channels_last onnx_runtime",
        "openvino threads",
        "threads batch_size static_quantization",
    ],
)
def test_order_that_can_be_is_taken(names: str) -> None:
    steps = steps_of(chain(*names.split()))
    assert [step.name for step in steps] == names.split()


@pytest.mark.parametrize("last", ["onnx_runtime", "openvino", "static_quantization"])
@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("batch_size", "threads")])
def test_nothing_that_changes_a_module_follows_an_engine_or_a_compiled_graph(
    last: str, name: str
) -> None:
    if name != last:
        with pytest.raises(Unfit, match=f"{name} can't follow {last}"):
            chain(last, name)


# Steps that make no chain


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        pytest.param(
            [{"local_pruning": LocalPruning(0.1)}, {"local_pruning": LocalPruning(0.5)}],
            "holds local_pruning twice",
            id="duplicate",
        ),
        pytest.param([{"baseline": Baseline()}], "baseline, which is no step", id="baseline"),
        pytest.param(
            [{"chain": Chain([])}],
            "holds chain, which is a chain; give its steps in its place",
            id="chain_in_chain",
        ),
        pytest.param(
            [{"threads": Threads(2)}, {"mine": Chain([{"local_pruning": LocalPruning()}])}],
            "holds mine, which is a chain; give its steps in its place",
            id="chain_by_another_name",
        ),
        pytest.param(
            [{"batch_size": BatchSize(8)}, {"larger": BatchSize(16)}],
            "sets batch_size twice, by batch_size and larger",
            id="batch_size_twice",
        ),
        pytest.param(
            [{"threads": Threads(1)}, {"fewer": Threads(2)}],
            "sets threads twice, by threads and fewer",
            id="threads_twice",
        ),
    ],
)
def test_steps_that_make_no_chain_are_refused(
    refusal: Refusal, steps: list[Mapping[str, Tactic]], words: str
) -> None:
    text = refusal(lambda: Chain(steps))
    assert text.startswith("tactic.steps")
    assert words in text


def test_refusal_of_bad_steps_is_no_matter_of_fit() -> None:
    with pytest.raises(BadInput) as caught:
        chain("local_pruning", "local_pruning")
    assert not isinstance(caught.value, Unfit)


def test_chain_is_built_from_its_configuration() -> None:
    tactics = "greenexp.tactics"
    choice = {
        "_target_": f"{tactics}.chain.Chain",
        "steps": [
            {
                "local_pruning": {
                    "_target_": f"{tactics}.pruning.LocalPruning",
                    "amount": 0.5,
                }
            },
            {"threads": {"_target_": f"{tactics}.running.Threads", "count": 2}},
        ],
    }
    assert steps_of(build(choice, "tactic")) == [
        Step("local_pruning", LocalPruning(0.5)),
        Step("threads", Threads(2)),
    ]


def test_options_of_a_step_are_checked_and_named(refusal: Refusal) -> None:
    amount = {"_target_": "greenexp.tactics.pruning.LocalPruning", "amount": "much"}
    choice = {"_target_": "greenexp.tactics.chain.Chain", "steps": [{"local_pruning": amount}]}
    assert "tactic.steps.local_pruning.amount='much'" in refusal(lambda: build(choice, "tactic"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param(
            "local_pruning",
            {"_target_": "greenexp.tactics.pruning.LocalPruning", "amount": 2},
            "tactic.steps.local_pruning.amount=2.0 is out of range; "
            "allowed: a finite number > 0 and < 1",
            id="range",
        ),
        pytest.param(
            "fewer",
            {"_target_": "greenexp.tactics.running.Threads", "count": 0},
            "tactic.steps.fewer.count=0 is out of range; allowed: a finite number >= 1",
            id="by_the_name_of_the_step",
        ),
    ],
)
def test_option_of_a_step_that_is_out_of_range_names_the_step(
    refusal: Refusal, name: str, options: Mapping[str, object], message: str
) -> None:
    choice = {"_target_": "greenexp.tactics.chain.Chain", "steps": [{name: options}]}
    assert refusal(lambda: build(choice, "tactic")) == message


# As planning sees it


def test_traits_are_those_of_all_steps() -> None:
    merged = Chain(
        [
            {"batch_size": BatchSize(16)},
            {"threads": Threads(2)},
            {"structured_pruning": StructuredPruning()},
            {"openvino": OpenVino("int8", calibration_images=10)},
        ]
    ).traits
    assert merged == Traits(
        makes=("engine",),
        devices=("cpu",),
        packages=("openvino", "nncf"),
        extra="openvino",
        calibration_images=10,
        batch_size=16,
        threads=2,
    )


@dataclass(frozen=True)
class Having(Baseline):
    """Has the traits that it is given."""

    traits: Traits


@pytest.mark.parametrize(
    ("each", "merged"),
    [
        pytest.param([], Traits(), id="no_steps"),
        pytest.param(
            [Traits(calibration_images=3), Traits(calibration_images=5), Traits()],
            Traits(calibration_images=5),
            id="the_most_images",
        ),
        pytest.param(
            [Traits(devices=("cuda",)), Traits()],
            Traits(devices=("cuda",)),
            id="devices_of_all",
        ),
        pytest.param(
            [Traits(packages=("b", "c"), extra="two"), Traits(packages=("a", "b"), extra="one")],
            Traits(packages=("b", "c", "a"), extra="one,two"),
            id="packages_of_all",
        ),
        pytest.param(
            [Traits(makes=("half",)), Traits(makes=("half", "quantized"))],
            Traits(makes=("half", "quantized")),
            id="forms_of_all",
        ),
    ],
)
def test_traits_merge(each: list[Traits], merged: Traits) -> None:
    steps = [{f"step_{index}": Having(traits)} for index, traits in enumerate(each)]
    assert Chain(steps).traits == merged


def test_tactic_that_is_no_chain_is_its_own_nameless_step() -> None:
    assert steps_of(Threads(2)) == [Step("", Threads(2))]


def test_chain_without_steps_is_the_baseline() -> None:
    module = nn.Linear(2, 2)
    empty = Chain([])
    assert steps_of(empty) == [Step("", empty)]
    assert empty(module, seen()) is module
    assert empty.effect(module) == {"steps": 0}
