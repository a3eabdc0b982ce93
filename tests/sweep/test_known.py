"""What a tracker has missed is known to a sweep of its experiment, and to no other."""

from __future__ import annotations

from pathlib import Path

from greenexp.runs import journal, journalled
from greenexp.sweep.known import still_missed
from tests.support.builders import cpu_run, record, window


def test_run_that_the_tracker_lacks_is_known_in_its_experiment_alone(tmp_path: Path) -> None:
    for name in ("sent", "left"):
        journalled.write(record(cpu_run(window()), title=name, id=name), tmp_path / name)
    paths = [tmp_path / name / journal.RECORD for name in ("sent", "left")]
    journal.mark_sent(paths[0], "of MLflow")
    assert [run.id for run in still_missed(paths, "greenexp")] == ["left"]
    assert still_missed(paths, "another") == []
