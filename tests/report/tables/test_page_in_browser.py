"""How a real browser shows the page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from greenexp.report.figures import figures
from greenexp.report.figures import with_plotly as interactive
from greenexp.report.tables import page
from greenexp.report.tables.page import OPEN_MODELS, PageFigure
from greenexp.study.study import Study
from tests.support.pages import ATTACK, IMAGE_ATTACK
from tests.support.studies import empty_study, study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SMALLEST_FONT_PX = 11.0
SCREENS = {"desk": (1280, 900), "phone": (400, 800)}


@dataclass
class Opened:
    """A page in a browser, and what it did while it opened."""

    page: Page
    requests: list[str]
    errors: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()


@contextmanager
def opened(browser: Browser, path: Path, screen: str) -> Iterator[Opened]:
    width, height = SCREENS[screen]
    tab = browser.new_page(viewport={"width": width, "height": height})
    seen = Opened(tab, [], [])
    tab.on("request", lambda request: seen.requests.append(request.url))
    tab.on("pageerror", lambda error: seen.errors.append(str(error)))
    tab.on("dialog", lambda dialog: seen.errors.append(f"dialog: {dialog.message}"))
    tab.on(
        "console",
        lambda message: (
            seen.errors.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    tab.goto(path.as_uri())
    for drawing in tab.locator(".drawn").all():
        drawing.locator(".main-svg").first.wait_for()
    tab.wait_for_timeout(500)
    try:
        yield seen
    finally:
        tab.close()


def drawn(made: Study) -> list[PageFigure]:
    return [
        PageFigure(figure.name, figure.title, figure.caption, interactive.div(figure))
        for figure in figures.figures(made)
    ]


def written(made: Study, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(page.html(made, drawn(made)), encoding="utf-8")
    return path


STUDIES = {
    "small": lambda: study(3, 4),
    "two_settings": lambda: study(2, 8, settings=2),
    "one_block": lambda: study(1, 2, blocks=1),
    "large": lambda: study(42, 20),
    "empty": empty_study,
}

BOXES = """() => [...document.querySelectorAll('.drawn')].map(box => {
    const plot = box.querySelector('.js-plotly-plot').getBoundingClientRect();
    const svg = box.querySelector('.main-svg').getBoundingClientRect();
    return {left: svg.left, right: svg.right, width: svg.width, height: svg.height,
            outer: box.clientWidth, inner: box.scrollWidth};
})"""
FONTS = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.closest('script, style')) continue;
        const box = element.getBoundingClientRect();
        if (!box.width || !box.height) continue;
        const style = getComputedStyle(element);
        if (style.visibility === 'hidden' || +style.opacity === 0) continue;
        found.push([walker.currentNode.data.trim(), parseFloat(style.fontSize)]);
    }
    return found;
}"""
# Of each axis the texts of its ticks, as boxes, and the box that they must stay in.
TICKS = """() => [...document.querySelectorAll('.drawn .js-plotly-plot')].flatMap(plot => {
    const frame = plot.querySelector('.main-svg').getBoundingClientRect();
    const axes = {};
    for (const text of plot.querySelectorAll('.xtick text, .ytick text, [class*="tick"] text')) {
        const tick = text.closest('[class*="tick"]');
        const box = text.getBoundingClientRect();
        if (!box.width) continue;
        const key = tick.getAttribute('class');
        (axes[key] ??= []).push({text: text.textContent, left: box.left, right: box.right,
                                 top: box.top, bottom: box.bottom});
    }
    return Object.values(axes).map(ticks => ({ticks, left: frame.left, right: frame.right,
                                              top: frame.top, bottom: frame.bottom}));
})"""


