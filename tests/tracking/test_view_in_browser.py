"""The saved view in a real browser: a hundred runs, grouped, ranked and marked."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from greenexp.tracking.view import (
    run_color_tag,
    view_tag,
)
from tests.support.saved_view import (
    FLAGGED,
    METRICS,
    MODELS_J,
    PARAMETERS,
    SAME,
    TACTICS,
    TAGS,
    UNSUPPORTED,
    VALIDITY,
    VERDICT,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

CREATED_MS = 1_760_000_000_000
MAX_EXPERIMENT_TAG_CHARACTERS = 20_000  # of MLflow 3.17


@dataclass(frozen=True)
class Ui:
    """A served store of a hundred runs, and how to drive a browser on it."""

    drive: ModuleType
    page: Page
    base_url: str
    experiment_id: str
    run_ids: dict[str, str]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    drive = load_screenshots()
    root = tmp_path_factory.mktemp("saved_view")
    store = f"sqlite:///{root / 'mlflow.db'}"
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        drive.mlflow_server(store) as base_url,
        drive.chromium_page() as page,
    ):
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        experiment_id, run_ids = write_runs(base_url, root)
        yield Ui(drive, page, base_url, experiment_id, run_ids)


def load_screenshots() -> ModuleType:
    """The functions of docs/screenshots.py, which is a script and not in the package."""
    path = Path(__file__).parents[1].parent / "docs" / "screenshots.py"
    spec = importlib.util.spec_from_file_location("screenshots", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_runs(base_url: str, root: Path) -> tuple[str, dict[str, str]]:
    """Writes 96 flat runs of a machine without a GPU and returns experiment id, run ids by name."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient(base_url)
    experiment_id = client.create_experiment("greenexp", artifact_location=(root / "a").as_uri())
    client.set_experiment_tag(experiment_id, *view_tag(CREATED_MS))
    run_ids = {}
    for model, baseline_j in MODELS_J.items():
        for tactic, factor in [("baseline", 1.0), *ratios(model).items()]:
            name = f"{model} · {tactic}"
            supported = (model, tactic) != UNSUPPORTED
            metrics = synthetic_metrics(baseline_j, factor) if supported else {}
            if tactic == "baseline":
                metrics = {key: metrics[key] for key in metrics if not key.startswith("vs_")}
            tags = {
                "greenexp.outcome": "ok" if supported else "unsupported",
                "greenexp.validity": "throttled" if (model, tactic) == FLAGGED else "valid",
                "greenexp.energy_source": "model",
                VERDICT: mark(model, tactic, factor),
            }
            run_id = client.create_run(experiment_id, run_name=name).info.run_id
            client.log_batch(
                run_id,
                [Metric(key, value, CREATED_MS, 0) for key, value in metrics.items()],
                [Param("model", model), Param("tactic", tactic), Param("dataset", "digits")],
                [RunTag(*tag) for tag in [*tags.items(), run_color_tag(tactic)]],
            )
            client.set_terminated(run_id, "FINISHED" if supported else "FAILED")
            run_ids[name] = run_id
    return experiment_id, run_ids


def ratios(model: str) -> dict[str, float]:
    """Returns the ratio to the baseline of each run of a model but that."""
    more = 0.01 * (list(MODELS_J).index(model) % 5)
    tactics = {tactic: factor + more for tactic, factor in TACTICS.items() if tactic != "baseline"}
    return tactics | {SAME: 1.004}


def mark(model: str, tactic: str, factor: float) -> str:
    if (model, tactic) == UNSUPPORTED:
        return "unsupported"
    if (model, tactic) == FLAGGED:
        return "flagged: throttled"
    if tactic in ("baseline", SAME):
        return tactic
    low, high = factor - 0.012, factor + 0.012
    return f"{'lower' if high < 1 else 'equal within 3 %'} ×{factor:.3f} ({low:.3f} to {high:.3f})"


def synthetic_metrics(baseline_j: float, factor: float) -> dict[str, float]:
    per_image_j = baseline_j * factor
    exact = {
        "accuracy/top1": 0.97 - 0.0002 / per_image_j,
        "energy/per_image_j": per_image_j,
        "energy/net_per_image_j": 0.8 * per_image_j,
        "latency/p50_ms": 290.0 * per_image_j,
        "throughput/images_per_s": 110.0 / per_image_j,
        "cost/usd_per_million_images": 50.0 * per_image_j,
        "vs_baseline/energy_ratio": factor,
        "vs_baseline/latency_ratio": factor,
        "vs_baseline/cost_ratio": factor,
        "vs_baseline/top1_delta": 0.01 * (factor - 1) - 0.1 * baseline_j,
        "carbon/g_per_million_images": 4000.0 * per_image_j,
        "optimization/time_s": 0.1 / per_image_j,
        "utilization/cpu_pct": 93.1,
    }
    return {name: float(f"{value:.4g}") for name, value in exact.items()}


def headers(page: Page) -> list[tuple[str, bool]]:
    """Texts of the column headers on screen from left to right, and whether each is cut."""
    columns = page.evaluate(
        """() => [...document.querySelectorAll('.ag-header-cell')]
            .filter(cell => cell.innerText.trim())
            .sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left)
            .map(cell => [cell.innerText.trim(), [...cell.querySelectorAll('*')]
                .some(part => part.clientWidth && part.scrollWidth > part.clientWidth + 1)])"""
    )
    return [(text, cut) for text, cut in columns]


