r"""The study as LaTeX tables, ready for \input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from greenexp.quantities import COST, ENERGY, Quantity
from greenexp.report.words import format as wording
from greenexp.report.words import machines as words
from greenexp.study.estimates import Effect
from greenexp.study.study import Cell, Machines, Overall, Setting, Study

PREAMBLE = "% Written by greenexp. Needs \\usepackage{array,booktabs,longtable,graphicx}.\n"
NONE = "% No run to report on.\n"
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",  # at the start of a row it would be an argument of the line break
    "·": r"$\cdot$",
    "→": r"$\to$",
    "×": r"$\times$",
    "–": "--",
    "\n": " ",
    **{character: f"\\{character}" for character in "%_&#$"},
}
MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")
SMALL = "\\footnotesize\\setlength{\\tabcolsep}{3pt}\n"
# What is wider than the page is made as narrow as that.
FIT = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
RAGGED = r">{\raggedright\arraybackslash}p"
COLUMNS = {
    "Tactic": f"{RAGGED}{{3.4cm}}",
    "Verdict": f"{RAGGED}{{1.9cm}}",
    "Machine": f"{RAGGED}{{3.4cm}}",
}  # may take several lines

Which = Literal["overall", "cells", "machines"]


def latex(study: Study, which: Sequence[Which] = ("overall", "cells", "machines")) -> str:
    """Returns the lines over models and the tactics of each model, a table a setting each.

    Where there are several machines, a table a model says what each would deploy.

    Args:
        study: what is written.
        which: `overall` makes a `table`, scaled to the width of the page if need be; `cells` a
            `longtable`, as it may take several pages, that wants a landscape page; `machines` is
            like `overall`.
    """
    tables = [
        written
        for kind in which
        if kind != "machines"
        for number, setting in enumerate(study.settings, 1)
        if (written := _of_setting(study, kind, setting, f"tab:greenexp-{kind}-{number}"))
    ]
    if "machines" in which:
        tables += [
            _of_machines(machines, study, f"tab:greenexp-machines-{number}")
            for number, machines in enumerate(study.machines, 1)
        ]
    return PREAMBLE + ("\n".join(tables) or NONE)


def escape(text: str) -> str:
    """Returns text that LaTeX prints as it stands, with signs of numbers as such."""
    parts = MINUS.split(text)
    return "$-$".join("".join(SPECIAL.get(c, c) for c in part) for part in parts)


def _of_setting(study: Study, which: Which, setting: Setting, label: str) -> str:
    """Returns one table; nothing without a line."""
    cells = [cell for cell in study.cells if cell.setting == setting]
    energy = wording.energy_name(cells)
    sources = "; ".join(wording.sources(cells)) or "not measured"
    ending = f"{setting.name}, {setting.machine}. {energy.capitalize()}: {sources}."
    if which == "overall":
        lines = [_of_line(line, study) for line in study.overall if line.setting == setting]
        compared = [
            energy if quantity.name == ENERGY else quantity.label for quantity in study.compared
        ]
        names = ["Tactic", "Models", *map(str.capitalize, compared), "Top-1", "Adj. p", "Verdict"]
        caption = f"Ratio to the baseline (95 % interval), mean over models. {ending}"
        return _table(names, lines, caption, label) if lines else ""
    short = wording.joules_name(cells)
    names = ["Tactic"]
    for quantity in study.tabled_narrow:
        names.append(short if quantity.name == ENERGY else quantity.title)
        names += [f"× {quantity.label}"] if quantity.compared else []
    names += ["Top-1", "Change", "Adj. p", "Verdict"]
    lines = []
    for model in dict.fromkeys(cell.model for cell in cells):
        lines.append([f"\\textbf{{{escape(model)}}}", *([""] * (len(names) - 1))])
        lines += [_of_cell(cell, study.tabled_narrow) for cell in cells if cell.model == model]
    caption = (
        f"Each model; × is the ratio to its baseline, of energy with its 95 % interval. {ending}"
    )
    return _long_table(names, lines, caption, label)


def _of_machines(machines: Machines, study: Study, label: str) -> str:
    """Returns the table of a model's machines."""
    shown = words.columns(study)
    headings = [wording.heading(quantity, words.energy(machines)) for quantity in shown]
    lines = [
        [
            escape(f"{words.machine(deployment)}, {words.place(deployment)}"),
            escape(f"{words.tactic(deployment)} ({words.why(deployment)})"),
            *(
                _stacked(
                    words.figure(deployment, quantity.name), words.span(deployment, quantity.name)
                )
                for quantity in shown
            ),
            *(escape(words.remark(deployment, name) or wording.ABSENT) for name in (ENERGY, COST)),
        ]
        for deployment in machines.deployments
    ]
    names = ["Machine", "Tactic", *headings, "Energy from", "Dollars hold"]
    return _table(names, lines, words.caption(machines), label)


