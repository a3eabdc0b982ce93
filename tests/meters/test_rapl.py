"""Whole runs where RAPL's counter can be read: the real Zeus, against counters of a known power."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from greenexp.runs import journal, metrics
from greenexp.runs.doubts import validity
from greenexp.runs.energy import energy_source
from greenexp.runs.journal import Record
from greenexp.settings.build import typed
from greenexp.settings.hardware import Hardware
from greenexp.settings.workload import Interference
from tests.support import rapl
from tests.support.rapl import Zone

pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None or shutil.which("setpriv") is None,
    reason="needs Linux's unshare and setpriv, for a folder that only the command sees",
)

ROOT = Path(__file__).parents[2]
HANG_S = 60.0
MARK = "GREENEXP_TEST"
QUICK = [
    "workload.batch_size=32",
    "workload.idle_seconds=1",
    "workload.warmup_min_seconds=0.1",
    "workload.min_seconds=1",
    "workload.min_windows=5",
    "workload.max_windows=5",
]
PACKAGE, DRAM = 20.0, 3.0
SERVER = [Zone("package-0", PACKAGE, parts=[Zone("core", 9.0), Zone("dram", DRAM)])]


@dataclass(frozen=True)
class Machine:
    """Runs commands in a folder, on a machine with RAPL zones, and lists what they left.

    Temporary files have a folder of their own, whose path is short enough for sockets.
    """

    folder: Path
    mark: str
    temporary: Path

    def command(self, zones: list[Zone], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            rapl.command(zones, sys.executable, *words),
            cwd=self.folder,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", MARK: self.mark}
            | {"TMPDIR": str(self.temporary)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def greenexp(self, zones: list[Zone], *words: str) -> subprocess.CompletedProcess[str]:
        return self.command(zones, "-m", "greenexp", *words)

    def records(self) -> list[Record]:
        return [journal.read(path) for path in self.folder.glob(f"multirun/**/{journal.RECORD}")]

    def left(self) -> list[psutil.Process]:
        """Returns the processes that the commands started and that still run."""
        return [process for process in psutil.process_iter() if self._started(process)]

    def _started(self, process: psutil.Process) -> bool:
        try:
            zombie = process.status() == psutil.STATUS_ZOMBIE
            return not zombie and process.environ().get(MARK) == self.mark
        except psutil.Error:
            return False


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as temporary:
        machine = Machine(tmp_path, uuid.uuid4().hex, Path(temporary))
        yield machine
        for process in machine.left():
            process.kill()


def wait_until(holds: Callable[[], bool]) -> bool:
    deadline_s = time.monotonic() + HANG_S
    while not holds() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    return holds()


def figures(record: Record) -> Mapping[str, float]:
    return metrics.evaluate(record.result, typed(record.configuration, "hardware", Hardware))


def doubts(record: Record) -> list[str]:
    hardware = typed(record.configuration, "hardware", Hardware)
    return validity(
        record.result, hardware, typed(record.configuration, "interference", Interference)
    )


def planted_j_per_image(record: Record, power_w: float) -> float:
    windows = record.result.windows
    return power_w * sum(w.duration_s for w in windows) / sum(w.images for w in windows)


def assert_counted(record: Record, power_w: float) -> None:
    assert record.result.outcome == "ok", record.result.reason
    measured = figures(record)["energy/per_image_j"]
    assert measured == pytest.approx(planted_j_per_image(record, power_w), rel=0.03)


def test_run_reads_the_counter_and_leaves_no_process(machine: Machine) -> None:
    done = machine.greenexp(SERVER, *QUICK)
    assert done.returncode == 0, done.stderr
    (record,) = machine.records()
    assert_counted(record, PACKAGE + DRAM)
    assert energy_source(record.result) == "cpu:counter+dram:counter"
    assert "cpu:counter" in done.stdout
    read = {
        (reading.component, reading.source, reading.meter)
        for window in record.result.windows
        for reading in window.readings
        if reading.quantity == "energy_j"
    }
    assert read == {
        ("cpu:0", "counter", "zeus"),
        ("dram:0", "counter", "zeus"),
        ("cpu", "model", "cpu_estimate"),
    }
    assert wait_until(lambda: not machine.left()), machine.left()


WRAPPING = [Zone("package-0", 300.0, range_j=3000.0)]
TEN_S = ["workload.min_windows=12", "workload.max_windows=12"]  # WRAPPING wraps every 10 s


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zones", "settings", "power_w", "source"),
    [
        pytest.param(
            [Zone("package-0", 20.0), Zone("package-1", 30.0)],
            [],
            50.0,
            "cpu:counter",
            id="two packages",
        ),
        pytest.param(WRAPPING, TEN_S, 300.0, "cpu:counter", id="wraps in the middle"),
        pytest.param(
            [Zone("package-0", 20.0), Zone("psys", 45.0)],
            [],
            20.0,
            "cpu:counter",
            id="platform is no package",
        ),
    ],
)
def test_energy_is_the_planted_power_times_the_time(
    machine: Machine, zones: list[Zone], settings: list[str], power_w: float, source: str
) -> None:
    done = machine.greenexp(zones, *QUICK, *settings)
    assert done.returncode == 0, done.stderr
    (record,) = machine.records()
    assert energy_source(record.result) == source
    assert_counted(record, power_w)
    for window in record.result.windows:
        read_j = [r.value for r in window.readings if r.source == "counter"]
        assert sum(read_j) == pytest.approx(power_w * window.duration_s, rel=0.1)


@pytest.mark.slow
def test_counter_that_may_not_be_read_leaves_the_estimate_and_says_so(machine: Machine) -> None:
    done = machine.greenexp([Zone("package-0", 20.0, readable=False)], *QUICK)
    assert done.returncode == 0, done.stderr
    (record,) = machine.records()
    assert record.result.outcome == "ok"
    assert energy_source(record.result) == "cpu:model"
    assert "estimate" in done.stdout
    assert "energy_counter_lost" not in doubts(record)


@pytest.mark.slow
def test_counter_that_is_lost_in_the_middle_is_a_doubt(machine: Machine) -> None:
    lost = [Zone("package-0", 20.0, lost_after_s=6.0)]
    done = machine.greenexp(lost, *QUICK, "workload.min_windows=15", "workload.max_windows=15")
    assert done.returncode == 0, done.stderr
    (record,) = machine.records()
    assert record.result.outcome == "ok"
    assert energy_source(record.result) == "cpu:model"
    assert "energy_counter_lost" in doubts(record)
    assert "energy_counter_lost" in done.stdout
    assert wait_until(lambda: not machine.left()), machine.left()


@pytest.mark.slow
def test_sweep_and_resume_read_the_counter(machine: Machine) -> None:
    fewest = ["sweep.baselines=2", "sweep.rerun=false"]  # a busy machine flags runs
    sweep = ["-m", "tactic=baseline,local_pruning", *fewest, *QUICK]
    done = machine.greenexp(SERVER, *sweep)
    assert done.returncode == 0, done.stderr
    records = machine.records()
    assert len(records) == 3  # the baseline twice
    for record in records:
        assert energy_source(record.result) == "cpu:counter+dram:counter"
        assert_counted(record, PACKAGE + DRAM)
    again = machine.greenexp(SERVER, *sweep)
    assert again.returncode == 0, again.stderr
    assert len(machine.records()) == 3
    assert wait_until(lambda: not machine.left()), machine.left()


TWENTY_RUNS = """
import json, os, tempfile
from pathlib import Path

