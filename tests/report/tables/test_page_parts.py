"""What the page is made of: links, figures, scripts under its policy, and tables that fold."""

from __future__ import annotations

import base64
import hashlib
import html as markup
import re

import pytest

from greenexp.report.tables import page
from greenexp.report.tables.page import OPEN_MODELS, PageFigure
from tests.support.pages import Reader, read
from tests.support.studies import study
from tests.support.studies_changed import with_cells


def figure(name: str, script: str = "var drawn = 1;") -> PageFigure:
    div = f'<div class="{name}">drawn</div><script>{script}</script>'
    return PageFigure(name, f"Title of {name}", f"Caption of {name}", div)


def test_every_link_leads_to_its_section() -> None:
    seen = read(study(), (figure("pareto"), figure("power")))
    links = [attributes["href"] for tag, attributes in seen.tags if tag == "a"]
    ids = [f"#{attributes['id']}" for _, attributes in seen.tags if "id" in attributes]
    assert set(links) <= set(ids)
    assert len(ids) == len(set(ids))


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
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in written
    }
    assert set(rules["script-src"].split()) == hashes
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert not re.search(r"https?:|\*|connect|unsafe-eval", " ".join(rules.values()))


def content_of(text: str) -> str:
    match = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert match is not None
    return match[1]


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
    opened = sum("open" in attributes for attributes in details)
    assert opened == (3 * models if unfolded else 0)
    assert len(details) >= 3 * models


def test_a_full_study_makes_a_page_of_bearable_size() -> None:
    assert len(page.html(study(42, 20)).encode()) < 8e6


def test_every_table_has_a_caption_and_scrolls_on_its_own() -> None:
    text = page.html(study(2, 2))
    seen = Reader(text)
    assert seen.tables
    assert all(table.caption for table in seen.tables)
    assert text.count("<table>") == text.count('<div class="scroll"')
    assert ("html", {"lang": "en"}) in seen.tags
