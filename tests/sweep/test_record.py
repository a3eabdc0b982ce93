"""What stands against a run beside the baselines that it was measured with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from greenexp.runs import journal, journalled
from greenexp.runs.journal import Record
from greenexp.runs.result import Predictions, Result
from greenexp.runs.run import Run
from greenexp.sweep.record import _write_block, beside_baselines
from tests.support.builders import cpu_run, record, window


def judging(*best: int) -> Result:
    predictions = Predictions(
        identifiers=[str(n) for n in range(len(best))],
        targets=list(range(len(best))),
        ranked=[[guess] for guess in best],
    )
    return replace(cpu_run(window()), predictions=predictions)


GOOD, DULL = judging(0, 1, 2), judging(1, 1, 1)


@pytest.mark.parametrize(
    ("results", "doubted"),
    [
        pytest.param({0: GOOD, 1: DULL, 2: GOOD}, [1], id="the baselines can tell"),
        pytest.param({0: DULL, 1: DULL, 2: DULL}, [], id="nor can the baseline"),
        pytest.param({0: GOOD, 1: GOOD, 2: GOOD}, [], id="all can tell"),
        pytest.param({1: DULL}, [], id="no baseline"),
        pytest.param({0: Result("oom"), 1: DULL, 2: GOOD}, [1], id="one baseline failed"),
    ],
)
def test_one_answer_to_every_image_is_a_doubt_where_the_baseline_has_several(
    results: dict[int, Result], doubted: list[int]
) -> None:
    judged = beside_baselines(results, {0, 2})
    with_doubt = [n for n, result in judged.items() if "constant_predictions" in result.doubts]
    assert with_doubt == doubted


class Killed(BaseException):
    """Stands for the death of a process, after which nothing is cleared away."""


def test_block_whose_writing_was_cut_short_is_not_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = {
        (1, number): record(cpu_run(window()), title=f"net {number}", id=str(number))
        for number in range(3)
    }
    write, written = journalled.write, []

    def cut_short(of_block: Record, folder: Path) -> Run:
        if len(written) == 2:
            raise Killed
        written.append(folder)
        return write(of_block, folder)

    monkeypatch.setattr(journalled, "write", cut_short)
    with pytest.raises(Killed):
        _write_block(records, tmp_path / f".runs.1{journal.PARTIAL}", tmp_path / "runs")
    assert all((folder / journal.RECORD).exists() for folder in written)
    assert journalled.runs_below(tmp_path) == []
    assert journal.unsent(tmp_path) == []
