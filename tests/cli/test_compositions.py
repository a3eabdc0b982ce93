"""Cells that are put together are those that Hydra composes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from greenexp.cli.compose import without_hydra
from greenexp.cli.compositions import Compositions
from greenexp.cli.launchers import BY_FORECAST
from greenexp.settings.conf import config_dir
from greenexp.sweep.events import Composition


class Loader:
    """Composes whole, and counts how often."""

    def __init__(self) -> None:
        self.loaded = 0

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        self.loaded += 1
        return compose("config", overrides=list(overrides), return_hydra_config=True)

    def cells(self, swept: dict[str, list[str]]) -> Compositions:
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        _, repository = loader._parse_overrides_and_create_caching_repo("config", [])
        return Compositions(self, repository, swept)


@pytest.fixture
def loader(schema: None) -> Iterator[Loader]:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        yield Loader()


def options(group: str, left_out: Sequence[str] = ()) -> list[str]:
    names = sorted(path.stem for path in (Path(config_dir()) / group).glob("*.yaml"))
    return [f"{group}={name}" for name in names if name not in left_out]


def compared(loader: Loader, swept: dict[str, list[str]], every: int = 1) -> Any:
    """Compares every so manieth cell with what Hydra composes; returns how many it composed."""
    cells = loader.cells(swept)
    products = list(itertools.product(*swept.values()))
    made = [cells(overrides) for overrides in products]
    loaded = loader.loaded
    for overrides, cell in list(zip(products, made, strict=True))[::every]:
        assert cell == Composition(*without_hydra(loader(overrides))), overrides
    return loaded


def test_cells_of_models_tactics_and_data_sets_are_those_that_hydra_composes(
    loader: Loader,
) -> None:
    swept = {
        "model": options("model"),
        "tactic": options("tactic", ["chain"]),
        "dataset": options("dataset"),
        "repetitions": ["repetitions=3"],
    }
    assert compared(loader, swept, every=997) <= 2


@pytest.mark.parametrize(
    "swept",
    [
        pytest.param(
            {
                "workload": ["workload=quick", "workload=steady"],
                "model": ["model=digits_vit", "model=digits_swin"],
                "device": ["device=cpu", "device=auto"],
            },
            id="another group that varies",
        ),
        pytest.param(
            {
                "tactic": ["tactic=local_pruning", "tactic=global_pruning"],
                "tactic.amount": ["tactic.amount=0.1", "tactic.amount=0.5"],
                "model": ["model=digits_vit", "model=digits_swin"],
            },
            id="an option inside a group",
        ),
        pytest.param(
            {
                "model": ["model=digits_vit", "model=digits_swin"],
                "model.labels": ["model.labels=mine"],
            },
            id="an option that all cells have",
        ),
        pytest.param(
            {
                "hardware": ["hardware=local", "hardware=laptop_cpu"],
                "tactic": ["tactic=baseline", "tactic=threads"],
                "title": ["title='${model.labels}'"],
                "model": ["model=digits_vit", "model=mobilenet_v2_1_0_224"],
            },
            id="a text that refers to the model",
        ),
        pytest.param(
            {
                "experiment": ["experiment=smoke"],
                "tactic": ["tactic=baseline", "tactic=openvino"],
                "model": ["model=digits_vit", "model=local"],
            },
            id="an experiment",
        ),
    ],
)
def test_cells_of_other_sweeps_are_those_that_hydra_composes(
    loader: Loader, swept: dict[str, list[str]]
) -> None:
    compared(loader, swept)


def test_launcher_of_a_cluster_gives_each_block_a_node_and_a_limit_by_the_forecast(
    loader: Loader,
) -> None:
    launcher = loader(["hydra/launcher=slurm", "hydra.launcher.partition=gpu"]).hydra.launcher
    assert launcher._target_.endswith(".SlurmLauncher")
    assert launcher.partition == "gpu"
    assert launcher.additional_parameters == {"exclusive": True}
    assert launcher.timeout_min == BY_FORECAST
