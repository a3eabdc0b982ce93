"""What tells measurements apart: the hash of a cell, and that of its peers."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from greenexp.runs.identity import cell_hash, peers_hash

CONFIGURATION: dict[str, Any] = {
    "model": {"_target_": "greenexp.models.embedded_model.Embedded", "name": "digits_vit"},
    "tactic": {"_target_": "greenexp.tactics.pruning.LocalPruning", "amount": 0.3},
    "workload": {"batch_size": 1, "threads": None},
    "meters": {"zeus": {"interval_s": 0.1}, "nvml": {"interval_s": 0.2}},
    "tracking": {"uri": "sqlite:///mlruns/mlflow.db", "experiment": "greenexp"},
    "isolation": {"timeout_s": 3600.0},
    "interference": {"steal_pct": 3.0},
    "sweep": {"seed": 0, "rerun": False, "dry_run": False, "block": None, "replicate": 1},
    "repetitions": 1,
    "title": None,
    "device": "auto",
}


def changed(section: str, key: str, value: object) -> dict[str, Any]:
    configuration = copy.deepcopy(CONFIGURATION)
    configuration[section][key] = value
    return configuration


def turned(value: Any) -> Any:
    """Returns the same mapping with its keys in the opposite order, at every depth."""
    if not isinstance(value, dict):
        return value
    return {key: turned(value[key]) for key in reversed(list(value))}


def test_hash_is_the_same_in_every_process_and_release() -> None:
    # Pinned: MLflow holds runs under these tags, and `resume` looks for them.
    assert cell_hash({"model": "a", "tactic": {"amount": 0.3}}) == "2c32be2a9241f3f9"


def test_hash_does_not_depend_on_order() -> None:
    assert cell_hash(turned(CONFIGURATION)) == cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(changed("tracking", "uri", "http://elsewhere"), id="another tracker"),
        pytest.param(changed("tracking", "experiment", "other"), id="another experiment"),
        pytest.param(changed("isolation", "timeout_s", 1.0), id="another time limit"),
        pytest.param(changed("sweep", "seed", 7), id="another order"),
        pytest.param(changed("sweep", "block", 3), id="another block"),
        pytest.param(changed("sweep", "replicate", 2), id="the second baseline"),
        pytest.param(changed("sweep", "rerun", True), id="measured anew"),
        pytest.param(CONFIGURATION | {"repetitions": 10}, id="more blocks"),
        pytest.param(CONFIGURATION | {"title": "mine"}, id="another title"),
    ],
)
def test_hash_ignores_what_does_not_change_the_measurement(same: dict[str, Any]) -> None:
    assert cell_hash(same) == cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(changed("tactic", "amount", 0.4), id="another amount"),
        pytest.param(changed("model", "name", "digits_resnet"), id="another model"),
        pytest.param(changed("workload", "batch_size", 2), id="another batch size"),
        pytest.param(changed("workload", "threads", 1), id="threads given"),
        pytest.param(changed("interference", "steal_pct", None), id="another limit"),
        pytest.param(CONFIGURATION | {"device": "cpu"}, id="another device"),
    ],
)
def test_hash_tells_measurements_apart(other: dict[str, Any]) -> None:
    assert cell_hash(other) != cell_hash(CONFIGURATION)


@pytest.mark.parametrize(
    ("other", "peers"),
    [
        pytest.param(changed("tactic", "amount", 0.4), True, id="another amount"),
        pytest.param(CONFIGURATION | {"tactic": {}}, True, id="another tactic"),
        pytest.param(changed("sweep", "block", 2), True, id="another block"),
        pytest.param(changed("model", "name", "digits_resnet"), False, id="another model"),
        pytest.param(changed("workload", "batch_size", 2), False, id="another batch size"),
    ],
)
def test_peers_differ_in_their_tactic_alone(other: dict[str, Any], peers: bool) -> None:
    assert (peers_hash(other) == peers_hash(CONFIGURATION)) is peers


def chained(*steps: dict[str, Any]) -> dict[str, Any]:
    """Returns a configuration whose tactic is a chain."""
    chain = {"_target_": "greenexp.tactics.chain.Chain", "steps": list(steps)}
    return CONFIGURATION | {"tactic": chain}


HALF = {"half_precision": {"_target_": "greenexp.tactics.precision.HalfPrecision"}}
LAYOUT = {"channels_last": {"_target_": "greenexp.tactics.layout.ChannelsLast"}}
CHAINS = {
    "none": chained(),
    "one": chained(HALF),
    "both": chained(HALF, LAYOUT),
    "turned": chained(LAYOUT, HALF),
    "its option": chained({"half_precision": HALF["half_precision"] | {"dtype": "float16"}}),
}


def test_chains_are_told_apart_by_steps_order_and_options() -> None:
    assert len({cell_hash(chain) for chain in CHAINS.values()}) == len(CHAINS)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_chains_are_compared_with_a_baseline_of_either_kind(chain: dict[str, Any]) -> None:
    assert peers_hash(chain) == peers_hash(CHAINS["none"]) == peers_hash(CONFIGURATION)


@pytest.mark.parametrize("section", ["model", "dataset"])
def test_card_describes_and_changes_nothing(section: str) -> None:
    bare = CONFIGURATION | {section: {"id": "org/name"}}
    cards = [{"family": "ViT"}, {"family": "ViT", "parameters_m": 5.7}, None]
    described = [CONFIGURATION | {section: {"id": "org/name", "card": card}} for card in cards]
    assert {cell_hash(configuration) for configuration in described} == {cell_hash(bare)}
    assert {peers_hash(configuration) for configuration in described} == {peers_hash(bare)}
    assert cell_hash(CONFIGURATION | {section: {"id": "org/other"}}) != cell_hash(bare)
