"""The study on a terminal: each tactic over the models, and each model's tactics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from greenexp.quantities import ENERGY, Quantity
from greenexp.report.tables.machines import machines_table
from greenexp.report.tables.narrow import fitted
from greenexp.report.words import format as wording
from greenexp.runs.texts import printable
from greenexp.study.estimates import Effect
from greenexp.study.study import Cell, Failure, Overall, Study
from greenexp.study.verdicts import Verdict

WIDTH_WITHOUT_TERMINAL = 160  # characters; a table in a log must not be cut to 80
WIDE = 150  # characters; with fewer, what belongs to a figure stands below it
DETAILED_MODELS = 6  # with more, details are left to the page and the CSV files
NOTHING = "No finished, valid run to report on."
NOTHING_COMPARED = "No tactic has a baseline to be held to."
AGAIN = "baseline again (A/A)"
STYLES = {Verdict.LOWER: "green", Verdict.HIGHER: "red", Verdict.TOO_FEW: "yellow"}


def tables(study: Study, width: int = WIDTH_WITHOUT_TERMINAL) -> list[Table | Text]:
    """Returns what a terminal shows: the overview, and each model's tactics if they aren't many.

    Args:
        study: what is shown.
        width: characters that a line has.
    """
    models = {cell.model for cell in (*study.cells, *study.aside)}
    models |= {failure.model for failure in study.failures}
    shown: list[Table | Text] = [overview(study, width)] if study.overall else []
    if len(models) <= DETAILED_MODELS and (study.cells or study.aside or study.failures):
        shown.append(details(study, width))
        shown += [machines_table(each, study, width, wide=width >= WIDE) for each in study.machines]
    return shown or [Text(NOTHING_COMPARED if study.cells or study.aside else NOTHING)]


def overview(study: Study, width: int = WIDTH_WITHOUT_TERMINAL) -> Table:
    """Returns the tactics over the models of each setting, best energy first.

    Args:
        study: what is shown.
        width: characters that a line has; in a narrow one only energy keeps its interval.
    """
    shown = _stack()
    for setting in study.settings:
        lines = [line for line in study.overall if line.setting == setting]
        if not lines:
            continue
        energy = wording.energy_name(cell for cell in study.cells if cell.setting == setting)
        table = _table(f"{setting.name}: times the baseline's, mean over models")
        _add_columns(
            table,
            [
                "tactic",
                "models",
                *(
                    energy if quantity.name == ENERGY else quantity.label
                    for quantity in study.compared
                ),
                "top-1",
                "verdict",
            ],
        )
        for line in lines:
            table.add_row(*_of_line(line, study.compared, width))
        noise = study.noise.get(setting.name)
        if noise:
            table.add_section()
            table.add_row(*_of_noise(noise, study.compared, width))
        shown.add_row(table if width >= WIDE else fitted(table, width))
    if not study.overall:
        shown.add_row(Text(NOTHING_COMPARED if study.cells else NOTHING))
    return shown


def details(study: Study, width: int = WIDTH_WITHOUT_TERMINAL) -> Table:
    """Returns the tactics of each model of each setting, as measured and against its baseline.

    Args:
        study: what is shown.
        width: characters that a line has; in a narrow one ratios have no interval.
    """
    shown = _stack()
    every = [*study.cells, *study.aside]
    for setting in dict.fromkeys(cell.setting for cell in every):
        cells = [cell for cell in every if cell.setting == setting]
        energy = wording.energy_name(cells)
        table = _table(f"{setting.name}: in brackets or below, times the same model's baseline")
        measured = [wording.heading(quantity, energy) for quantity in study.tabled_narrow]
        ending = ["top-1", "images to repay joules", "verdict"]
        _add_columns(table, ["tactic", *measured, *ending])
        for model in dict.fromkeys(cell.model for cell in cells):
            table.add_section()
            table.add_row(Text(model, style="bold"))
            for cell in cells:
                if cell.model == model:
                    table.add_row(*_of_cell(cell, study.tabled_narrow, width))
        noise = study.noise.get(setting.name)
        if noise and not any(line.setting == setting for line in study.overall):
            table.add_section()
            table.add_row(*_of_noise_alone(noise, study.tabled_narrow, width))
        shown.add_row(table if width >= WIDE else fitted(table, width))
    for failure in study.failures:
        shown.add_row(Text(_failed(failure)))
    if not every and not study.failures:
        shown.add_row(Text(NOTHING))
    return shown


def _failed(failure: Failure) -> str:
    """Returns the line of runs that did not end well."""
    times = f" ({failure.runs} runs)" if failure.runs > 1 else ""
    who = f"{failure.model} · {failure.tactic}"
    return printable(f"{who}{times}: {failure.outcome}: {failure.reason}")


def _stack() -> Table:
    return Table.grid(padding=(0, 0, 1, 0))


def _table(title: str) -> Table:
    return Table(
        title=Text(title),  # Text: a name in brackets is no markup
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=0,
        pad_edge=False,
    )


def _add_columns(table: Table, names: Sequence[str]) -> None:
    """Adds them; the first, of names, and the last, of words, may fold."""
    for name in names:
        folds = name in (names[0], names[-1])
        table.add_column(
            Text(name.replace(" ", "\n")),
            justify="left" if folds else "right",
            overflow="fold",
            no_wrap=not folds,
        )


def _of_line(line: Overall, compared: Sequence[Quantity], width: int) -> list[Text]:
    change = line.accuracy
    top1 = wording.points(None if change is None else change.delta)
    span = wording.points_span(None if change is None or width < WIDE else change.interval)
    return [
        Text(line.tactic),
        Text(str(line.models)),
        *_ratios(line.effects, compared, width),
        _beside(top1, span, width),
        _doubted(_verdict(line.effects.get(ENERGY), width), line.doubts),
    ]


def _of_noise(noise: Mapping[str, Effect], compared: Sequence[Quantity], width: int) -> list[Text]:
    verdict = _verdict(noise.get(ENERGY), width)
    return [Text(AGAIN), Text(""), *_ratios(noise, compared, width), Text(""), verdict]


def _of_noise_alone(
    noise: Mapping[str, Effect], tabled: Sequence[Quantity], width: int
) -> list[Text]:
    """Returns the noise as a row of a model's tactics."""
    figures = []
    for quantity in tabled:
        effect = noise.get(quantity.name)
        span = wording.ratio_span(effect) if quantity.name == ENERGY and width >= WIDE else ""
        figures.append(_beside("" if effect is None else wording.ratio(effect), span, width))
    return [Text(AGAIN), *figures, Text(""), Text(""), Text("")]


