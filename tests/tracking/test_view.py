"""The saved view: its tag decodes to what it promises."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from greenexp.tracking.view import (
    COLUMN_WIDTHS_PX,
    run_color_tag,
    view_fragment,
    view_tag,
    view_url,
)
from tests.support.saved_view import METRICS, PARAMETERS, TACTICS, TAGS, VALIDITY, VERDICT

if TYPE_CHECKING:
    pass

CREATED_MS = 1_760_000_000_000
MAX_EXPERIMENT_TAG_CHARACTERS = 20_000  # of MLflow 3.17


def decoded_state() -> dict[str, Any]:
    envelope = json.loads(view_tag(CREATED_MS)[1])
    scheme, compressed = envelope["state"].split(";")
    assert scheme == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(compressed)))
    return state


def test_tag_is_an_envelope_that_fits_into_a_tag() -> None:
    key, value = view_tag(CREATED_MS)
    envelope = json.loads(value)
    assert key == "mlflow.sharedViewState.greenexp"
    assert envelope["name"] == "greenexp: greener and cheaper"
    assert envelope["createdAt"] == envelope["updatedAt"] == CREATED_MS
    assert len(value) <= MAX_EXPERIMENT_TAG_CHARACTERS


def test_state_selects_the_columns_and_no_others() -> None:
    state = decoded_state()
    assert state["selectedColumns"] == [
        f"tags.`{VERDICT}`",
        f"tags.`{VALIDITY}`",
        *(f"metrics.`{name}`" for name in METRICS),
        *(f"tags.`{name}`" for name in TAGS),
        *(f"params.`{name}`" for name in PARAMETERS),
    ]
    assert state["columnOrder"] == list(state["columnWidths"]) == list(COLUMN_WIDTHS_PX)
    assert (state["orderByKey"], state["orderByAsc"]) == (
        "metrics.`vs_baseline/energy_ratio`",
        True,
    )
    assert state["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "model"}]


def test_state_draws_the_charts_in_its_own_section() -> None:
    state = decoded_state()
    charts = state["compareRunCharts"]
    assert [chart["type"] for chart in charts] == ["SCATTER", "SCATTER", "SCATTER", "PARALLEL"]
    assert (charts[0]["xaxis"]["key"], charts[0]["yaxis"]["key"]) == (
        "vs_baseline/energy_ratio",
        "vs_baseline/top1_delta",
    )
    assert state["useGroupedValuesInCharts"] is False  # a point a run
    sections = [chart["metricSectionId"] for chart in charts]
    assert list(dict.fromkeys(sections)) == [
        section["uuid"] for section in state["compareRunSections"]
    ]
    assert len({chart["uuid"] for chart in charts}) == len(charts)


ON_SCREEN_PX = 690  # of the table in a window of 1280, MLflow's assistant open beside it
SELECTS_PX = 80  # of the boxes to the left of the names


def test_verdict_and_validity_are_on_screen_in_a_narrow_window() -> None:
    widths = list(COLUMN_WIDTHS_PX.items())
    before = [name for name, _ in widths].index(f"tags.`{VALIDITY}`")
    assert widths[before - 1][0] == f"tags.`{VERDICT}`"
    assert SELECTS_PX + sum(width for _, width in widths[:before]) < ON_SCREEN_PX - 40


def test_charts_have_the_width_of_the_page() -> None:
    """Beside the list of runs a card is 180 px wide in a window of 1280."""
    state = decoded_state()
    assert state["runListHidden"] is True
    columns = {section["uuid"]: section["columns"] for section in state["compareRunSections"]}
    kinds = {
        chart["type"]: columns[chart["metricSectionId"]] for chart in state["compareRunCharts"]
    }
    assert kinds == {"SCATTER": 2, "PARALLEL": 1}


def test_addresses_open_the_same_view_as_table_or_charts() -> None:
    assert view_fragment("7", "CHART") == (
        "#/experiments/7/runs?viewStateShareKey=greenexp&compareRunsMode=CHART"
        "&workflowType=machine_learning"
    )
    assert view_url("http://127.0.0.1:5000/", "7").startswith(
        "http://127.0.0.1:5000/#/experiments/7/runs?viewStateShareKey=greenexp&compareRunsMode=TABLE"
    )


def test_each_tactic_of_the_study_has_its_own_color() -> None:
    colors = {run_color_tag(tactic)[1] for tactic in TACTICS}
    assert len(colors) == len(TACTICS)
    key, color = run_color_tag("a_tactic_added_later")
    assert key == "mlflow.runColor"
    assert re.fullmatch("#[0-9a-f]{6}", color)