import psutil
from hydra import compose, initialize_config_dir

from greenexp.cli.compose import register, settings
from greenexp.measuring.isolated import isolated
from greenexp.settings.conf import config_dir

register()
with initialize_config_dir(str(config_dir()), version_base="1.3"):
    configuration = settings(compose("config", overrides=[
        "workload.batch_size=32", "workload.idle_seconds=0.2", "workload.warmup_min_seconds=0.1",
        "workload.min_seconds=0.1", "workload.min_windows=5", "workload.max_windows=5"]))

def held():
    return {
        "processes": len(psutil.Process().children(recursive=True)),
        "files": psutil.Process().num_fds(),
        "temporary": len(list(Path(tempfile.gettempdir()).iterdir())),
        "shared": len(list(Path("/dev/shm").iterdir())),
    }

outcomes, counts = [], []
for _ in range(20):
    result = isolated(configuration)
    outcomes.append(result.outcome)
    counts.append(held())
print(json.dumps([outcomes, counts]))
"""


@pytest.mark.slow
def test_twenty_runs_in_a_row_leak_nothing(machine: Machine) -> None:
    done = machine.command(SERVER, "-c", TWENTY_RUNS)
    assert done.returncode == 0, done.stderr
    outcomes, counts = json.loads(done.stdout.splitlines()[-1])
    assert outcomes == ["ok"] * 20
    assert counts == [counts[0]] * 20
    assert wait_until(lambda: not machine.left()), machine.left()
