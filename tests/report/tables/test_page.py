"""The page: what it says, and how a real browser shows it."""

from __future__ import annotations

import base64
import hashlib
import html as markup
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markupsafe import escape

from greenexp.quantities import COST, ENERGY, LATENCY
from greenexp.report.figures import figures
from greenexp.report.figures import with_plotly as interactive
from greenexp.report.tables import page
from greenexp.report.tables.page import OPEN_MODELS, Drawn
from greenexp.study.estimates import Interval
from greenexp.study.study import Study
from tests.support.advised import advised_by
from tests.support.studies import empty_study, study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ATTACK = "<script>alert(1)</script>"
IMAGE_ATTACK = "<img src=x onerror=alert(1)>\"'"
SMALLEST_FONT_PX = 11.0
SCREENS = {"desk": (1280, 900), "phone": (400, 800)}
SPAN = r"([\d.,]+) to ([\d.,]+)"


@dataclass
class Table:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)

    def row(self, name: str) -> dict[str, str]:
        """The cells of the row that begins with the name, by column."""
        (found,) = [row for row in self.rows[1:] if row[0] == name]
        return dict(zip(self.rows[0], found, strict=True))


class Reader(HTMLParser):
    """Reads headings, tables and all text off a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.headings: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside: list[str] = []
        self._space = True  # whether what follows is another word
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "wbr":
            return
        self._space = True
        self._inside.append(tag)
        if tag == "table":
            self.tables.append(Table())
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self._space = True
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"script", "style"} & set(self._inside):
            return
        text = " ".join(data.split())
        begun = self._space or data[:1].isspace()
        self._space = data[-1:].isspace()
        if not text:
            return
        text = f" {text}" if begun else text
        self.words.append(text)
        if "caption" in self._inside:
            self.tables[-1].caption = (self.tables[-1].caption + text).strip()
        elif {"td", "th"} & set(self._inside):
            cells = self.tables[-1].rows[-1]
            cells[-1] = (cells[-1] + text).strip()
        elif self._inside and self._inside[-1] in ("h1", "h2", "h3"):
            self.headings[-1] = (self._inside[-1], text.strip())

    @property
    def text(self) -> str:
        return "".join(self.words)

    def table(self, begin: str) -> Table:
        return next(table for table in self.tables if table.caption.startswith(begin))


def read(made: Study, drawn: tuple[Drawn, ...] = ()) -> Reader:
    return Reader(page.html(made, drawn))


def numbers(text: str) -> list[float]:
    return [float(one.replace(",", "")) for one in re.findall(r"[-+]?\d[\d.,]*", text)]


def with_cells(made: Study, **changes: Any) -> Study:
    return replace(made, cells=[replace(cell, **changes) for cell in made.cells])


# What it says


def test_advice_comes_first_and_next_steps_follow() -> None:
    made = study()
    seen = read(made)
    assert [name for _, name in seen.headings][:3] == ["paper", "Advice", "Next steps"]
    places = [seen.text.index(line) for line in (*advised_by(made), *made.next_steps)]
    assert places == sorted(places)
    assert places[-1] < seen.text.index("Over all models", places[0])


def test_advice_of_many_models_is_folded_below_that_over_models() -> None:
    made = study(OPEN_MODELS + 1, 1)
    text = page.html(made)
    general, folded = text[text.index('id="advice"') :].split("<details>", 1)
    *of_models, over_models = [str(escape(sentence)) for sentence in advised_by(made)]
    assert over_models in general
    for sentence in of_models:
        assert sentence not in general
        assert sentence in folded.partition("</details>")[0]


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(tag[1]) for tag, _ in read(study(3, 2, settings=2)).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_key_table_holds_the_figures_of_the_study() -> None:
    made = study(3, 4)
    table = read(made).table("Each tactic's figure")
    assert [row[0] for row in table.rows[1:-1]] == [line.tactic for line in made.overall]
    for line in made.overall:
        row = table.row(line.tactic)
        columns = {
            ENERGY: "Estimated energy, J per image",
            LATENCY: "Latency p50 ms",
            COST: "USD / million",
        }
        for metric, column in columns.items():
            effect = line.effects[metric]
            assert effect.interval is not None
            expected = [effect.ratio, effect.interval.low, effect.interval.high]
            assert numbers(row[column])[:3] == pytest.approx(expected, abs=5e-4)
            if metric != ENERGY:
                assert row[column].endswith(f"{effect.verdict} p {effect.adjusted_p:.3f}")
        energy = line.effects[ENERGY]
        assert row["Models"] == str(line.models)
        assert numbers(row["Adjusted p"]) == pytest.approx([energy.adjusted_p], abs=5e-4)
        assert row["Verdict on estimated energy"].startswith(energy.verdict)
        assert line.accuracy is not None
        assert numbers(row["Top-1 change"])[0] == pytest.approx(100 * line.accuracy.delta, abs=5e-3)


def test_noise_stands_in_the_last_row_of_the_key_table() -> None:
    made = study(3, 2)
    last = read(made).table("Each tactic's figure").rows[-1]
    (noise,) = made.noise.values()
    assert last[0].startswith("baseline again (A/A)")
    assert numbers(last[1])[0] == pytest.approx(noise[ENERGY].ratio, abs=5e-4)


def test_model_tables_hold_what_was_measured() -> None:
    made = study(2, 3)
    seen = read(made)
    for cell in made.cells:
        row = seen.table(f"{cell.model}: mean over blocks").row(cell.tactic)
        columns = {
            "Estimated energy J/image": ENERGY,
            "Latency p50 ms": LATENCY,
            "USD / million": COST,
            "CO2e g / million": "carbon/g_per_million_images",
        }
        for column, metric in columns.items():
            found = cell.quantities[metric]
            assert found.interval is not None
            expected = [found.value, found.interval.low, found.interval.high]
            assert numbers(row[column]) == pytest.approx(expected, rel=6e-3)
        if not cell.is_baseline:
            energy = cell.effects[ENERGY]
            assert numbers(row["× estimated energy"])[0] == pytest.approx(energy.ratio, abs=5e-4)
            assert energy.verdict in row["× estimated energy"]
        assert numbers(row["Top-1"]) == pytest.approx(
            [cell.quantities["accuracy/top1"].value], abs=5e-5
        )


def test_economics_hold_paybacks_months_and_bills() -> None:
    made = study(1, 3)
    seen = read(made)
    for cell in made.cells[1:]:
        row = seen.table(f"{cell.model}: when it has paid").row(cell.tactic)
        for currency, column in (("j", "In J (estimated energy)"), ("s", "In s (time)")):
            found = cell.paybacks[currency]  # type: ignore[index] # of Currency
            if found.verdict == "pays back":
                assert found.images is not None
                assert row[column].startswith("after ")
                assert numbers(row[column])[0] == pytest.approx(found.images, rel=6e-3, abs=1)
            else:
                assert row[column].startswith(found.verdict)
        month = seen.table(f"{cell.model}: saved in a month").row(cell.tactic)
        assert cell.monthly is not None
        assert cell.bill is not None
        for column, quantity in (
            ("kWh saved (estimated energy)", cell.monthly.kwh),
            ("USD saved", cell.monthly.usd),
            ("kg CO2e saved", cell.monthly.kg_co2e),
            ("Hours saved", cell.monthly.hours),
            ("Bill of 12 months, USD", cell.bill.total_usd),
        ):
            assert quantity is not None
            assert numbers(month[column])[0] == pytest.approx(quantity.value, rel=6e-3)
        table = seen.table(f"{cell.model}: what a month saves when")
        tried = [row for row in table.rows[1:] if row[0] == cell.tactic]
        for one, (_, name, text) in zip(cell.sensitivities, tried, strict=True):
            assert name == one.name
            assert numbers(text)[1::2] or one.saved == []
            assert [part.count(":") for part in text.split("; ")] == [1] * len(one.values)


def test_a_tactic_that_never_pays_back_says_never_and_no_number_first() -> None:
    made = study(1, 3)
    (cell,) = [cell for cell in made.cells if cell.tactic == "local_pruning"]
    row = read(made).table(f"{cell.model}: when it has paid").row("local_pruning")
    assert row["In J (estimated energy)"].startswith("never it takes more")


def test_accuracy_holds_lost_and_gained_images() -> None:
    made = study(1, 3)
    cell = made.cells[1]
    change = cell.accuracy
    assert change is not None
    row = read(made).table(f"{cell.model}: top-1 against").row(cell.tactic)
    assert (row["Lost"], row["Gained"]) == (str(change.lost), str(change.gained))
    assert numbers(row["Images"]) == [change.images]
    assert numbers(row["McNemar's p"]) == pytest.approx([change.p_value], abs=5e-4)


def test_a_drop_of_more_than_is_accepted_is_said() -> None:
    made = study(1, 3)
    table = read(made).table(f"{made.cells[0].model}: top-1 against")
    for cell in made.cells[1:]:
        assert cell.accuracy is not None
        said = "more than accepted" in table.row(cell.tactic)["Change"]
        assert said == (cell.accuracy.delta < -made.max_top1_drop)


def test_left_out_notes_prices_and_method_are_said() -> None:
    made = study()
    seen = read(made)
    table = seen.table("Runs that no figure here is made of")
    assert [row[0] for row in table.rows[1:]] == [one.reason for one in made.left_out]
    assert [row[1] for row in table.rows[1:]] == [str(one.runs) for one in made.left_out]
    for line in (*made.notes, *made.prices, made.cells[0].setting.machine):
        assert line in seen.text
    for word in ("Holm", "McNemar", "Fieller", "A/A", "Nothing was measured anew"):
        assert word in seen.text


# What it must not say


@pytest.mark.parametrize(
    ("source", "says"),
    [("cpu:model", "is an estimate"), ("cpu:model+gpu:counter", "in part an estimate")],
)
def test_an_estimate_is_called_one_in_every_table_with_energy(source: str, says: str) -> None:
    tables = read(with_cells(study(), energy_source=source)).tables
    with_energy = [one for one in tables if "nergy" in one.caption]
    assert len(with_energy) >= 10
    for table in with_energy:
        assert says in table.caption
        assert all("estimated" in name.lower() for name in table.rows[0] if "nergy" in name)


def test_a_measurement_is_not_called_an_estimate() -> None:
    tables = read(with_cells(study(), energy_source="cpu:counter")).tables
    words = [word for one in tables for word in (one.caption, *one.rows[0])]
    assert not [word for word in words if "estimate" in word]


def test_absent_figures_are_a_dash() -> None:
    made = with_cells(
        study(1, 1),
        quantities={},
        effects={},
        accuracy=None,
        paybacks={},
        monthly=None,
        bill=None,
        sensitivities=(),
        on_front=None,
        energy_source=None,
        cost_holds=None,
    )
    overall = [replace(line, effects={}, accuracy=None) for line in made.overall]
    seen = read(replace(made, overall=overall, noise={}))
    cell = made.cells[1]
    for begin, filled in (
        ("mean over blocks", 2),
        ("when it has", 1),
        ("saved in", 1),
        ("top-1", 1),
    ):
        table = seen.table(f"{cell.model}: {begin}")
        assert set(list(table.row(cell.tactic).values())[filled:]) == {"–"}
    assert set(seen.table("Each tactic's").rows[1][1:-1]) == {"–"}
    assert not re.search(r"\b(nan|None|inf|Undefined)\b", seen.text)
    assert "Energy was not measured." in seen.text


def test_one_block_claims_nothing() -> None:
    made = study(1, 2, blocks=1)
    seen = read(made)
    row = seen.table(f"{made.cells[0].model}: when it has").row("dynamic_quantization")
    assert "by one block" in row["In J (estimated energy)"]
    assert "too few runs" in seen.table("Each tactic's").rows[1][2]


def test_infinite_ends_are_words() -> None:
    made = study(1, 1)
    cell = made.cells[1]
    found = replace(cell.paybacks["j"], interval=Interval(5_000.0, float("inf")))
    seen = read(replace(made, cells=[made.cells[0], replace(cell, paybacks={"j": found})]))
    row = seen.table(f"{cell.model}: when it has").row(cell.tactic)
    assert "5,000 or more" in row["In J (estimated energy)"]


@pytest.mark.parametrize("attack", [ATTACK, IMAGE_ATTACK])
def test_hostile_names_are_text(attack: str) -> None:
    made = study(1, 1)
    setting = replace(made.cells[0].setting, machine=attack, varied=attack)
    cells = [
        replace(cell, model=attack, setting=setting, tactic=attack if index else "baseline")
        for index, cell in enumerate(made.cells)
    ]
    overall = [replace(line, setting=setting, tactic=attack) for line in made.overall]
    left_out = [replace(made.left_out[0], detail=attack, examples=[attack])]
    hostile = replace(
        made,
        title=attack,
        cells=cells,
        overall=overall,
        left_out=left_out,
        notes=[attack],
        advice=[replace(made.advice[0], setting=setting, model=attack, tactic=attack)],
        next_steps=[attack],
        prices=[attack],
        made=attack,
    )
    text = page.html(hostile, [Drawn("pareto", attack, attack, "<div></div>")])
    assert attack not in text
    seen = Reader(text)
    assert "".join(attack.split()) in "".join(seen.text.split())
    assert [tag for tag, _ in seen.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in seen.tags]
    assert not [name for _, attributes in seen.tags for name in attributes if name[:2] == "on"]


def test_a_study_without_runs_makes_a_page_that_says_so() -> None:
    made = empty_study()
    seen = read(made)
    assert "There is no finished, valid run to report on." in seen.text
    assert made.next_steps[0] in seen.text
    assert made.left_out[0].reason in seen.text
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    ids = {f"#{attributes.get('id')}" for _, attributes in seen.tags}
    assert set(links) <= ids


def test_every_link_leads_to_its_section() -> None:
    seen = read(study(), (figure("pareto"), figure("power")))
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    ids = [f"#{attributes['id']}" for _, attributes in seen.tags if "id" in attributes]
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))


# What it is made of


def figure(name: str, script: str = "var drawn = 1;") -> Drawn:
    div = f'<div class="{name}">drawn</div><script>{script}</script>'
    return Drawn(name, f"Title of {name}", f"Caption of {name}", div)


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("forest_energy", "Over all models"),
        ("pareto", "Accuracy against energy"),
        ("accuracy_vs_energy", "Accuracy against energy"),
        ("catalogue", "Model by model"),
        ("break_even", "Economics"),
        ("power", "More figures"),
    ],
)
def test_figures_stand_in_their_section(name: str, section: str) -> None:
    seen = read(study(), (figure(name),))
    names = [text for _, text in seen.headings]
    place = names.index(f"Title of {name}")
    above = [text for tag, text in seen.headings[:place] if tag == "h2"]
    assert above[-1] == section
    assert f"Caption of {name}" in seen.text


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else() -> None:
    text = page.html(study(), [figure("pareto", "var one = '\r\n';"), figure("power", "two()")])
    written = re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)
    assert [script for script in written if len(script) < 100] == ["var one = '\n';", "two()"]
    rules = dict(
        rule.split(" ", 1) for rule in markup.unescape(content_of(text)).split("; ") if rule
    )
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in written
    }
    assert set(rules["script-src"].split()) == hashes
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert not re.search(r"https?:|\*|connect|unsafe-eval", " ".join(rules.values()))


def content_of(text: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert found is not None
    return found[1]


def test_plotly_is_there_once_and_only_with_figures() -> None:
    bare = page.html(study())
    assert "<script" not in bare
    assert "script-src 'none'" in markup.unescape(content_of(bare))
    drawn = page.html(study(), [figure("pareto"), figure("power")])
    assert drawn.count("<script>") == 3


@pytest.mark.parametrize(("models", "unfolded"), [(OPEN_MODELS, True), (OPEN_MODELS + 1, False)])
def test_tables_of_many_models_are_folded(models: int, unfolded: bool) -> None:
    details = [
        attributes
        for tag, attributes in read(with_cells(study(models, 1), sensitivities=())).tags
        if tag == "details"
    ]
    assert len(details) == 3 * models + (not unfolded)  # the advice on each model
    assert {"open" in attributes for attributes in details} == {unfolded}


def test_a_full_study_makes_a_page_of_bearable_size() -> None:
    assert len(page.html(study(42, 20)).encode()) < 8e6


def test_every_table_has_a_caption_and_scrolls_on_its_own() -> None:
    text = page.html(study(2, 2))
    seen = Reader(text)
    assert seen.tables
    assert all(table.caption for table in seen.tables)
    assert text.count("<table>") == text.count('<div class="scroll"')
    assert ("html", {"lang": "en"}) in seen.tags


# How a browser shows it


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
        lambda said: seen.errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    tab.goto(path.as_uri())
    for drawing in tab.locator(".drawn").all():
        drawing.locator(".main-svg").first.wait_for()
    tab.wait_for_timeout(500)
    try:
        yield seen
    finally:
        tab.close()


def drawn(made: Study) -> list[Drawn]:
    return [
        Drawn(one.name, one.title, one.caption, interactive.div(one))
        for one in figures.figures(made)
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


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
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
