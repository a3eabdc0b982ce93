"""Joules out of readings: what is counted, what is bounded, what is not of this run."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.protocols import Reading, Source
from greenexp.runs.energy import (
    SystematicError,
    energy_by_kind,
    energy_holds,
    energy_readings,
    energy_source,
    in_use,
    source_gap,
    systematic_error,
    total_energy_j,
    used,
)
from greenexp.runs.result import Window
from tests.support.builders import cpu_run, cuda_run, energy, level, phase, window

untimed = settings(deadline=None)  # no test asserts a time

GPU: dict[str, Source] = {"gpu:0": "counter"}


def bounded(
    component: str, joules: float, relative_error: float | None, resolution: float | None = None
) -> Reading:
    stated = energy(component, joules)
    return replace(stated, relative_error=relative_error, resolution=resolution)


def both(counted_j: float, sampled_j: float, component: str = "gpu:0") -> list[Reading]:
    return [energy(component, counted_j), energy(component, sampled_j, "sampled")]


MIXED = window(
    energy("cpu:0", 3.0),
    energy("gpu:0", 9.0, "sampled", "zeus"),
    energy("gpu:0", 8.0, "sampled", "nvml"),
    energy("gpu:0", 7.0),
    level("utilization_pct", "dram:0", 50.0),
    energy("cpu:1", 2.0),
)


@pytest.mark.parametrize(
    ("holds", "joules"),
    [
        pytest.param({}, None, id="nothing held"),
        pytest.param({"gpu:0": "counter"}, [7.0], id="just the source held"),
        pytest.param({"gpu:0": "sampled"}, [9.0], id="the first of two meters"),
        pytest.param({"gpu:0": "counter", "cpu:0": "counter"}, [7.0, 3.0], id="as held"),
        pytest.param({"gpu:0": "counter", "gpu:1": "counter"}, None, id="one is lacking"),
        pytest.param({"cpu:0": "model"}, None, id="read from another source"),
        pytest.param({"dram:0": "sampled"}, None, id="another quantity"),
    ],
)
def test_energy_readings_and_their_total(
    holds: dict[str, Source], joules: list[float] | None
) -> None:
    readings = energy_readings(MIXED, holds)
    assert (readings and [reading.value for reading in readings]) == joules
    assert total_energy_j(MIXED, holds) == (joules and sum(joules))


def test_total_of_a_phase() -> None:
    assert total_energy_j(phase("idle", 2.0, energy("gpu:0", 4.0)), GPU) == 4.0


def test_energy_by_kind_adds_what_is_of_one_kind() -> None:
    holds = energy_holds([MIXED])
    assert energy_by_kind(MIXED, holds) == {"cpu": 5.0, "gpu": 7.0}
    assert energy_by_kind(MIXED, {}) is None


@pytest.mark.parametrize(
    ("sources", "held"),
    [
        (["model", "sampled", "counter"], "counter"),
        (["model", "sampled"], "sampled"),
        (["model"], "model"),
    ],
)
def test_most_direct_source_is_held(sources: list[Source], held: Source) -> None:
    read = window(*(energy("cpu", 1.0, source) for source in sources))
    assert energy_holds([read]) == {"cpu": held}


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05, 3.0))], SystematicError(5.0, 3.0), id="one"
        ),
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05, 3.0)), window(bounded("gpu:0", 60.0, 0.05, 4.0))],
            SystematicError(8.0, 5.0),
            id="scales add up, ends add up in squares",
        ),
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05, 3.0), bounded("cpu", 40.0, 0.5, 4.0))],
            SystematicError(25.0, 5.0),
            id="of two components too",
        ),
        pytest.param([window(bounded("gpu:0", 100.0, 0.0))], SystematicError(0.0, 0.0), id="exact"),
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05))], SystematicError(5.0, 0.0), id="ends not stated"
        ),
        pytest.param([window(bounded("gpu:0", 100.0, None, 3.0))], None, id="scale not stated"),
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05)), window(bounded("gpu:0", 100.0, None))],
            None,
            id="scale not stated once",
        ),
        pytest.param(
            [window(bounded("gpu:0", 100.0, 0.05), bounded("cpu", 1.0, None))],
            None,
            id="scale of one component not stated",
        ),
    ],
)
def test_systematic_error(windows: list[Window], expected: SystematicError | None) -> None:
    assert systematic_error(windows, energy_holds(windows)) == expected


def test_systematic_error_is_of_what_is_held() -> None:
    """A meter that is not counted need not state what it may be off by."""
    windows = [
        window(
            bounded("gpu:0", 100.0, 0.05),
            replace(bounded("gpu:0", 90.0, None), source="sampled"),
            level("utilization_pct", "gpu:0", 50.0),
        )
    ]
    assert systematic_error(windows, GPU) == SystematicError(5.0, 0.0)


@pytest.mark.parametrize(
    ("windows", "gap"),
    [
        pytest.param([], None, id="no window"),
        pytest.param([window(*both(8.0, 10.0))], 0.25, id="samples tell more"),
        pytest.param([window(*both(8.0, 6.0))], 0.25, id="samples tell less"),
        pytest.param([window(*reversed(both(8.0, 6.0)))], 0.25, id="in any order"),
        pytest.param([window(energy("gpu:0", 8.0))], None, id="counter alone"),
        pytest.param([window(energy("gpu:0", 8.0, "sampled"))], None, id="samples alone"),
        pytest.param(
            [window(energy("cpu", 8.0), energy("cpu", 99.0, "model"))], None, id="an estimate"
        ),
        pytest.param(
            [window(energy("cpu", 8.0, "sampled"), energy("cpu", 99.0, "model"))],
            None,
            id="an estimate beside samples",
        ),
        pytest.param(
            [window(energy("gpu:0", 8.0), energy("gpu:1", 9.0, "sampled"))],
            None,
            id="of two components",
        ),
        pytest.param([window(*both(0.0, 10.0))], None, id="a counter that stood still"),
        pytest.param(
            [window(*both(8.0, 10.0)), window(*both(8.0, 6.0))],
            0.0,
            id="over all windows: one late refresh is no gap",
        ),
        pytest.param(
            [window(*both(8.0, 10.0)), window(energy("gpu:0", 99.0))],
            0.25,
            id="over the windows that have both",
        ),
        pytest.param(
            [window(*both(8.0, 9.0), *both(8.0, 12.0, "gpu:1"))], 0.5, id="widest of two components"
        ),
        pytest.param(
            [window(level("power_w", "gpu:0", 1.0), replace(*both(8.0, 9.0)[:1], quantity="x"))],
            None,
            id="another quantity",
        ),
    ],
)
def test_source_gap(windows: list[Window], gap: float | None) -> None:
    assert source_gap(windows) == gap


NAMES = ["cpu", "cpu:0", "dram:0", "process", "gpu:0", "gpu:1"]
READ = [level("temperature_c", name, 30.0) for name in NAMES]


@pytest.mark.parametrize(
    ("components", "kept"),
    [
        pytest.param(["cpu", "dram", "process"], NAMES[:4], id="CPU run"),
        pytest.param(["cpu", "dram", "process", "gpu:0"], NAMES[:5], id="CUDA run"),
        pytest.param(["gpu:1"], [*NAMES[:4], "gpu:1"], id="another GPU"),
        pytest.param([], NAMES[:4], id="not known: the machine is always used, no GPU is"),
        pytest.param(["gpu"], NAMES[:4], id="the kind names none of them"),
    ],
)
def test_used_leaves_out_the_gpus_beside_the_run(components: list[str], kept: list[str]) -> None:
    assert [reading.component for reading in used(READ, components)] == kept


def test_in_use_changes_phases_and_windows_and_nothing_else() -> None:
    result = cpu_run(window(*READ), phases=[phase("idle", 1.0, *READ)], doubts=["why"])
    left = in_use(result)
    assert [reading.component for reading in left.phases[0].readings] == NAMES[:4]
    assert [reading.component for reading in left.windows[0].readings] == NAMES[:4]
    assert replace(left, phases=[], windows=[]) == replace(result, phases=[], windows=[])


positive = st.floats(1e-3, 1e6)
pairs = st.lists(st.tuples(positive, positive), min_size=1, max_size=8)


@untimed
@given(pairs)
def test_gap_over_all_is_no_wider_than_the_widest(joules: list[tuple[float, float]]) -> None:
    whole = source_gap([window(*both(*pair)) for pair in joules])
    each = [source_gap([window(*both(*pair))]) for pair in joules]
    assert whole is not None
    assert whole <= max(gap for gap in each if gap is not None) * (1 + 1e-9) + 1e-12


@untimed
@given(pairs, st.floats(0.1, 10.0))
def test_gap_does_not_depend_on_the_unit(joules: list[tuple[float, float]], factor: float) -> None:
    gap = source_gap([window(*both(*pair)) for pair in joules])
    scaled = source_gap([window(*both(factor * a, factor * b)) for a, b in joules])
    assert scaled == pytest.approx(gap, rel=1e-6, abs=1e-9)


@untimed
@given(positive, st.floats(0.0, 1.0), positive, st.integers(1, 20))
def test_repetition_shrinks_the_ends_and_not_the_scale(
    joules: float, relative_error: float, resolution: float, count: int
) -> None:
    windows = [window(bounded("gpu:0", joules, relative_error, resolution))] * count
    error = systematic_error(windows, GPU)
    assert error is not None
    assert error.scale_j == pytest.approx(count * relative_error * joules)
    assert error.ends_j == pytest.approx(math.sqrt(count) * resolution)


readings = st.lists(
    st.builds(
        energy,
        st.sampled_from(["gpu:0", "gpu:1", "cpu", "cpu:0", "cpu:1", "dram:0"]),
        positive,
        st.sampled_from(["counter", "sampled", "model"]),
    ),
    max_size=8,
)


@untimed
@given(st.lists(readings, min_size=1, max_size=4))
def test_what_is_held_is_read_in_every_window(of_windows: list[list[Reading]]) -> None:
    windows = [window(*of_window) for of_window in of_windows]
    holds = energy_holds(windows)
    for stretch in windows:
        joules = total_energy_j(stretch, holds)
        assert (joules is None) is (holds == {})
        kinds = energy_by_kind(stretch, holds) or {}
        assert sum(kinds.values()) == pytest.approx(joules or 0.0)
    assert not ("cpu" in holds and {"cpu:0", "cpu:1"} & set(holds))  # no joule counts twice


@untimed
@given(readings, st.sets(st.sampled_from(NAMES)))
def test_used_is_the_same_when_done_again(read: list[Reading], components: set[str]) -> None:
    once = used(read, sorted(components))
    assert used(once, sorted(components)) == once
    result = in_use(cuda_run(window(*read), components=sorted(components)))
    assert list(result.windows[0].readings) == once


def test_system_on_a_chip_counts_its_board_and_no_estimate() -> None:
    read = window(
        energy("cpu", 4.0, "sampled"),
        energy("cpu", 9.0, "model"),
        energy("gpu:0", 2.0, "sampled"),
        energy("board", 3.0, "sampled"),
    )
    for run, joules in ((cuda_run(read), 9.0), (cpu_run(read), 7.0)):
        used = in_use(run).windows
        assert total_energy_j(used[0], energy_holds(used)) == joules
    assert energy_source(cuda_run(read)) == "board:sampled+cpu:sampled+gpu:sampled"
