"""Where and when runs were measured, in words."""

from __future__ import annotations

from dataclasses import replace

from greenexp.report.words import ran
from tests.support.synthetic_runs import rows, runs_of

RUNS = runs_of(rows(blocks=1))


def test_machine_has_its_cores_and_memory_as_far_as_known() -> None:
    assert ran.machines(RUNS) == ["Made-up CPU"]
    known = [replace(run, cpu_threads=2, memory_mib=7680.0) for run in RUNS]
    assert ran.machines(known) == ["Made-up CPU (2 logical CPUs, 7.50 GiB of memory)"]
    gpu = [replace(run, gpus=["Made-up GPU"], cpu_threads=16) for run in RUNS]
    assert ran.machines(gpu) == ["Made-up GPU with Made-up CPU (16 logical CPUs)"]


def test_days_are_the_first_and_the_last() -> None:
    assert ran.days([]) == ""
    assert ran.days(RUNS) == "2026-01-01"
    later = replace(RUNS[0], started="2026-01-03T23:59:59+00:00")
    assert ran.days([later, *RUNS]) == "2026-01-01 to 2026-01-03"
