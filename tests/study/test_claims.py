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
    return [float(value) for value in mean + spread * raw / raw.std(ddof=1)]


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
    judgement = claim(mean)
    assert judgement.verdict == verdict
    assert judgement.ratio == pytest.approx(math.exp(mean))
    assert judgement.interval is not None
    assert judgement.interval.low <= judgement.ratio <= judgement.interval.high
    assert judgement.floor is None


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
        assert {judgement.verdict for judgement in claims(of_all, None).values()} == {
            "too few runs"
        }
    of_all = {f"{n}": location(sample(-1.0 - n, 0.001, needed)) for n in range(tactics)}
    assert {judgement.verdict for judgement in claims(of_all, None).values()} == {"lower"}


def test_one_unit_has_a_ratio_and_nothing_more() -> None:
    judgement = claims({"alone": location([math.log(0.5)])}, None)["alone"]
    assert judgement == Effect(ratio=pytest.approx(0.5), units=1)  # type: ignore[arg-type] # near it


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
    family = claims(three, None)
    least = 2 / 2**8
    assert family["far"].p_value == family["farther"].p_value == pytest.approx(least)
    assert family["far"].adjusted_p == family["farther"].adjusted_p == pytest.approx(3 * least)
    near = family["near"]
    assert near.p_value is not None
    assert near.adjusted_p == pytest.approx(near.p_value)


def test_family_may_take_a_claim_away() -> None:
    """Of 7 blocks alone p is 2 / 2**7; with three more tactics it is 4 times that."""
    tactic = {"a": location(sample(-0.3, 0.01, 7))}
    others = {name: location(sample(0.0, 0.05, 7)) for name in "bcd"}
    assert claims(tactic, None)["a"].verdict == "lower"
    assert claims(tactic | others, None)["a"].verdict == "too few runs"


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
    estimate: Location, below: float, above: float, floor: float, comparisons: int
) -> None:
    assert estimate.low is not None
    assert estimate.high is not None
    wider = replace(estimate, low=estimate.low - below, high=estimate.high + above)
    narrow = effect(estimate, estimate.p_value, comparisons, floor).verdict
    wide = effect(wider, estimate.p_value, comparisons, floor).verdict
    assert wide not in CLAIMED or wide == narrow


@given(locations_with_ends, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_more_noise_or_a_larger_p_never_makes_a_claim(
    estimate: Location, floor: float, more: float, doubt: float
) -> None:
    assert estimate.p_value is not None
    now = effect(estimate, estimate.p_value, 1, floor).verdict
    for louder in (
        effect(estimate, estimate.p_value, 1, floor + more),
        effect(estimate, min(1.0, estimate.p_value + doubt), 1, floor),
    ):
        assert louder.verdict not in CLAIMED or louder.verdict == now


@given(locations_with_ends, st.floats(0, 1) | st.none(), families)
def test_claim_agrees_with_ratio_interval_and_floor(
    estimate: Location, floor: float | None, comparisons: int
) -> None:
    judgement = effect(estimate, estimate.p_value, comparisons, floor)
    assert judgement.interval is not None
    reach = 1 + (judgement.floor or 0.0)
    if judgement.verdict == "lower":
        assert judgement.ratio <= judgement.interval.high < 1 / reach * (1 + 1e-12)
    if judgement.verdict == "higher":
        assert judgement.ratio >= judgement.interval.low > reach * (1 - 1e-12)
    if judgement.verdict == "too few runs":
        assert judgement.units < units_needed(comparisons)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=9), st.floats(0, 0.5))
def test_taking_more_is_the_mirror_of_taking_less(logs: list[float], floor: float) -> None:
    noise = Location(floor, 1)
    there = claims({"a": location(logs)}, noise)["a"]
    back = claims({"a": location([-log for log in logs])}, noise)["a"]
    mirrored = {"lower": "higher", "higher": "lower"}
    assert back.verdict == mirrored.get(there.verdict, there.verdict)
    assert back.ratio == pytest.approx(1 / there.ratio)


@given(st.lists(st.floats(-300, 300), min_size=2, max_size=3))
def test_wild_ratios_stay_numbers(logs: list[float]) -> None:
    judgement = claims({"a": location(logs)}, location(logs))["a"]
    assert judgement.interval is not None
    assert judgement.floor is not None
    figures = [judgement.ratio, judgement.interval.low, judgement.interval.high, judgement.floor]
    assert all(map(math.isfinite, figures))
    assert judgement.verdict == "too few runs"


def test_detectable_saving_is_one_that_would_be_claimed_four_times_in_five() -> None:
    random = np.random.default_rng(3)
    spread, units, noise = 0.02, 8, Location(0.01, 1)
    judgement = claim(0.0, spread, units, noise)
    assert judgement.detectable is not None
    assert judgement.floor is not None
    assert judgement.detectable > judgement.floor
    mean = math.log1p(-judgement.detectable)
    samples = random.normal(mean, spread, (400, units)).tolist()
    told = [
        claims({"a": estimate}, noise)["a"].verdict == "lower" for estimate in locations(samples)
    ]
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
        estimates = locations((runs[:5] - runs[5]).tolist())
        tactics = {str(number): estimate for number, estimate in enumerate(estimates[:4])}
        family = claims(tactics, estimates[4] if noisy else None)
        wrong += any(judgement.verdict in CLAIMED for judgement in family.values())
    assert wrong / 300 <= (0.01 if noisy else 0.07)


def test_nothing_found_nothing_claimed() -> None:
    assert claims({}, None) == {}
    assert claims({}, location([0.1, 0.2])) == {}
