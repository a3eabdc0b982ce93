"""Which runs count, and which setting they are of."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.study import select
from greenexp.study.select import PricedRun
from tests.support.baseline_run import one
from tests.support.synthetic_runs import START, Row, labels_of, runs_of, used, without


def priced(*made: Row, **options: Any) -> tuple[list[PricedRun], dict[str, int]]:
    """Returns the runs that count, and how many don't, by reason."""
    runs, left_out = select.priced(runs_of(made), labels_of(made), **options)
    return runs, {left.reason: left.runs for left in left_out}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"outcome": "oom"}, "ended as oom", id="failed"),
        pytest.param({"outcome": None}, "ended as unknown", id="without an outcome"),
        pytest.param(
            {"peers": None},
            "recorded before runs said what they are compared with (no tag greenexp.peers)",
            id="old",
        ),
        pytest.param({"block": None}, "in no block of a sweep, so beside no baseline", id="single"),
        pytest.param({"validity": "cpu_steal"}, "flagged: cpu_steal", id="flagged"),
        pytest.param(
            {"validity": "cpu_steal, hardware_mismatch, replayed"},
            "flagged: cpu_steal, replayed",
            id="flagged for two reasons that count",
        ),
        pytest.param(
            {"outcome": "timeout", "validity": "cpu_steal", "block": None},
            "ended as timeout",
            id="the first of several",
        ),
    ],
)
def test_run_is_left_out_and_counted(changes: Row, reason: str) -> None:
    assert priced(one(**changes), one(block=2)) == (used([one(block=2)]), {reason: 1})


@pytest.mark.parametrize(
    "validity",
    [
        "valid",
        None,
        "hardware_mismatch",
        "precision_not_reached",
        "precision_not_reached, hardware_mismatch",
    ],
)
def test_what_stands_against_prices_or_width_alone_leaves_no_run_out(validity: str | None) -> None:
    assert len(used([one(validity=validity)])) == 1


def test_flagged_runs_count_where_asked() -> None:
    flagged = one(validity="cpu_steal")
    runs, left = priced(flagged, one(block=2, outcome="oom"), keep_flagged=True)
    assert [run.id for run in runs] == [flagged["run_id"]]
    assert left == {"ended as oom": 1}


def test_a_flagged_run_that_was_measured_again_is_no_longer_told_of() -> None:
    later = {"started": START + pd.Timedelta(days=1), "run_id": "valid"}
    others = [one(run_id="other", block=2, validity="cpu_steal")]
    runs, left = priced(one(run_id="flagged", validity="cpu_steal"), one(**later), *others)
    assert [run.id for run in runs] == ["valid"]
    assert left == {"measured again later": 1, "flagged: cpu_steal": 1}


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "out of order"])
def test_of_runs_measured_again_the_latest_counts(turned: bool) -> None:
    again = [
        one(run_id=str(day), started=START + pd.Timedelta(days=day)) | {"latency/p50_ms": day + 1.0}
        for day in range(3)
    ]
    runs, left = priced(*(reversed(again) if turned else again))
    assert [(run.id, run.figures["latency/p50_ms"]) for run in runs] == [("2", 3.0)]
    assert left == {"measured again later": 2}


@pytest.mark.parametrize(
    "spoilt", [{"outcome": "oom"}, {"validity": "other_processes"}], ids=["failed", "flagged"]
)
def test_run_that_does_not_count_replaces_none_that_does(spoilt: Row) -> None:
    later = one(run_id="later", started=START + pd.Timedelta(days=1), **spoilt)
    assert [run.id for run in priced(one(run_id="first"), later)[0]] == ["first"]


def test_second_baseline_and_other_blocks_and_machines_are_no_repeats() -> None:
    apart: list[Row] = [{}, {"replicate": 2}, {"block": 2}, {"machine": "beef"}]
    runs, left = priced(*(one(run_id=str(n), **given) for n, given in enumerate(apart)))
    assert len(runs) == 4
    assert left == {}


def test_two_cells_of_one_name_are_one_tactic_measured_again() -> None:
    """A chain without steps is the baseline of chains, and both may be in one sweep."""
    chain = one(run_id="chain", cell="chain", started=START + pd.Timedelta(days=1))
    runs, left = priced(one(), chain)
    assert [run.id for run in runs] == ["chain"]
    assert left == {"measured again later": 1}


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "ok", "oom", "error", None]),
            st.sampled_from(["valid", "cpu_steal", "hardware_mismatch", None]),
            st.sampled_from([None, 1, 2]),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_every_run_counts_or_is_counted(
    made: list[tuple[str | None, str | None, int | None]], keep_flagged: bool
) -> None:
    given_rows = [
        one(run_id=str(number), outcome=outcome, validity=validity, block=block)
        for number, (outcome, validity, block) in enumerate(made)
    ]
    runs, left_out = select.priced(
        runs_of(given_rows), labels_of(given_rows), keep_flagged=keep_flagged
    )
    assert len(runs) + sum(left.runs for left in left_out) == len(made)
    assert len({run.id for run in runs}) == len(runs)
    assert all(0 < len(left.examples) <= left.runs for left in left_out)


def test_examples_of_runs_left_out_are_few() -> None:
    made = [one(run_id=str(n), outcome="oom", model=f"m{n}", cell=f"m{n}") for n in range(9)]
    _, (left,) = select.priced(runs_of(made), labels_of(made))
    assert (left.runs, left.examples) == (9, [f"m{n} · baseline" for n in range(3)])


def test_no_runs() -> None:
    assert select.priced([], {}) == ([], [])


def test_start_may_be_unknown() -> None:
    assert len(used([one(started=None), one(block=2)])) == 2


@pytest.mark.parametrize(
    ("cpu", "varied"),
    [
        pytest.param("Other CPU", ["Made-up CPU", "Other CPU"], id="by their CPU"),
        pytest.param("Made-up CPU", ["Made-up CPU f00d", "Made-up CPU beef"], id="by print"),
        pytest.param(None, ["Made-up CPU", "beef"], id="without a name"),
    ],
)
def test_two_machines_are_two_settings_by_name(cpu: str | None, varied: list[str]) -> None:
    here, there = used([one(), one(machine="beef", cpu=cpu)])
    assert [here.setting.varied, there.setting.varied] == varied
    assert here.setting.name == f"digits · local · steady · {varied[0]}"
    assert here.machine != there.machine


def test_one_machine_is_not_said_in_the_name() -> None:
    both = used(
        [
            one(setting_varied="batch_size=8"),
            *without([one(cell="other", block=2)], "setting_varied"),
        ]
    )
    names = [run.setting.name for run in both]
    assert names == ["digits · local · steady · batch_size=8", "digits · local · steady"]
