"""The study as one HTML file: it opens offline and sends no request, by its own policy.

The words stand in `page.html.j2`; figures come drawn. The page has no script but plotly's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.quantities import ENERGY
from greenexp.report.words import captions
from greenexp.report.words import format as wording
from greenexp.report.words import machines as machine_words
from greenexp.report.words.advice import Answer, answer
from greenexp.study.estimates import Effect
from greenexp.study.study import Cell, Overall, Setting, Study
from greenexp.study.verdicts import EnergyBasis, Verdict

if TYPE_CHECKING:
    from markupsafe import Markup

OPEN_MODELS = 1  # with more, each model's tables are folded away
ANSWERED_MODELS = 6  # with more, the advice on each model is
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
# Where a figure stands, by how its name begins; others stand under "More figures".
PLACES = {
    "forest": "overall",
    "pareto": "front",
    "accuracy_vs_energy": "front",
    "catalogue": "models",
    "break_even": "economics",
}
MORE = "more"
BREAK = re.compile(r"([_=+/]|(?<=\w)-)(?=\w)")
NOTHING = "'none'"  # as the policy spells it


@dataclass(frozen=True)
class PageFigure:
    """A figure as it stands on the page.

    Attributes:
        name: says where the figure belongs, see PLACES; its id.
        title: its heading.
        caption: what is seen, and how to read it.
        div: HTML of one plotly figure, without plotly.js; trusted.
    """

    name: str
    title: str
    caption: str
    div: str


@dataclass(frozen=True)
class Model:
    """A model's part of the page: its baseline, if it has one, and its tactics."""

    name: str
    cells: Sequence[Cell]

    @property
    def tactics(self) -> list[Cell]:
        """Those compared with the baseline, best energy first."""
        return [cell for cell in self.cells if not cell.is_baseline]

    @property
    def best(self) -> Cell | None:
        """The tactic that takes the least energy, shown or not; None where none is compared."""
        compared = [cell for cell in self.tactics if ENERGY in cell.effects]
        return min(compared, key=lambda cell: cell.effects[ENERGY].ratio, default=None)


@dataclass(frozen=True)
class Place:
    """A setting's part of the page.

    Attributes:
        setting: which.
        energy: what its energy must be called.
        basis: what its energy is made of; None where none was measured.
        sources: where its energy is from; empty where none was measured.
        overall: its tactics over models.
        noise: its A/A, by metric.
        models: in order.
    """

    setting: Setting
    energy: str
    basis: EnergyBasis | None
    sources: str
    overall: Sequence[Overall]
    noise: dict[str, Effect]
    models: Sequence[Model]


def html(study: Study, figures: Sequence[PageFigure] = ()) -> str:
    """Returns the page, whole.

    Args:
        study: what it says.
        figures: drawn; each goes to its section.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup  # what is wrapped in it is not escaped: plotly's alone

    plotly_js = _plotly_js() if figures else ""
    scripts = [plotly_js] if figures else []
    scripts += [script for figure in figures for script in SCRIPT.findall(_unix(figure.div))]
    placed: dict[str, list[tuple[PageFigure, Markup]]] = {}
    for figure in figures:
        placed.setdefault(place_of(figure.name), []).append((figure, Markup(_unix(figure.div))))
    general, of_models = _advice(study)
    environment = Environment(
        loader=PackageLoader("greenexp.report", "tables"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    page: str = environment.get_template("page.html.j2").render(
        study=study,
        places=_places(study),
        figures=placed,
        plotly_js=Markup(plotly_js),
        policy=policy(scripts),
        general=general,
        of_models=of_models,
        unfold=_models(study) <= OPEN_MODELS,
        aside=_aside(study),
        billed=captions.is_billed(study.cells),
        machines=study.ran_on or sorted({setting.machine for setting in study.settings}),
        w=wording,
        m=machine_words,
        c=captions,
        Verdict=Verdict,
        EnergyBasis=EnergyBasis,
        breakable=breakable,
    )
    return page.lstrip()  # the macros' line ends


def breakable(name: str) -> Markup:
    """Returns a name, escaped, that may be broken after an underscore or a sign."""
    from markupsafe import Markup, escape

    return Markup(BREAK.sub(r"\1<wbr>", str(escape(name))))


def policy(scripts: Sequence[str]) -> str:
    """Returns the page's content security policy: no request, and no scripts but these.

    Scripts are named by their hash, so that even a name that slipped through unescaped could not
    run. Styles are inline, plotly's included; images are data, or drawn by plotly itself.
    """
    digests = [hashlib.sha256(script.encode()).digest() for script in dict.fromkeys(scripts)]
    allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return "; ".join(
        [
            f"default-src {NOTHING}",
            f"script-src {' '.join(allowed or [NOTHING])}",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            f"base-uri {NOTHING}",
            f"form-action {NOTHING}",
        ]
    )


def place_of(name: str) -> str:
    """Returns the section that a figure of this name stands in."""
    return next((place for begin, place in PLACES.items() if name.startswith(begin)), MORE)


def _models(study: Study) -> int:
    return len({cell.model for cell in study.cells})


def _advice(study: Study) -> tuple[list[Answer], list[Answer]]:
    """Returns the answers that stand open, and those of single models that are folded away."""
    small = _models(study) <= ANSWERED_MODELS
    opened = [advice for advice in study.advice if small or advice.model is None]
    folded = [advice for advice in study.advice if not small and advice.model is not None]
    return [answer(advice, study) for advice in opened], [
        answer(advice, study) for advice in folded
    ]


def _aside(study: Study) -> list[tuple[Setting, list[Cell]]]:
    """Returns the cells that no comparison is made with, by setting."""
    return [
        (setting, [cell for cell in study.aside if cell.setting == setting])
        for setting in dict.fromkeys(cell.setting for cell in study.aside)
    ]


def _places(study: Study) -> list[Place]:
    places = []
    for setting in study.settings:
        cells = [cell for cell in study.cells if cell.setting == setting]
        places.append(
            Place(
                setting=setting,
                energy=wording.energy_name(cells),
                basis=wording.basis(cells),
                sources="; ".join(wording.sources(cells)),
                overall=[line for line in study.overall if line.setting == setting],
                noise=dict(study.noise.get(setting.name, {})),
                models=[
                    Model(name, [cell for cell in cells if cell.model == name])
                    for name in dict.fromkeys(cell.model for cell in cells)
                ],
            )
        )
    return places


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return _unix(get_plotlyjs())


def _unix(text: str) -> str:
    """Returns it with the line ends that a browser hashes."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
