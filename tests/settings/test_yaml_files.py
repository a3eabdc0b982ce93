"""Options of a user that could harm are refused before Hydra reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenexp.errors import BadInput
from greenexp.settings.conf import config_dir
from greenexp.settings.yaml_files import check_files


def billion_laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(billion_laughs(), "more than 100 aliases", id="aliases"),
        pytest.param("[" * 200 + "]" * 200, "nested more than 50 deep", id="depth"),
        pytest.param("# " + "x" * 2**20, "allowed: 1048576 in a file", id="size"),
        pytest.param(
            "hydra: {job_logging: {handlers: {f: {class: logging.FileHandler}}}}",
            "sets hydra.job_logging",
            id="logging to a file",
        ),
        pytest.param(
            "hydra: {hydra_logging: {version: 1}}", "sets hydra.hydra_logging", id="own log"
        ),
        pytest.param(
            "hydra: {callbacks: {a: {_target_: subprocess.Popen, args: [touch, /x]}}}",
            "sets hydra.callbacks",
            id="callback",
        ),
        pytest.param(
            "hydra: {launcher: {_target_: os.system, command: ls}}",
            "sets hydra.launcher._target_",
            id="launcher",
        ),
        pytest.param(
            "defaults:\n  - override /hydra/job_logging: mine",
            "sets hydra/job_logging",
            id="option",
        ),
    ],
)
def test_harmful_file_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "experiment" / "bad.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        check_files(tmp_path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no: [valid",
        "- a list",
        "hydra: {mode: MULTIRUN, sweeper: {params: {model: all}}}",
        "hydra: {launcher: {partition: gpu, timeout_min: 60}}",
        "defaults:\n  - override /hydra/launcher: submitit_slurm\n  - _self_",
        "_target_: greenexp.models.local.Local\npath: x",
        "base: &base {a: 1}\none: *base\ntwo: *base",
    ],
)
def test_other_files_are_left_to_hydra(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    check_files(tmp_path)


def test_packaged_options_are_fine() -> None:
    for group in ("experiment", "model", "tactic", "dataset", "hardware", "workload", "meter"):
        check_files(config_dir() / group)