def _ratios(effects: Mapping[str, Effect], compared: Sequence[Quantity], width: int) -> list[Text]:
    ratios = []
    for quantity in compared:
        effect = effects.get(quantity.name)
        span = wording.ratio_span(effect) if quantity.name == ENERGY or width >= WIDE else ""
        ratios.append(_beside(wording.ratio(effect), span, width))
    return ratios


def _of_cell(cell: Cell, tabled: Sequence[Quantity], width: int) -> list[Text]:
    figures = []
    for name in (quantity.name for quantity in tabled):
        effect = cell.effects.get(name)
        against = "" if effect is None else wording.ratio(effect)
        if name == ENERGY and width >= WIDE:
            against = ", ".join(filter(None, [against, wording.ratio_span(effect)]))
        figures.append(_beside(wording.quantity(cell.quantities.get(name)), against, width))
    top1 = cell.quantities.get("accuracy/top1")
    change = "" if cell.accuracy is None else wording.points(cell.accuracy.delta)
    repaid = cell.paybacks.get("j")
    return [
        Text(cell.tactic),
        *figures,
        _beside(wording.fraction(None if top1 is None else top1.value), change, width),
        _beside("" if cell.is_baseline else wording.repaid(repaid), "", width),
        _remark(cell, width),
    ]


def _remark(cell: Cell, width: int) -> Text:
    """Returns the verdict on a cell, or what stands against it."""
    effect = cell.effects.get(ENERGY)
    alone = cell.is_baseline or (bool(cell.doubts) and not cell.effects)
    return _doubted(Text("") if alone else _verdict(effect, width), cell.doubts)


def _doubted(verdict: Text, doubts: Sequence[str]) -> Text:
    """Returns a verdict with what stands against the runs that it is made of."""
    if not doubts:
        return verdict
    lines = [verdict, Text(", ".join(doubts), style="yellow")]
    return Text("\n").join(line for line in lines if line)


def _verdict(effect: Effect | None, width: int) -> Text:
    if effect is None:
        return Text(wording.ABSENT)
    known = effect.adjusted_p is not None
    p_value = f"p {wording.p_value(effect.adjusted_p)}" if known else ""
    text = _beside(wording.verdict(effect), p_value, width)
    text.stylize(STYLES.get(effect.verdict, ""))
    return text


def _beside(text: str, detail: str, width: int) -> Text:
    """Returns the detail in brackets, or on the next line where there is no room."""
    if width >= WIDE:
        return Text(wording.joined(text, detail))
    return Text("\n".join(filter(None, [text, detail])))