def rows(page: Page) -> list[tuple[str, str]]:
    """Color and name of the runs on screen from top to bottom."""
    cells = page.evaluate(
        """() => [...document.querySelectorAll('.ag-cell[col-id="attributes.`Run Name`"]')]
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
            .map(cell => cell.innerText.split('\\n'))"""
    )
    return [(color, name) for color, name in cells]


@pytest.mark.slow
def test_table_shows_the_columns_in_order_and_uncut(ui: Ui, tmp_path: Path) -> None:
    ui.drive.open_table(ui.page, ui.base_url, ui.experiment_id)
    ui.page.screenshot(path=tmp_path / "table.png")
    on_opening = headers(ui.page)
    seen = [*on_opening]
    for left_px in range(400, 2001, 400):  # the page holds only the columns on screen
        ui.page.evaluate(
            "(left) => document.querySelector('.ag-body-horizontal-scroll-viewport')"
            ".scrollLeft = left",
            left_px,
        )
        ui.page.wait_for_timeout(500)
        ui.page.screenshot(path=tmp_path / f"table_{left_px}.png")
        seen += headers(ui.page)

    measured = [name for name in METRICS if name != "utilization/gpu_pct"]
    expected = ["Run Name", "Created", VERDICT, VALIDITY, *measured, *TAGS, *PARAMETERS, "Duration"]
    shown = list(dict.fromkeys(text for text, _ in seen))
    assert shown == expected
    assert [text for text, _ in on_opening][:7] == expected[:7]
    assert [text for text, cut in seen if cut] == []


@pytest.mark.slow
def test_table_ranks_the_tactics_of_each_model(ui: Ui, tmp_path: Path) -> None:
    ui.drive.open_table(ui.page, ui.base_url, ui.experiment_id)
    ui.page.screenshot(path=tmp_path / "table.png")
    groups: dict[str, list[str]] = {}
    for color, name in rows(ui.page)[:14]:  # a page shows three groups, and starts a fourth
        if color.startswith("Group: "):
            groups[color.removeprefix("Group: ")] = []
            continue
        groups[list(groups)[-1]].append(name)
        model, tactic = name.split(" · ")
        assert model == list(groups)[-1]
        assert color == run_color_tag(tactic)[1]
    assert len(groups) == 2
    for model, names in groups.items():
        factors = ratios(model)
        expected = [*sorted(factors, key=lambda tactic: factors[tactic]), "baseline"]
        assert names == [f"{model} · {tactic}" for tactic in expected]


@pytest.mark.slow
def test_table_marks_verdicts_same_and_flagged_runs(ui: Ui, tmp_path: Path) -> None:
    ui.drive.open_table(ui.page, ui.base_url, ui.experiment_id)
    seen: set[str] = set()
    for top_px in range(0, 3200, 400):
        ui.page.evaluate(
            "(top) => document.querySelector('.ag-body-viewport').scrollTop = top", top_px
        )
        ui.page.wait_for_timeout(400)
        seen |= set(ui.page.locator(f'.ag-cell[col-id="tags.`{VERDICT}`"]').all_inner_texts())
    ui.page.screenshot(path=tmp_path / "marks.png")
    assert {"baseline", SAME, "flagged: throttled", "unsupported"} <= seen
    assert "lower ×0.550 (0.538 to 0.562)" in seen
    assert "equal within 3 % ×0.990 (0.978 to 1.002)" in seen


@pytest.mark.slow
def test_charts_draw_ratios_against_the_change_of_top1(ui: Ui, tmp_path: Path) -> None:
    ui.drive.open_charts(ui.page, ui.base_url, ui.experiment_id)
    ui.page.screenshot(path=tmp_path / "charts.png")
    section = ui.page.get_by_test_id("experiment-view-compare-runs-section-header").first
    assert section.inner_text().split()[:2] == ["greenexp", "(3)"]
    cards = ui.page.get_by_test_id("experiment-view-compare-runs-card")
    compared = len(ui.run_ids) - len(MODELS_J) - 1  # all but baselines and the unsupported one
    for card, ratio in ((cards.nth(0), "energy_ratio"), (cards.nth(1), "cost_ratio")):
        assert f"vs_baseline/{ratio} vs. vs_baseline/top1_delta" in card.inner_text()
        assert card.locator(".main-svg .point").count() == compared
    ui.page.get_by_text("all ratios of each run").scroll_into_view_if_needed()  # drawn on screen
    ui.page.get_by_text("Parallel Coordinates").scroll_into_view_if_needed()
    ui.page.get_by_text("Showing only visible runs").wait_for()
    ui.page.wait_for_timeout(1_500)
    ui.page.screenshot(path=tmp_path / "charts_lower.png")


@pytest.mark.slow
def test_run_page_shows_its_metrics_and_tags(ui: Ui, tmp_path: Path) -> None:
    name = "model_01 · torch_compile"
    ui.drive.open_run(ui.page, ui.base_url, ui.experiment_id, ui.run_ids[name])
    ui.page.screenshot(path=tmp_path / "run.png")
    text = ui.page.locator("body").inner_text()
    assert name in text
    assert "energy/per_image_j" in text
    assert "greenexp.energy_source" in text
