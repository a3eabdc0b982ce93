"""What the steps of a chain took: each by itself, and all together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.protocols import Reading
from greenexp.runs.metrics import evaluate
from greenexp.runs.result import Phase
from tests.support.builders import cpu_run, energy, hardware, phase, window

PRICED = hardware(price={"usd_per_hour": 2.0, "usd_per_kwh": 0.25, "pue": 1.2})


def step(name: str, duration_s: float, *readings: Reading) -> Phase:
    return replace(phase("optimize", duration_s, *readings), step=name)


CHAINED = cpu_run(
    window(energy("cpu:0", 20.0), energy("dram:0", 4.0)),
    phases=[
        phase("load", 5.0, energy("cpu:0", 5.0), energy("dram:0", 1.0)),
        step("structured_pruning", 18.0, energy("cpu:0", 980.0), energy("dram:0", 20.0)),
        step("torch_compile", 54.0, energy("cpu:0", 2500.0), energy("dram:0", 100.0)),
        phase("accuracy", 7.0, energy("cpu:0", 9.0), energy("dram:0", 1.0)),
    ],
)
KNOWN = {
    "optimization/structured_pruning/time_s": 18.0,
    "optimization/structured_pruning/energy_j": 1000.0,
    "optimization/structured_pruning/cost_usd": 0.01 + 1000 / 3.6e6 * 0.3,
    "optimization/torch_compile/time_s": 54.0,
    "optimization/torch_compile/energy_j": 2600.0,
    "optimization/torch_compile/cost_usd": 0.03 + 2600 / 3.6e6 * 0.3,
    "optimization/time_s": 72.0,
    "optimization/energy_j": 3600.0,
    "optimization/cost_usd": 0.04 + 3600 / 3.6e6 * 0.3,
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answer(name: str) -> None:
    assert evaluate(CHAINED, PRICED)[name] == pytest.approx(KNOWN[name], rel=1e-12)


def test_steps_have_no_other_metric() -> None:
    metrics = evaluate(CHAINED, PRICED)
    assert {name for name in metrics if name.startswith("optimization/")} == set(KNOWN)


def test_tactic_that_is_no_chain_has_the_whole_only() -> None:
    alone = replace(CHAINED, phases=[phase("optimize", 3.0, energy("cpu:0", 1.0))])
    assert {name for name in evaluate(alone, PRICED) if name.startswith("optimization/")} == {
        "optimization/time_s",
        "optimization/cost_usd",  # the machine's alone: DRAM is in the windows and not in it
    }


def test_step_that_was_not_metered_has_its_time_and_the_sum_no_energy() -> None:
    """Half of the truth would be taken for the whole."""
    load, first, second, accuracy = CHAINED.phases
    unread = replace(second, readings=[])
    metrics = evaluate(replace(CHAINED, phases=[load, first, unread, accuracy]), PRICED)
    assert metrics["optimization/torch_compile/time_s"] == 54.0
    assert metrics["optimization/structured_pruning/energy_j"] == 1000.0
    assert metrics["optimization/time_s"] == 72.0
    assert not {"optimization/energy_j", "optimization/torch_compile/energy_j"} & set(metrics)


def test_step_in_two_parts_is_their_sum() -> None:
    parts = [replace(part, step="again") for part in CHAINED.phases[1:3]]
    metrics = evaluate(replace(CHAINED, phases=parts), PRICED)
    for quantity in ("time_s", "energy_j", "cost_usd"):
        assert metrics[f"optimization/again/{quantity}"] == KNOWN[f"optimization/{quantity}"]


positive = st.floats(1e-6, 1e6)
steps = st.lists(
    st.builds(
        lambda name, seconds, joules: step(name, seconds, energy("cpu:0", joules)),
        st.sampled_from(["one", "two", "three"]),
        positive,
        positive,
    ),
    min_size=1,
    max_size=5,
)


@given(steps)
def test_steps_add_up_to_the_optimization(phases: list[Phase]) -> None:
    metrics = evaluate(cpu_run(window(energy("cpu:0", 1.0)), phases=phases), PRICED)
    for quantity in ("time_s", "energy_j", "cost_usd"):
        parts = [metrics[f"optimization/{name}/{quantity}"] for name in {p.step for p in phases}]
        assert metrics[f"optimization/{quantity}"] == pytest.approx(sum(parts))