@pytest.mark.slow
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", STUDIES)
def test_browser_shows_the_page_offline_whole_and_legible(
    browser: Browser, tmp_path: Path, name: str, screen: str
) -> None:
    made = STUDIES[name]()
    path = written(made, tmp_path)
    with opened(browser, path, screen) as seen:
        seen.page.screenshot(path=tmp_path / f"{name}_{screen}.png")
        assert seen.errors == []
        beyond = [url for url in seen.requests if not url.startswith(("data:", "blob:"))]
        assert beyond == [path.as_uri()]
        widths = "[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
        scrolled, visible = seen.page.evaluate(widths)
        assert scrolled <= visible
        boxes = seen.page.evaluate(BOXES)
        assert len(boxes) == len(figures.figures(made))
        for box in boxes:
            assert box["width"] > 250
            assert box["height"] > 150
            assert box["left"] >= 0
            assert box["right"] <= visible
            assert box["inner"] <= box["outer"]
        fonts = seen.page.evaluate(FONTS)
        assert [(text, size) for text, size in fonts if size < SMALLEST_FONT_PX] == []
        assert len(fonts) > 30
        check_ticks(seen.page.evaluate(TICKS))


def check_ticks(axes: list[dict[str, Any]]) -> None:
    """Checks that labels of ticks neither overlap nor leave their figure."""
    for axis in axes:
        for index, tick in enumerate(axis["ticks"]):
            assert tick["left"] >= axis["left"] - 1, tick
            assert tick["right"] <= axis["right"] + 1, tick
            for other in axis["ticks"][index + 1 :]:
                assert not overlap(tick, other), (tick, other)


def overlap(box: dict[str, float], other: dict[str, float]) -> bool:
    across = min(box["right"], other["right"]) - max(box["left"], other["left"])
    down = min(box["bottom"], other["bottom"]) - max(box["top"], other["top"])
    return across > 1 and down > 2


@pytest.mark.slow
def test_browser_runs_no_hostile_name(browser: Browser, tmp_path: Path) -> None:
    made = study(2, 2)
    for attack in (ATTACK, IMAGE_ATTACK):
        cells = [replace(cell, model=f"{cell.model} {attack}") for cell in made.cells]
        with opened(browser, written(replace(made, cells=cells), tmp_path), "desk") as seen:
            assert seen.errors == []
            assert len([url for url in seen.requests if url.startswith("file:")]) == 1
            assert attack in seen.page.locator("#models summary .model").first.inner_text()


@pytest.mark.slow
def test_a_script_that_got_in_does_not_run(browser: Browser, tmp_path: Path) -> None:
    """The page's policy is in force: what was planted is refused, and said to be."""
    path = written(study(1, 1), tmp_path)
    planted = "<script>window.planted = true</script><img src=https://example.org/a.png></body>"
    path.write_text(path.read_text("utf-8").replace("</body>", planted), encoding="utf-8")
    with opened(browser, path, "desk") as seen:
        assert seen.page.evaluate("window.planted") is None
        refused = [error for error in seen.errors if "Content Security Policy" in error]
        assert [re.findall(r"script-src|img-src", error)[0] for error in refused] == [
            "script-src",
            "img-src",
        ]


@pytest.mark.slow
def test_a_figure_can_be_saved_under_the_policy(browser: Browser, tmp_path: Path) -> None:
    with opened(browser, written(study(2, 2), tmp_path), "desk") as seen:
        image = seen.page.evaluate(
            "Plotly.toImage(document.querySelector('.js-plotly-plot'), {format: 'png'})"
        )
        assert image.startswith("data:image/png")
        assert seen.errors == []


@pytest.mark.slow
def test_wide_tables_scroll_inside_and_keep_their_names_in_sight(
    browser: Browser, tmp_path: Path
) -> None:
    with opened(browser, written(study(2, 4), tmp_path), "phone") as seen:
        box = seen.page.locator("#overall .scroll").first
        name = box.locator("tbody th").first
        before = name.bounding_box()
        box.evaluate("box => box.scrollLeft = box.scrollWidth")
        after = name.bounding_box()
        assert box.evaluate("box => box.scrollLeft") > 100
        assert before is not None
        assert after is not None
        assert after["x"] == pytest.approx(before["x"], abs=1)
        assert after["width"] < 200


@pytest.mark.slow
def test_folded_models_open_on_a_click(browser: Browser, tmp_path: Path) -> None:
    made = study(OPEN_MODELS + 1, 2)
    with opened(browser, written(made, tmp_path), "phone") as seen:
        first = seen.page.locator("#models details").first
        assert not first.locator("table").is_visible()
        first.locator("summary").click()
        assert first.locator("table").is_visible()
