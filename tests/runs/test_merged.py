"""Runs that stand in several stores and journals."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from greenexp.runs.merged import merged
from greenexp.runs.run import Run
from tests.support.builders import a_run


def stands(name: str, origin: str | None = None, day: int = 1, **fields: object) -> Run:
    started = f"2026-01-{day:02}T00:00:00+00:00"
    return replace(a_run(), id=name, started=started, origin=origin, **fields)


def test_runs_come_once_and_oldest_first() -> None:
    here = [stands("a", "x", 2), stands("b", "x", 4)]
    there = [stands("c", "y", 1), stands("b", "y", 4), stands("d", "y", 3)]
    assert [run.id for run in merged([*here, *there])] == ["c", "a", "d", "b"]


def test_run_in_a_journal_and_in_a_store_has_its_folder_and_its_id() -> None:
    in_store = stands("a", "store", tracked="m1")
    in_journal = stands("a", "journal", folder="multirun/0")
    (run,) = merged([in_journal, in_store])
    assert (run.tracked, run.folder) == ("m1", "multirun/0")


def test_run_that_is_known_exactly_speaks_for_it() -> None:
    rounded = stands("a", "server", schema=0, metrics={"latency/p50_ms": 1.23457})
    exact = stands("a", "journal", metrics={"latency/p50_ms": 1.234567890123})
    for both in ([rounded, exact], [exact, rounded]):
        (run,) = merged(both)
        assert run.metrics == exact.metrics


def test_record_and_the_run_that_it_was_sent_as_are_one_without_a_tag() -> None:
    tracked_before_tags = stands("m1", "store", tracked="m1")
    assert len(merged([tracked_before_tags, stands("a", "journal", tracked="m1")])) == 1


def test_places_that_share_a_run_hold_one_study() -> None:
    apart = [stands("a", "x"), stands("b", "y"), stands("c", "z")]
    assert [run.origin for run in merged(apart)] == ["x", "y", "z"]
    shared = [*apart, stands("a", "z")]
    assert [run.origin for run in merged(shared)] == ["x", "y", "x"]
    all_of_them = [*shared, stands("b", "z")]
    assert {run.origin for run in merged(all_of_them)} == {"x"}


def test_one_place_is_as_it_was() -> None:
    runs = [stands("b", None, 1), stands("a", None, 1), stands("c", None, 2)]
    assert merged(runs) == runs


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=12))
def test_each_run_stands_once_and_shares_its_origin_with_its_places(
    places: list[tuple[str, str]],
) -> None:
    runs = merged([stands(name, origin) for name, origin in places])
    assert sorted(run.id for run in runs) == sorted({name for name, _ in places})
    of = {run.id: run.origin for run in runs}
    for name, origin in places:
        for other, its in places:
            assert origin != its or of[name] == of[other]
