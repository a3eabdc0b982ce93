"""The view of the MLflow UI that answers "which tactic makes my model greener and cheaper".

MLflow keeps a saved view as a tag of the experiment and lists it in the "Views" menu of the page.
One view serves the table of runs and the charts: the address chooses between them. The table
groups the runs by model. Within a model, the tactic with the smallest ratio to the baseline comes
first, with its interval and verdict beside it.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any, Literal

from greenexp.quantities import COST, ENERGY, LATENCY, QUANTITIES, TOP1, compared
from greenexp.tracking.rows import written

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

# The format of the view is undocumented: read from the UI of MLflow 3.17.2 and guarded by a test in
# a real browser, tests/tracking/test_view.py. A UI that can't read it shows its own default view.

VIEW_KEY = "greenexp"
VIEW_NAME = "greenexp: greener and cheaper"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"
SECTION = "greenexp"
TOGETHER = "greenexp: all ratios of each run"  # a chart of many axes needs the whole width
VERDICT_TAG = "greenexp.verdict"
RUN_COLOR_TAG = "mlflow.runColor"
# A browser that never chose otherwise shows the menus for language models, runs hidden in them.
WORKFLOW = "workflowType=machine_learning"

Mode = Literal["TABLE", "CHART"]

# Columns from left to right with their widths in pixels: what decides stands first, and each width
# holds its header, which the UI's own 100 px cut after about 14 characters.
RATIOS = {quantity.name: f"vs_baseline/{quantity.slug}_ratio" for quantity in compared()}
TOP1_DELTA = "vs_baseline/top1_delta"
HEADER_PX, CHARACTER_PX = 60, 5
SORTED_PX = 20  # of the arrow beside the column that sorts
COLUMN_WIDTHS_PX = {
    "attributes.`Run Name`": 232,
    "runDateAndNestInfo": 76,
    f"tags.`{VERDICT_TAG}`": 255,
    "tags.`greenexp.validity`": 150,  # on screen beside the verdict, even in a narrow window
    **{
        f"metrics.`{name}`": HEADER_PX
        + CHARACTER_PX * len(name)
        + (SORTED_PX if name == RATIOS[ENERGY] else 0)
        for name in (*RATIOS.values(), TOP1_DELTA)
    },
    **{
        f"metrics.`{quantity.name}`": quantity.width_px
        for quantity in QUANTITIES
        if quantity.width_px is not None and (quantity.compared or quantity.name == TOP1)
    },
    **{
        f"metrics.`{quantity.name}`": quantity.width_px
        for quantity in QUANTITIES
        if quantity.width_px is not None and not quantity.compared and quantity.name != TOP1
    },
    "tags.`greenexp.outcome`": 150,
    "tags.`greenexp.energy_source`": 180,
    "params.`model`": 150,
    "params.`tactic`": 170,
    "duration": 85,
}
# The UI shows these whether selected or not; it can only move and resize them.
PERMANENT_COLUMNS = ("attributes.`Run Name`", "runDateAndNestInfo", "duration")

# Without this tag the UI colors runs at random; with it a color is a tactic on every chart.
TACTIC_COLORS = {
    "baseline": "#6b7280",
    "dynamic_quantization": "#e69f00",
    "torch_compile": "#0072b2",
    "local_pruning": "#cc79a7",
    "global_pruning": "#d55e00",
}
OTHER_COLORS = ("#009e73", "#56b4e9", "#7a5195", "#8c6d31", "#b8b000", "#1b1f3b")


def save_view(client: MlflowClient, experiment: Experiment, now_ms: int) -> None:
    """Gives an experiment the tag of the saved view, where it has none; the time is the epoch's."""
    key, value = view_tag(now_ms)
    if key not in experiment.tags:
        written(lambda: client.set_experiment_tag(experiment.experiment_id, key, value))


def view_tag(created_ms: int) -> tuple[str, str]:
    """Key and value of the experiment's tag; `created_ms` counts from the epoch."""
    state = json.dumps(view_state(), separators=(",", ":")).encode()
    envelope = {
        "name": VIEW_NAME,
        "createdAt": created_ms,
        "updatedAt": created_ms,
        "state": "deflate;" + base64.b64encode(zlib.compress(state, level=9)).decode(),
    }
    return VIEW_TAG, json.dumps(envelope)


def run_color_tag(tactic: str) -> tuple[str, str]:
    """Key and value of a run's tag: one color a tactic, the same in every experiment."""
    other = OTHER_COLORS[zlib.crc32(tactic.encode()) % len(OTHER_COLORS)]
    return RUN_COLOR_TAG, TACTIC_COLORS.get(tactic, other)


def view_fragment(experiment_id: str, mode: Mode = "TABLE") -> str:
    """The address of the view behind the server's root, from `#` on."""
    query = f"viewStateShareKey={VIEW_KEY}&compareRunsMode={mode}&{WORKFLOW}"
    return f"#/experiments/{experiment_id}/runs?{query}"


def view_url(base_url: str, experiment_id: str, mode: Mode = "TABLE") -> str:
    """The address of the view on the server at `base_url`."""
    return f"{base_url.rstrip('/')}/{view_fragment(experiment_id, mode)}"


def run_url(base_url: str, experiment_id: str, run_id: str) -> str:
    """The address of one run on the server at `base_url`."""
    return f"{base_url.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


def view_state() -> dict[str, Any]:
    """Returns the state of the page: columns, groups, sorting and charts."""
    return {
        "orderByKey": f"metrics.`{RATIOS[ENERGY]}`",
        "orderByAsc": True,
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "param", "groupByData": "model"}],
        },
        "useGroupedValuesInCharts": False,  # a point a run
        "selectedColumns": [name for name in COLUMN_WIDTHS_PX if name not in PERMANENT_COLUMNS],
        "columnOrder": list(COLUMN_WIDTHS_PX),
        "columnWidths": COLUMN_WIDTHS_PX,
        "runsHiddenMode": "SHOW_ALL",  # the default draws the first 10 runs only
        "runListHidden": True,  # beside it a chart has half the page, and no room for its axes
        "compareRunCharts": _charts(),
        "compareRunSections": [
            _section(SECTION, columns=2, height_px=380),
            _section(TOGETHER, columns=1, height_px=420),
        ],
        "isAccordionReordered": True,  # keeps the section above those the UI adds by itself
    }


def _charts() -> list[dict[str, Any]]:
    return [
        *(
            _chart("SCATTER", f"top1-{slug}", xaxis=_axis(RATIOS[name]), yaxis=_axis(TOP1_DELTA))
            for slug, name in (("energy", ENERGY), ("cost", COST))
        ),
        _chart(
            "SCATTER",
            "energy-latency",
            xaxis=_axis(RATIOS[LATENCY]),
            yaxis=_axis(RATIOS[ENERGY]),
        ),
        _chart(
            "PARALLEL",
            "all",
            section=TOGETHER,
            selectedParams=["tactic"],
            # The last one colors the lines.
            selectedMetrics=[TOP1_DELTA, *(RATIOS[name] for name in (LATENCY, COST, ENERGY))],
        ),
    ]


def _section(name: str, *, columns: int, height_px: int) -> dict[str, Any]:
    return {
        "uuid": name,
        "name": name,
        "display": True,
        "columns": columns,
        "cardHeight": height_px,
    }


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}


def _chart(kind: str, name: str, *, section: str = SECTION, **settings: object) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{SECTION}-{name}",
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }
