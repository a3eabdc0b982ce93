"""What may be claimed, and what may not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.stats.paired import LEVEL, Location, location, locations
from greenexp.stats.power import units_needed
from greenexp.study.claims import claims, effect
from greenexp.study.estimates import Effect

CLAIMED = ("lower", "higher")


def sample(mean: float, spread: float, units: int = 8) -> list[float]:
    """Returns logarithms of exactly this mean and standard deviation, none alike."""
    raw = np.linspace(-1.0, 1.0, units)
    return [float(one) for one in mean + spread * raw / raw.std(ddof=1)]


def claim(
    mean: float, spread: float = 0.005, units: int = 8, noise: Location | None = None
) -> Effect:
    return claims({"tactic": location(sample(mean, spread, units))}, noise)["tactic"]


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [
        (-0.3, "lower"),
        (-0.01, "lower"),
        (0.0, "no difference shown"),
        (0.01, "higher"),
        (0.3, "higher"),
    ],
)
def test_claim_without_noise_is_that_of_interval_and_test(mean: float, verdict: str) -> None:
    found = claim(mean)
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(math.exp(mean))
    assert found.interval is not None
    assert found.interval.low <= found.ratio <= found.interval.high
    assert found.floor is None


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_claim_inside_the_floor(sign: int) -> None:
    """The A/A ratios reach 3 %: a ratio of 2 % with a narrow interval is real, and no gain."""
    noise = location([0.01, 0.02, 0.015, 0.03, 0.01, 0.02, 0.03, 0.025])
    assert noise.high is not None
    assert 0.02 < noise.high < 0.03
    inside = claim(sign * 0.02, spread=0.001, noise=noise)
    assert inside.adjusted_p is not None
    assert inside.adjusted_p <= LEVEL
    assert inside.verdict == "no difference shown"
    assert inside.floor == pytest.approx(math.expm1(noise.high))
    beyond = claim(sign * 0.05, spread=0.001, noise=noise)
    assert beyond.verdict == ("lower" if sign < 0 else "higher")


def test_interval_that_reaches_into_the_floor_claims_nothing() -> None:
    noise = location(sample(0.0, 0.01))
    assert noise.high is not None
    just = location(sample(-0.03, 0.03))
    assert just.high is not None
    assert -noise.high < just.high < 0
    assert claims({"tactic": just}, None)["tactic"].verdict == "lower"
    assert claims({"tactic": just}, noise)["tactic"].verdict == "no difference shown"


def test_floor_of_one_pair_is_its_ratio() -> None:
    assert claim(-0.3, noise=location([-0.04])).floor == pytest.approx(math.expm1(0.04))


@pytest.mark.parametrize("tactics", [1, 2, 5, 8])
def test_fewer_units_than_the_test_needs_are_too_few(tactics: int) -> None:
    needed = units_needed(tactics)
    for units in range(2, needed):
        of_all = {f"{n}": location(sample(-1.0 - n, 0.001, units)) for n in range(tactics)}
        assert {one.verdict for one in claims(of_all, None).values()} == {"too few runs"}
    of_all = {f"{n}": location(sample(-1.0 - n, 0.001, needed)) for n in range(tactics)}
    assert {one.verdict for one in claims(of_all, None).values()} == {"lower"}


def test_one_unit_has_a_ratio_and_nothing_more() -> None:
    found = claims({"alone": location([math.log(0.5)])}, None)["alone"]
    assert found == Effect(ratio=pytest.approx(0.5), units=1)  # type: ignore[arg-type] # near it


def test_tactics_of_one_unit_are_no_part_of_the_family() -> None:
    alone = claims({"a": location(sample(-0.3, 0.01, 6))}, None)
    beside = claims({"a": location(sample(-0.3, 0.01, 6)), "b": location([0.1])}, None)
    assert beside["a"] == alone["a"]
    assert beside["b"].adjusted_p is None


def test_p_values_are_adjusted_over_the_tactics_of_the_family() -> None:
    three = {
        "far": location(sample(-0.5, 0.01)),
        "farther": location(sample(0.9, 0.01)),
        "near": location(sample(0.001, 0.1)),
    }
    found = claims(three, None)
    least = 2 / 2**8
    assert found["far"].p_value == found["farther"].p_value == pytest.approx(least)
    assert found["far"].adjusted_p == found["farther"].adjusted_p == pytest.approx(3 * least)
    near = found["near"]
    assert near.p_value is not None
    assert near.adjusted_p == pytest.approx(near.p_value)


def test_family_may_take_a_claim_away() -> None:
    """Of 7 blocks alone p is 2 / 2**7; with three more tactics it is 4 times that."""
    one = {"a": location(sample(-0.3, 0.01, 7))}
    others = {name: location(sample(0.0, 0.05, 7)) for name in "bcd"}
    assert claims(one, None)["a"].verdict == "lower"
    assert claims(one | others, None)["a"].verdict == "too few runs"


locations_with_ends = st.builds(
    lambda mean, below, above, units, p: Location(
        mean, units, (below + above) / 4, mean - below, mean + above, p, "some test"
    ),
    st.floats(-2, 2),
    st.floats(0, 2),
    st.floats(0, 2),
    st.sampled_from([2, 5, 6, 8, 13, 14, 30]),
    st.floats(0, 1),
)
families = st.sampled_from([1, 4, 8])


@given(locations_with_ends, st.floats(0, 2), st.floats(0, 2), st.floats(0, 1), families)
def test_wider_interval_never_makes_a_claim(
    one: Location, below: float, above: float, floor: float, comparisons: int
) -> None:
    assert one.low is not None
    assert one.high is not None
    wider = replace(one, low=one.low - below, high=one.high + above)
    narrow = effect(one, one.p_value, comparisons, floor).verdict
    wide = effect(wider, one.p_value, comparisons, floor).verdict
    assert wide not in CLAIMED or wide == narrow


@given(locations_with_ends, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_noise_or_a_larger_p_never_makes_a_claim(
    one: Location, floor: float, more: float, doubt: float
) -> None:
    assert one.p_value is not None
    now = effect(one, one.p_value, 1, floor).verdict
    for louder in (
        effect(one, one.p_value, 1, floor + more),
        effect(one, min(1.0, one.p_value + doubt), 1, floor),
    ):
        assert louder.verdict not in CLAIMED or louder.verdict == now


@given(locations_with_ends, st.floats(0, 1) | st.none(), families)
def test_claim_agrees_with_ratio_interval_and_floor(
    one: Location, floor: float | None, comparisons: int
) -> None:
    found = effect(one, one.p_value, comparisons, floor)
    assert found.interval is not None
    reach = 1 + (found.floor or 0.0)
    if found.verdict == "lower":
        assert found.ratio <= found.interval.high < 1 / reach * (1 + 1e-12)
    if found.verdict == "higher":
        assert found.ratio >= found.interval.low > reach * (1 - 1e-12)
    if found.verdict == "too few runs":
        assert found.units < units_needed(comparisons)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=9), st.floats(0, 0.5))
def test_taking_more_is_the_mirror_of_taking_less(logs: list[float], floor: float) -> None:
    noise = Location(floor, 1)
    there = claims({"a": location(logs)}, noise)["a"]
    back = claims({"a": location([-one for one in logs])}, noise)["a"]
    mirrored = {"lower": "higher", "higher": "lower"}
    assert back.verdict == mirrored.get(there.verdict, there.verdict)
    assert back.ratio == pytest.approx(1 / there.ratio)


@given(st.lists(st.floats(-300, 300), min_size=2, max_size=3))
def test_wild_ratios_stay_numbers(logs: list[float]) -> None:
    found = claims({"a": location(logs)}, location(logs))["a"]
    assert found.interval is not None
    assert found.floor is not None
    figures = [found.ratio, found.interval.low, found.interval.high, found.floor]
    assert all(map(math.isfinite, figures))
    assert found.verdict == "too few runs"


def test_detectable_saving_is_one_that_would_be_claimed_four_times_in_five() -> None:
    random = np.random.default_rng(3)
    spread, units, noise = 0.02, 8, Location(0.01, 1)
    found = claim(0.0, spread, units, noise)
    assert found.detectable is not None
    assert found.floor is not None
    assert found.detectable > found.floor
    mean = math.log1p(-found.detectable)
    samples = random.normal(mean, spread, (400, units)).tolist()
    told = [claims({"a": one}, noise)["a"].verdict == "lower" for one in locations(samples)]
    assert 0.7 <= np.mean(told) <= 0.95


def test_nothing_is_detectable_with_too_few_units() -> None:
    assert claim(0.0, units=5).detectable is None


@pytest.mark.parametrize("noisy", [False, True], ids=["no A/A pairs", "A/A pairs"])
def test_where_nothing_differs_something_is_seldom_claimed(noisy: bool) -> None:
    """Eight blocks, four tactics that are the baseline by other names, 300 studies."""
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(300):
        runs = random.normal(0.0, 0.01, (6, 8))
        found = locations((runs[:5] - runs[5]).tolist())
        tactics = {str(number): one for number, one in enumerate(found[:4])}
        family = claims(tactics, found[4] if noisy else None)
        wrong += any(one.verdict in CLAIMED for one in family.values())
    assert wrong / 300 <= (0.01 if noisy else 0.07)


def test_nothing_found_nothing_claimed() -> None:
    assert claims({}, None) == {}
    assert claims({}, location([0.1, 0.2])) == {}
