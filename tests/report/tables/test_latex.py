"""The study in LaTeX."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from greenexp.quantities import ENERGY
from greenexp.report.tables.latex import escape, latex
from greenexp.study.study import Study
from tests.support.studies import empty_study, study
from tests.support.studies_changed import flagged

HOSTILE = r"50%_a&b #{x} $\cmd ^~ [1] <i>"


def rows(text: str) -> list[list[str]]:
    """Returns the texts of each row's columns, headers included."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\") and " & " in line]
    return [
        [column.strip() for column in re.split(r"(?<!\\)&", line.removesuffix(r"\\"))]
        for line in lines
    ]


def named(name: str) -> Study:
    made = study(2, 1)
    cells = [
        replace(cell, model=name, tactic=cell.tactic if cell.is_baseline else name)
        for cell in made.cells
    ]
    return replace(made, cells=cells, overall=[replace(made.overall[0], tactic=name)])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b", r"a\_b"),
        ("95 %", r"95 \%"),
        ("a & b", r"a \& b"),
        ("#1 $", r"\#1 \$"),
        ("{x}", r"\{x\}"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("~^", r"\textasciitilde{}\textasciicircum{}"),
        ("[2]", "{[}2]"),
        ("×0.55", r"$\times$0.55"),
        ("–", "--"),
        ("-1.2 pt (-2.0 to -0.4)", r"$-$1.2 pt ($-$2.0 to $-$0.4)"),
        ("vit-base-16", "vit-base-16"),
    ],
)
def test_escape(text: str, written: str) -> None:
    assert escape(text) == written


@pytest.mark.parametrize("which", ["overall", "cells"])
def test_hostile_names_break_no_row(which) -> None:
    plain, hostile = (latex(named(name), [which]) for name in ("plain", HOSTILE))
    assert escape(HOSTILE) in hostile
    assert [len(row) for row in rows(hostile)] == [len(row) for row in rows(plain)]
    unescaped = re.findall(r"(?<!\\)[%#_]", hostile.partition("\n")[2])
    assert unescaped == re.findall(r"(?<!\\)[%#_]", plain.partition("\n")[2])


@pytest.mark.parametrize("which", ["overall", "cells"])
def test_braces_and_environments_are_balanced(which) -> None:
    text = latex(study(3, 8, settings=2), [which])
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) != []
    assert text.count(r"\begingroup") == text.count(r"\endgroup")
    for rule in ("toprule", "midrule", "bottomrule"):
        assert f"\\{rule}" in text


def test_overall_rows_hold_the_figures_of_the_study() -> None:
    made = study(3, 4)
    header, *lines = rows(latex(made, ["overall"]))
    assert header[0] == "Tactic"
    assert header[2] == "Estimated energy"
    for line, row in zip(made.overall, lines, strict=True):
        effect = line.effects[ENERGY]
        assert effect.interval is not None
        ends = f"({effect.interval.low:.3f} to {effect.interval.high:.3f})"
        stacked = rf"$\times${effect.ratio:.3f}\\{ends}"
        assert row[0] == escape(line.tactic)
        assert row[1] == str(line.models)
        assert row[2] == rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"
        assert row[-1] == effect.verdict


@pytest.mark.parametrize("which", ["overall", "cells"])
def test_flagged_runs_that_count_stay_flagged(which) -> None:
    lines = rows(latex(flagged(study(2, 2)), [which]))[1:]
    compared = [row for row in lines if row[0] != "Tactic" and row[-1]]
    assert compared
    assert all(r"flagged: cpu\_steal" in row[-1] for row in compared)
    assert "flagged" not in latex(study(2, 2), [which])


def test_each_model_stands_above_its_tactics() -> None:
    made = study(2, 1)
    lines = [row[0] for row in rows(latex(made, ["cells"])) if row[0] != "Tactic"]
    first, second = dict.fromkeys(escape(cell.model) for cell in made.cells)
    assert lines == [
        rf"\textbf{{{first}}}",
        r"\quad baseline",
        r"\quad dynamic\_quantization",
        rf"\textbf{{{second}}}",
        r"\quad baseline",
        r"\quad dynamic\_quantization",
    ]


def test_every_label_is_its_own() -> None:
    labels = re.findall(r"\\label\{(.*?)\}", latex(study(2, 1, settings=2)))
    assert len(labels) == len(set(labels)) == 4


def test_a_study_without_runs_is_a_comment() -> None:
    assert all(line.startswith("%") for line in latex(empty_study()).splitlines())
