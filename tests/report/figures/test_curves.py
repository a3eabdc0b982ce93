"""Curves: what is saved up to break-even, and power over time."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from greenexp.report.figures.curves import MAX_PANELS
from greenexp.study.estimates import Interval
from greenexp.study.savings import Payback
from greenexp.study.study import Study
from tests.support.figures import figure, points
from tests.support.studies import study
from tests.support.studies_changed import with_paybacks


def payback(made: Study, model: str, tactic: str) -> Payback:
    (cell,) = [cell for cell in made.cells if (cell.model, cell.tactic) == (model, tactic)]
    return cell.paybacks["usd"]


def test_break_even_lines_are_the_saving_less_the_price() -> None:
    made = study()
    drawn = figure(made, "break_even")
    assert [panel.title for panel in drawn.panels] == list(
        dict.fromkeys(cell.model for cell in made.cells)
    )
    for panel in drawn.panels:
        lines = [series for series in panel.series if series.dash]
        marks = {series.name: series.points for series in panel.series if series.marker}
        assert {line.name for line in lines} == {"dynamic_quantization", "torch_compile"}
        for line in lines:
            break_even = payback(made, panel.title, line.name)
            assert break_even.saving_interval is not None
            for point in line.points:
                assert point.y == pytest.approx(break_even.saving * point.x - break_even.price)
                assert point.y_range is not None
                assert point.y_range.low == pytest.approx(
                    break_even.saving_interval.low * point.x - break_even.price
                )
            (mark,) = marks[line.name]
            assert (mark.x, mark.y, mark.x_range) == (break_even.images, 0, break_even.interval)
            at = next(point.y for point in line.points if point.x == break_even.images)
            assert at == pytest.approx(0, abs=1e-9 * break_even.price)


def test_break_even_names_what_never_pays_back() -> None:
    caption = figure(study(), "break_even").caption
    assert "Never, as far as can be told: global_pruning, local_pruning." in caption or (
        "Never, as far as can be told: local_pruning, global_pruning." in caption
    )


def test_break_even_names_what_is_free() -> None:
    made = study(tactics=8)
    caption = figure(made, "break_even").caption
    free = [
        cell for cell in made.cells if cell.paybacks and cell.paybacks["usd"].verdict == "at once"
    ]
    assert {cell.tactic for cell in free} == {"channels_last"}
    assert "At once: channels_last" in caption


def test_break_even_is_in_joules_where_dollars_are_unknown() -> None:
    made = study()
    cells = [
        replace(
            cell,
            paybacks={key: break_even for key, break_even in cell.paybacks.items() if key != "usd"},
        )
        for cell in made.cells
    ]
    assert figure(made, "break_even").panels[0].y.title.endswith("(USD)")
    assert figure(replace(made, cells=cells), "break_even").panels[0].y.title.endswith("(J)")


def test_break_even_without_an_upper_end_runs_out_of_the_panel() -> None:
    made = with_paybacks(study(), interval=Interval(1e3, math.inf), verdict="pays back")
    drawn = figure(made, "break_even")
    for panel in drawn.panels:
        assert all(map(math.isfinite, panel.x.ends))
        for point in points(panel):
            assert point.x_range is not None
            assert panel.x.within(point.x_range).high == max(panel.x.ends)


def test_break_even_of_one_block_has_no_bands() -> None:
    drawn = figure(study(blocks=1), "break_even")
    assert not any(series.band for panel in drawn.panels for series in panel.series)
    assert all(point.hollow for panel in drawn.panels for point in points(panel))
    assert "nothing is claimed" in drawn.caption
    assert "Nothing saved in the one block measured: " in drawn.caption


def test_break_even_of_many_models_says_how_many_it_shows() -> None:
    drawn = figure(study(models=10), "break_even")
    assert len(drawn.panels) == MAX_PANELS
    assert f"{MAX_PANELS} of 10 models" in drawn.caption


def test_power_is_as_recorded() -> None:
    made = study()
    (panel,) = figure(made, "power").panels
    assert {
        series.name: [(point.x, point.y) for point in series.points] for series in panel.series
    } == made.power
    assert panel.y.ends[0] == 0
