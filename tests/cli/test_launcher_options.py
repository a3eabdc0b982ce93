"""What a launcher lacks, or can't do, is told in one line before a job starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import MissingConfigException
from hydra.plugins.launcher import Launcher

from greenexp.cli import jobs, launchers, slurm
from greenexp.cli.messages import one_line
from greenexp.errors import BadInput


class Submitit(Launcher):
    """Has what the options are read of."""

    def __init__(self, executor: str, **options: Any) -> None:
        self._EXECUTOR = executor
        self.params = options

    def setup(self, **_: Any) -> None:
        """Is not asked for."""

    def launch(self, job_overrides: Any, initial_job_idx: int) -> Any:
        raise AssertionError("no job is started")


@pytest.mark.parametrize(
    ("choice", "extra"),
    [
        pytest.param("joblib", "joblib", id="joblib"),
        pytest.param("submitit_local", "slurm", id="submitit_local"),
        pytest.param("submitit_slurm", "slurm", id="as slurm.yaml asks for it"),
    ],
)
def test_launcher_that_is_not_installed_names_its_extra(choice: str, extra: str) -> None:
    missing = MissingConfigException("", f"hydra/launcher/{choice}", ["basic", "slurm"])
    line = one_line(missing)
    assert line is not None
    assert f"pip install 'greenexp[{extra}]'" in line


def test_unknown_launcher_is_told_with_those_there_are() -> None:
    line = one_line(MissingConfigException("", "hydra/launcher/slrum", ["basic", "slurm"]))
    assert line is not None
    assert "hydra/launcher=slrum is unknown; allowed: basic, slurm." in line


@pytest.mark.parametrize("option", ["nodes", "tasks_per_node"])
def test_block_is_one_task(option: str) -> None:
    with pytest.raises(BadInput, match=f"hydra.launcher.{option}=2"):
        launchers.check(Submitit("local", **{option: 2}))
    launchers.check(Submitit("local", **{option: 1}))


def test_slurm_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="sbatch, scancel, squeue is not on the PATH"):
        launchers.check(Submitit("slurm"))


def launcher_of(plugin: Launcher, folder: Path) -> launchers.HydraLauncher:
    return launchers.HydraLauncher(
        plugin, lambda _: pytest.fail("nothing is composed"), folder, folder
    )


@pytest.mark.parametrize(
    ("given_min", "jobs", "limit_min"),
    [
        pytest.param(60, 4, 80, id="four take turns"),
        pytest.param(600, 4, 600, id="more is given"),
        pytest.param(0, 4, 80, id="by the forecast"),
    ],
)
def test_jobs_of_one_machine_have_time_to_wait_for_each_other(
    tmp_path: Path, given_min: int, jobs: int, limit_min: int
) -> None:
    plugin = Submitit("local", timeout_min=given_min)
    launcher_of(plugin, tmp_path)._set_limit(20, jobs)
    assert plugin.params["timeout_min"] == limit_min


def test_flag_that_is_false_is_left_out(tmp_path: Path) -> None:
    flags = {"exclusive": False, "oversubscribe": True, "qos": "low"}
    plugin = Submitit("local", additional_parameters=flags)
    launcher_of(plugin, tmp_path)
    assert plugin.params["additional_parameters"] == {"oversubscribe": True, "qos": "low"}


@pytest.mark.parametrize(
    ("told", "size"),
    [
        pytest.param("MaxArraySize            = 501", 500, id="of the cluster"),
        pytest.param("", slurm.ARRAY_SIZE, id="unsaid"),
    ],
)
def test_arrays_are_as_large_as_slurm_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, size: int
) -> None:
    program = tmp_path / "scontrol"
    program.write_text(f"#!/bin/sh\necho 'X = 1'\necho '{told}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert slurm.array_size() == size


def test_more_jobs_than_an_array_holds_are_given_as_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    plugin = Submitit("slurm")
    monkeypatch.setattr(
        plugin,
        "launch",
        lambda overrides, initial_job_idx: given.append((initial_job_idx, len(overrides))),
    )
    monkeypatch.setattr(slurm, "array_size", lambda: 2)
    with jobs.Jobs(plugin, [["a=1"]] * 5, range(5), 0, tmp_path) as started:
        started._thread.join()
    assert given == [(0, 2), (2, 2), (4, 1)]
