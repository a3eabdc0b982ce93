"""Every model x tactic x data set of `conf/` either can be planned or says in a line why not.

Hydra composes each option beside others that aren't the defaults: once for each model, with the
tactics and data sets in turn. Of the full Cartesian product every combination is then put together
from those sections, instantiated, and taken through the whole check of a dry run: types, ranges,
packages, label spaces, device, calibration images, order of steps. Composing each combination by
itself would take an hour and tell no more: no option looks at another, but for the meters, which
read the hardware. Nothing is downloaded, and no model or image is looked at.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from greenexp.cli.compose import register, settings
from greenexp.errors import Unfit
from greenexp.settings.build import build
from greenexp.settings.conf import config_dir
from greenexp.sweep.preflight import Preflight

DEFAULTS = {"model": "digits_vit", "tactic": "baseline", "dataset": "digits"}
NEEDED = {  # what templates leave open
    "model=hub": ["model.checkpoint=org/name"],
    "model=local": ["model.path=some/folder"],
    "dataset=hub": ["dataset.id=org/name"],
    "dataset=folder": ["dataset.path=some/folder"],
}
CHAINS = [
    "[]",
    "[half_precision,torch_compile]",
    "[structured_pruning,openvino]",
    "[channels_last,{static_quantization:{linear:false}}]",
    "[{onnx_runtime:{precision:int8}},threads,batch_size]",
    "[local_pruning,semi_structured_sparsity]",
    "[torch_compile,half_precision]",
]
IMPOSSIBLE = f"chain {CHAINS[-1]}"
MEANT = re.compile(
    r"labels don't match: the model's are \w+ and the data set's are \w+; "
    r"choose a model with labels \w+"
    r"|the tactic runs on (cpu|cuda) and the device is (cpu|cuda)"
    r"|the tactic calibrates on training images and the data set has none; give it some \(.+\)"
    r"|half_precision can't follow torch_compile, which makes .+ leave one out"
)


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


MODELS, DATASETS = options("model"), options("dataset")
TACTICS = [name for name in options("tactic") if name != "chain"] + [f"chain {c}" for c in CHAINS]
ON_GPUS = [name for name in TACTICS if "semi_structured" in name]
CALIBRATED = [name for name in TACTICS if "static" in name or "int8}" in name]
OTHER_TACTICS = [name for name in TACTICS if name != DEFAULTS["tactic"]]
OTHER_DATASETS = [name for name in DATASETS if name != DEFAULTS["dataset"]]
# Each option at least once, the other two not being the defaults.
ROWS = [
    *zip(MODELS, itertools.cycle(OTHER_TACTICS), itertools.cycle(OTHER_DATASETS), strict=False),
    ("resnet_50", DEFAULTS["tactic"], "imagenet_1k"),
    ("resnet_50", "torch_compile", DEFAULTS["dataset"]),
]


def overrides(group: str, name: str) -> list[str]:
    """Returns what chooses an option and gives what it leaves open."""
    option, _, steps = name.partition(" ")
    chosen = f"{group}={option}"
    return [chosen, *NEEDED.get(chosen, []), *([f"tactic.steps={steps}"] if steps else [])]


@functools.cache
def composed(model: str, tactic: str, dataset: str) -> dict[str, Any]:
    """Returns the plain configuration of a combination, composed by Hydra."""
    register()
    chosen = [
        *overrides("model", model),
        *overrides("tactic", tactic),
        *overrides("dataset", dataset),
    ]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return settings(compose("config", overrides=["device=cpu", *chosen]))


@functools.cache
def section(group: str, name: str) -> dict[str, Any]:
    """Returns an option as it was composed in the first row that holds it."""
    place = list(DEFAULTS).index(group)
    row = next(row for row in ROWS if row[place] == name)
    whole: dict[str, Any] = composed(*row)[group]
    return whole


def combined(model: str, tactic: str, dataset: str) -> dict[str, Any]:
    """Returns a combination put together from sections composed apart; meters stay aside."""
    return composed(*ROWS[0]) | {
        "model": section("model", model),
        "tactic": section("tactic", tactic),
        "dataset": section("dataset", dataset),
        "meters": {},
    }


def refusal(configuration: dict[str, Any]) -> str | None:
    """Returns why a combination is left out, None where it can be planned."""
    try:
        Preflight(looks=False).check(configuration)
    except Unfit as unfit:
        return str(unfit)
    return None


def test_rows_hold_every_option_beside_others_that_are_no_defaults() -> None:
    for place, (group, names) in enumerate(zip(DEFAULTS, (MODELS, TACTICS, DATASETS), strict=True)):
        others = [other for other in DEFAULTS if other != group]
        held = {
            row[place]
            for row in ROWS
            if all(row[list(DEFAULTS).index(other)] != DEFAULTS[other] for other in others)
        }
        assert held == set(names)


@pytest.mark.parametrize("row", ROWS, ids=" x ".join)
def test_row_composes_and_is_instantiated(row: tuple[str, str, str]) -> None:
    configuration = composed(*row)
    for group, name in zip(DEFAULTS, row, strict=True):
        assert "???" not in configuration[group].values()
        assert configuration[group] == section(group, name)  # whatever stands beside it
    why = refusal(configuration)
    assert why is None or MEANT.fullmatch(why)
    assert why == refusal(combined(*row))


@pytest.mark.parametrize("model", MODELS)
def test_product_is_instantiated_and_each_combination_fits_or_says_why(model: str) -> None:
    reasons = {
        (tactic, dataset): refusal(combined(model, tactic, dataset))
        for tactic, dataset in itertools.product(TACTICS, DATASETS)
    }
    assert len(reasons) == len(TACTICS) * len(DATASETS)
    assert {why for why in reasons.values() if why and not MEANT.fullmatch(why)} == set()
    with_baseline = [dataset for dataset in DATASETS if reasons["baseline", dataset] is None]
    assert with_baseline, "no data set of the catalogue fits"
    labels = section("model", model)["labels"]
    spaces = {section("dataset", dataset)["labels"] for dataset in with_baseline}
    assert labels is None or spaces <= {labels, None}
    possible = {tactic for tactic in TACTICS if tactic not in (*ON_GPUS, IMPOSSIBLE)}
    if not any(
        build(section("dataset", dataset), "dataset").calibrates for dataset in with_baseline
    ):
        possible -= set(CALIBRATED)
    assert {tactic for (tactic, _), why in reasons.items() if why is None} == possible


@pytest.mark.parametrize("tactic", ON_GPUS)
def test_what_a_cpu_can_t_run_fits_a_gpu(tactic: str) -> None:
    configuration = combined(*DEFAULTS.values()) | {"tactic": section("tactic", tactic)}
    assert refusal(configuration) == "the tactic runs on cuda and the device is cpu"
    assert refusal(configuration | {"device": "cuda"}) is None