def _of_line(line: Overall, study: Study) -> list[str]:
    energy = line.effects.get(ENERGY)
    change = line.accuracy
    return [
        escape(line.tactic),
        str(line.models),
        *(
            _stacked(wording.ratio(effect), wording.ratio_span(effect))
            for effect in (line.effects.get(quantity.name) for quantity in study.compared)
        ),
        _stacked(
            wording.points(None if change is None else change.delta),
            wording.points_span(None if change is None else change.interval),
        ),
        escape(wording.p_value(None if energy is None else energy.adjusted_p)),
        escape(_verdict(energy, line.doubts)),
    ]


def _verdict(energy: Effect | None, doubts: Sequence[str]) -> str:
    """Returns a verdict, and what stands against the runs that it is made of."""
    verdict = wording.ABSENT if energy is None else wording.verdict(energy)
    return f"{verdict}; flagged: {', '.join(doubts)}" if doubts else verdict


def _of_cell(cell: Cell, tabled: Sequence[Quantity]) -> list[str]:
    figures = []
    for quantity in tabled:
        effect = cell.effects.get(quantity.name)
        span = wording.ratio_span(effect) if quantity.name == ENERGY else ""
        figures.append(escape(wording.quantity(cell.quantities.get(quantity.name))))
        if quantity.compared:
            figures.append("" if cell.is_baseline else _stacked(wording.ratio(effect), span))
    top1 = cell.quantities.get("accuracy/top1")
    compared = ["", "", f"flagged: {escape(', '.join(cell.doubts))}" if cell.doubts else ""]
    if not cell.is_baseline:
        energy = cell.effects.get(ENERGY)
        compared = [
            escape(wording.points(None if cell.accuracy is None else cell.accuracy.delta)),
            escape(wording.p_value(None if energy is None else energy.adjusted_p)),
            escape(_verdict(energy, cell.doubts)),
        ]
    return [
        rf"\quad {escape(cell.tactic)}",
        *figures,
        escape(wording.fraction(None if top1 is None else top1.value)),
        *compared,
    ]


def _stacked(text: str, detail: str) -> str:
    """Returns the text, escaped, with the detail in brackets below it."""
    if not detail:
        return escape(text)
    return rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{escape(text)}\\({escape(detail)})\end{{tabular}}"


def _table(names: Sequence[str], lines: Sequence[Sequence[str]], caption: str, label: str) -> str:
    written = _booktabs(names, lines, caption, label, position="htbp", position_float="centering")
    head, begin, rest = written.partition("\\begin{tabular}")
    body, end, tail = rest.rpartition("\\end{tabular}")
    return f"{head}{SMALL}{FIT}{begin}{body}{end}}}{tail}"


def _long_table(
    names: Sequence[str], lines: Sequence[Sequence[str]], caption: str, label: str
) -> str:
    written = _booktabs(names, lines, caption, label, environment="longtable")
    return f"\\begingroup{SMALL}{written}\\endgroup\n"


def _booktabs(
    names: Sequence[str], lines: Sequence[Sequence[str]], caption: str, label: str, **layout: str
) -> str:
    """Returns the table of texts that are escaped already; names and caption are not."""
    import pandas as pd  # 0.5 s to import

    frame = pd.DataFrame(lines, columns=[escape(name) for name in names], dtype=object)
    written: str = frame.style.hide(axis="index").to_latex(
        column_format="".join(COLUMNS.get(name, "r") for name in names),
        hrules=True,
        caption=escape(caption),
        label=label,
        **layout,
    )
    return written
