"""How many windows a run takes: joules and latencies by script, the interval by its formula."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.errors import Disturbed
from greenexp.measuring.quiet import Guard
from greenexp.measuring.recorder import Recorder
from greenexp.measuring.windows import MeasuringEnd, half_width_of, measure_windows
from greenexp.protocols import Reading, Shortest
from greenexp.runs.result import Window
from greenexp.settings.workload import Interference, Workload
from tests.support.builders import energy, level, window
from tests.support.virtual import FakeMeter, Timeline

untimed = settings(deadline=None)  # no test asserts a time

ON_CPU = ["cpu", "dram", "process"]
ON_GPU = [*ON_CPU, "gpu:0"]
STEADY = (10.0,)
WILD = (10.0, 30.0)
# Student's t by hand: the half-width is 116 % of the mean after two windows of 10 and 12, 22.6 %
# after a third of 11, 11.8 % after a fourth.
NARROWING = (10.0, 12.0, 11.0, 11.0)

Script = Sequence[float | None]
"""A value for each window, over and over; None: not read."""


@dataclass
class Machine:
    """Runs one batch a window, unless asked for longer ones, and tells of each what it is told.

    Attributes:
        joules: by component.
        latencies_s: of each batch, over and over.
        others_pct: by window as it was measured, kept or not; what other processes used.
    """

    joules: Mapping[str, Script] = field(default_factory=dict)
    latencies_s: Iterable[float] = STEADY
    others_pct: Script = (0.0,)
    components: Sequence[str] = tuple(ON_CPU)
    shortest: Shortest = field(default_factory=Shortest)
    limits: Interference = field(default_factory=Interference)
    seen: list[int] = field(default_factory=list)

    def run(self, **settings: Any) -> tuple[MeasuringEnd, Sequence[Window]]:
        time = Timeline()
        latencies_s = itertools.cycle(self.latencies_s)
        taken = itertools.count()

        def forward(batch: Any) -> None:
            self.seen.append(batch)
            time.sleep(next(latencies_s))

        def read(start_s: float, end_s: float) -> list[Reading]:
            return self.read(next(taken))

        given = {"min_seconds": 0.5, "min_batches": 1, "min_windows": 2, "max_windows": 10}
        workload = Workload(**(given | settings))
        recorder = Recorder([FakeMeter(time, read)], time.clock, time.sleep)
        guard = Guard(recorder, self.limits, workload.on_interference, self.components)
        ended = measure_windows(
            recorder, forward, itertools.count(), workload, guard, self.shortest
        )
        return ended, recorder.windows

    def read(self, number: int) -> list[Reading]:
        readings = []
        for component, script in self.joules.items():
            value = script[number % len(script)]
            if value is not None:
                readings.append(energy(component, value))
        others_pct = self.others_pct[number % len(self.others_pct)]
        return [*readings, level("other_processes_pct", "cpu", others_pct or 0.0)]


def counted(machine: Machine, **settings: Any) -> tuple[int, bool]:
    """Returns how many windows were measured and whether they settled."""
    ended, windows = machine.run(**settings)
    return len(windows), ended.settled


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(Machine({"cpu": NARROWING}), id="energy, with constant latency"),
        pytest.param(Machine(latencies_s=NARROWING), id="time, where no energy is measured"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({"half_width": 0.23}, (3, True), id="narrow enough with the third"),
        pytest.param({"half_width": 0.22, "max_windows": 4}, (4, True), id="with the last allowed"),
        pytest.param({"half_width": 0.11, "max_windows": 4}, (4, False), id="not even then"),
        pytest.param({"half_width": 0.23, "min_windows": 4}, (4, True), id="at least so many"),
        pytest.param({"half_width": 0.99, "max_windows": 2}, (2, False), id="two are too few"),
        pytest.param({"half_width": None}, (2, True), id="nothing asked: the fewest"),
        pytest.param(
            {"half_width": None, "min_windows": 1, "max_windows": 1}, (1, True), id="just one"
        ),
    ],
)
def test_windows_are_as_many_as_the_precision_takes(
    machine: Machine, settings: dict[str, Any], expected: tuple[int, bool]
) -> None:
    assert counted(machine, **settings) == expected


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        pytest.param(
            Machine({"cpu": STEADY}, latencies_s=WILD), (2, True), id="energy steady, time wild"
        ),
        pytest.param(
            Machine({"cpu": WILD}, latencies_s=STEADY), (10, False), id="energy wild, time steady"
        ),
        pytest.param(
            Machine({"cpu:0": (10.0, 30.0), "dram:0": (30.0, 10.0)}),
            (2, True),
            id="the sum counts, not its parts",
        ),
        pytest.param(
            Machine({"cpu": (10.0, None, 30.0)}, latencies_s=STEADY),
            (2, True),
            id="energy of some windows is none: time counts",
        ),
        pytest.param(
            Machine({"cpu": STEADY, "gpu:0": WILD}), (2, True), id="idle GPU beside a CPU run"
        ),
        pytest.param(
            Machine({"gpu:0": WILD}, latencies_s=STEADY),
            (2, True),
            id="idle GPU alone: time counts in a CPU run",
        ),
        pytest.param(
            Machine({"cpu": STEADY, "gpu:0": WILD}, components=ON_GPU),
            (10, False),
            id="the GPU in use",
        ),
        pytest.param(
            Machine({"gpu:0": STEADY, "gpu:1": WILD}, components=ON_GPU),
            (2, True),
            id="another GPU beside a CUDA run",
        ),
        pytest.param(
            Machine({"gpu:0": WILD, "gpu:1": (1.0, None)}, components=ON_GPU),
            (10, False),
            id="another GPU whose counter stands still at times",
        ),
    ],
)
def test_energy_of_what_the_run_uses_decides(machine: Machine, expected: tuple[int, bool]) -> None:
    assert counted(machine, half_width=0.05) == expected


def test_spread_does_not_matter_where_no_precision_is_asked() -> None:
    assert counted(Machine({"cpu": WILD}), half_width=None, min_windows=5) == (5, True)


@pytest.mark.parametrize(
    ("shortest", "settings", "batches"),
    [
        pytest.param(Shortest(), {}, 1, id="no bound"),
        pytest.param(Shortest(seconds=45.0), {}, 5, id="its seconds"),
        pytest.param(Shortest(batches=7), {}, 7, id="its batches"),
        pytest.param(Shortest(seconds=45.0, batches=7), {}, 7, id="both"),
        pytest.param(
            Shortest(seconds=15.0, batches=2),
            {"min_seconds": 25.0, "min_batches": 4},
            4,
            id="the workload asks for more",
        ),
        pytest.param(
            Shortest(seconds=45.0, batches=2),
            {"min_seconds": 25.0, "min_batches": 3},
            5,
            id="the workload asks for more batches, the meter for more seconds",
        ),
    ],
)
def test_no_window_is_shorter_than_the_meter_can_tell(
    shortest: Shortest, settings: dict[str, Any], batches: int
) -> None:
    _, windows = Machine(shortest=shortest, latencies_s=[10.0]).run(**settings)
    assert [len(window.latencies_s) for window in windows] == [batches] * 2


def test_windows_hold_the_images_of_their_batches() -> None:
    machine = Machine(latencies_s=[2.0, 1.0, 1.0])
    _, windows = machine.run(batch_size=8, min_seconds=1.5)
    assert [(window.images, list(window.latencies_s)) for window in windows] == [
        (8, [2.0]),
        (16, [1.0, 1.0]),
    ]
    assert machine.seen == [0, 1, 2]  # each batch once, in order


def test_disturbed_window_is_measured_anew() -> None:
    machine = Machine({"cpu": (10.0, 99.0, 20.0)}, others_pct=(0.0, 50.0, 0.0, 0.0))
    ended, windows = machine.run(on_interference="wait")
    # The third reading is the look that found quiet; the second window was thrown away.
    assert ended == MeasuringEnd(discarded=1, settled=True)
    assert [window.readings[0].value for window in windows] == [10.0, 10.0]
    assert all(window.readings[1].value == 0.0 for window in windows)


def test_discarded_windows_do_not_count_towards_the_fewest() -> None:
    machine = Machine({"cpu": STEADY}, others_pct=(50.0, 0.0, 0.0))
    ended, windows = machine.run(on_interference="wait", half_width=0.01, min_windows=3)
    assert ended == MeasuringEnd(discarded=3, settled=True)
    assert len(windows) == 3


def test_disturbance_without_end_is_kept_in_the_end() -> None:
    limits = Interference(max_wait_seconds=30.0)
    machine = Machine(others_pct=(50.0,), limits=limits)
    ended, windows = machine.run(on_interference="wait", max_windows=3)
    assert ended == MeasuringEnd(discarded=0, settled=True)
    assert len(windows) == 2


def test_disturbed_window_is_kept_where_it_is_only_flagged() -> None:
    ended, windows = Machine(others_pct=(50.0,)).run(on_interference="flag")
    assert (ended.discarded, len(windows)) == (0, 2)


def test_disturbed_window_ends_a_run_that_must_not_be_disturbed() -> None:
    machine = Machine(others_pct=(0.0, 50.0))
    with pytest.raises(Disturbed, match="other_processes"):
        machine.run(on_interference="fail", min_windows=3)
    assert machine.seen == [0, 1]  # at once, not after the last window


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], None, id="no window"),
        pytest.param([window(energy("cpu", 10.0))], None, id="one window"),
        pytest.param([window(energy("cpu", 10.0))] * 3, 0.0, id="all alike"),
        pytest.param(
            [window(energy("cpu", joules)) for joules in (10.0, 12.0)],
            12.706204736174694 / 11,  # t(0.975, 1) x 1 J in 11 J
            id="two",
        ),
        pytest.param(
            [window(energy("cpu", 10.0), images=10), window(energy("cpu", 20.0), images=20)],
            0.0,
            id="twice the images, twice the joules",
        ),
        pytest.param(
            [window(duration_s=seconds) for seconds in (10.0, 12.0)],
            12.706204736174694 / 11,
            id="two, by time",
        ),
    ],
)
def test_half_width(windows: list[Window], expected: float | None) -> None:
    half_width = half_width_of(windows, ON_CPU)
    assert half_width == (None if expected is None else pytest.approx(expected, rel=1e-12))


joules = st.lists(st.floats(9.0, 11.0), min_size=2, max_size=12)


@untimed
@given(joules, st.floats(1e-3, 0.5), st.integers(2, 12))
def test_measuring_ends_with_the_first_interval_that_is_narrow_enough(
    script: list[float], asked: float, fewest: int
) -> None:
    most = 12
    ended, windows = Machine({"cpu": script}).run(
        half_width=asked, min_windows=fewest, max_windows=most
    )
    widths = [half_width_of(windows[:count], ON_CPU) for count in range(fewest, len(windows) + 1)]
    assert fewest <= len(windows) <= most
    assert all(width is not None and width > asked for width in widths[:-1])
    assert ended.settled is (widths[-1] is not None and widths[-1] <= asked)
    assert ended.settled or len(windows) == most


@untimed
@given(joules, st.floats(0.1, 10.0))
def test_half_width_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    in_joules = half_width_of([window(energy("cpu", value)) for value in values], ON_CPU)
    scaled = half_width_of([window(energy("cpu", factor * value)) for value in values], ON_CPU)
    assert scaled == pytest.approx(in_joules, rel=1e-6, abs=1e-12)
