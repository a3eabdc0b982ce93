"""The report's page as it is read: its headings, tables, text and tags."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from greenexp.report.tables import page
from greenexp.report.tables.page import PageFigure
from greenexp.study.study import Study

ATTACK = "<script>alert(1)</script>"
IMAGE_ATTACK = "<img src=x onerror=alert(1)>\"'"


@dataclass
class Table:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)

    def row(self, name: str) -> dict[str, str]:
        """The cells of the row that begins with the name, by column."""
        (row,) = [row for row in self.rows[1:] if row[0] == name]
        return dict(zip(self.rows[0], row, strict=True))


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


def read(made: Study, drawn: tuple[PageFigure, ...] = ()) -> Reader:
    return Reader(page.html(made, drawn))


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"[-+]?\d[\d.,]*", text)]
