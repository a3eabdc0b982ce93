"""Takes the README's pictures: of the MLflow UI (table, charts, one run) and of the report.

    python docs/screenshots.py --backend-store-uri sqlite:///mlruns/mlflow.db --out docs/images
    python docs/screenshots.py --report multirun/report/report.html --out docs/images

Needs playwright from the development dependencies and an installed chromium; downloads nothing.
The browser test of the saved view, tests/tracking/test_view.py, drives the UI with these functions.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from greenexp.tracking.view import VIEW_TAG, WORKFLOW, run_url, view_url

EXPERIMENT = "greenexp"
SERVER_START_S = 120.0
SERVER_STOP_S = 10.0
PAGE_MS = 60_000  # far more than a page took, for busy machines
DRAWN_MS = 1_500  # charts fade in after they are in the document

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A first visit opens the assistant over a quarter of the page; this is what a later visit sees.
SECOND_VISIT = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"


@contextmanager
def mlflow_server(backend_store_uri: str) -> Iterator[str]:
    """Serves the store on a free loopback port; yields the address and stops the server after.

    Raises:
        RuntimeError: The server ended or did not answer in time; the message holds its output.
    """
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", backend_store_uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            if not _answers(f"{base_url}/health", server):
                log.seek(0)
                raise RuntimeError(f"mlflow server did not start:\n{log.read().decode()[-2000:]}")
            yield base_url
        finally:
            _stop(server)


@contextmanager
def chromium_page() -> Iterator[Page]:
    """A page of a fresh profile in the chromium that is installed.

    Raises:
        FileNotFoundError: There is no `chromium` on the PATH.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("no chromium on the PATH; install it, e.g. apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.add_init_script(SECOND_VISIT)
            page.set_default_timeout(PAGE_MS)
            yield page
        finally:
            browser.close()


def open_table(page: Page, base_url: str, experiment_id: str) -> None:
    """Opens the saved view as a table and waits for its first run."""
    _load(page, view_url(base_url, experiment_id, "TABLE"))
    page.locator(".ag-cell a:visible").first.wait_for()  # a group's link is hidden
    _settle(page)


def open_charts(page: Page, base_url: str, experiment_id: str) -> None:
    """Opens the saved view as charts and waits until one is drawn."""
    _load(page, view_url(base_url, experiment_id, "CHART"))
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    _settle(page)


def open_run(page: Page, base_url: str, experiment_id: str, run_id: str) -> None:
    """Opens the page of one run and waits for its metrics."""
    _load(page, run_url(base_url, experiment_id, run_id))
    page.get_by_text("accuracy/top1").first.wait_for()
    page.wait_for_timeout(DRAWN_MS)


def open_models(page: Page, base_url: str, experiment_id: str) -> None:
    """Opens the models of an experiment and waits for the first."""
    _load(page, f"{base_url}/#/experiments/{experiment_id}/models?{WORKFLOW}")
    page.get_by_text("Ready").first.wait_for()
    page.wait_for_timeout(DRAWN_MS)


def open_version(page: Page, base_url: str, name: str, version: int) -> None:
    """Opens a version of a registered model."""
    _load(page, f"{base_url}/#/models/{name}/versions/{version}?{WORKFLOW}")
    page.get_by_text("Source Run").first.wait_for()
    page.wait_for_timeout(DRAWN_MS)


def take_screenshots(base_url: str, experiment: str, out: Path) -> list[Path]:
    """Writes view_table.png, view_chart.png, view_run.png and view_models.png, 1600 by 1000.

    Where a model is registered, view_registered.png shows its latest version.

    Raises:
        LookupError: No such experiment, no saved view in it, or no run with an energy.
    """
    from mlflow import MlflowClient

    client = MlflowClient(base_url)
    known = client.get_experiment_by_name(experiment)
    if known is None or VIEW_TAG not in known.tags:
        raise LookupError(f"the store has no experiment {experiment!r} with the tag {VIEW_TAG}")
    experiment_id = known.experiment_id
    runs = client.search_runs(
        [experiment_id],
        "metrics.`energy/per_image_j` > 0",
        order_by=["metrics.`energy/per_image_j`"],
    )
    if not runs:
        raise LookupError(f"no run of experiment {experiment!r} has energy/per_image_j")
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"view_{name}.png" for name in ("table", "chart", "run", "models")]
    with chromium_page() as page:
        open_table(page, base_url, experiment_id)
        page.screenshot(path=files[0])
        open_charts(page, base_url, experiment_id)
        page.screenshot(path=files[1])
        open_run(page, base_url, experiment_id, runs[0].info.run_id)
        page.screenshot(path=files[2])
        open_models(page, base_url, experiment_id)
        page.screenshot(path=files[3])
        for model in client.search_registered_models(max_results=1):
            files.append(out / "view_registered.png")
            version = max(int(own.version) for own in model.latest_versions)
            open_version(page, base_url, model.name, version)
            page.screenshot(path=files[-1])
    return files


def take_report(report: Path, out: Path) -> list[Path]:
    """Writes report_top.png, its beginning, and report_front.png, its Pareto front, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    files = [out / "report_top.png", out / "report_front.png"]
    with chromium_page() as page:
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.goto(report.resolve().as_uri())
        page.wait_for_timeout(DRAWN_MS)
        page.screenshot(path=files[0])
        page.evaluate("document.querySelector('#front').scrollIntoView()")
        page.wait_for_timeout(DRAWN_MS)
        page.screenshot(path=files[1])
    return files


def _load(page: Page, url: str) -> None:
    # These addresses differ behind the # only: without the detour the UI would not start anew.
    page.goto("about:blank")
    page.goto(url)


def _settle(page: Page) -> None:
    page.get_by_label("Hide banner").click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(DRAWN_MS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except OSError:
            time.sleep(0.5)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    # The workers share the server's process group, which start_new_session made.
    for stop in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, stop)
        except ProcessLookupError:
            return
        try:
            server.wait(SERVER_STOP_S)
        except subprocess.TimeoutExpired:
            continue


def main() -> None:
    """Serves the store and takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backend-store-uri", default="sqlite:///mlruns/mlflow.db")
    parser.add_argument("--experiment", default=EXPERIMENT)
    parser.add_argument("--report", type=Path, help="a report.html, in place of the UI")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    arguments = parser.parse_args()
    if arguments.report is not None:
        for file in take_report(arguments.report, arguments.out):
            print(file)
        return
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when mlflow is imported
    with mlflow_server(arguments.backend_store_uri) as base_url:
        for file in take_screenshots(base_url, arguments.experiment, arguments.out):
            print(file)


if __name__ == "__main__":
    main()
