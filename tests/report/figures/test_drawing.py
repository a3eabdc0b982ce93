"""What a report does where the process that draws its pictures is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from greenexp.errors import NotDrawn
from greenexp.report import write as summary
from tests.support.studies import study


def killed(figure: object, path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_drawing_that_is_killed_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "draw", killed)
    with pytest.raises(NotDrawn, match=r"killed; python -m greenexp\.report"):
        summary.write(study(), tmp_path)


@pytest.mark.slow
def test_report_is_written_whole(tmp_path: Path) -> None:
    path = summary.write(study(), tmp_path)
    assert path.name == "report.html"
    names = {file.name for file in tmp_path.iterdir()}
    assert {"forest_energy.png", "pareto.png", "break_even.png", "report.tex"} <= names
    for table in ("overall", "cells", "paybacks", "sensitivities", "left_out"):
        assert {f"{table}.csv", f"{table}.parquet"} <= names
