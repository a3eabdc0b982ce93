"""What is asked of which runs, and where its report stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from greenexp.report.asked import Asked, asked, folder_of
from greenexp.runs.run import Run
from tests.support.synthetic_runs import rows, runs_of

FIRST, SECOND = "2026-01-01/08-00-00", "2026-01-02/09-30-00"


def run(model: str, sweep: str | None, started: str, **report: Any) -> Run:
    (plain,) = runs_of(rows([model], {}, blocks=1, aa=False))
    configuration = {**plain.configuration, "report": report}
    return replace(
        plain, id=f"{model}/{sweep}", sweep=sweep, started=started, configuration=configuration
    )


RUNS = [
    run("vit", FIRST, "2026-01-01T08:10:00", max_top1_drop=0.05, months=3.0),
    run("swin", FIRST, "2026-01-01T08:20:00", max_top1_drop=0.05, months=3.0),
    run("vit", SECOND, "2026-01-02T09:40:00", max_top1_drop=0.02, keep_flagged=True),
    run("vit", None, "2026-01-01T07:00:00"),
]


def ids(of: Asked) -> set[str]:
    return {each.id for each in of.runs}


def test_what_is_not_given_is_what_the_latest_sweep_was_given() -> None:
    of = asked(RUNS, {"requests_per_month": 5e6})
    assert (of.options.max_top1_drop, of.options.requests_per_month) == (0.02, 5e6)
    assert of.options.keep_flagged
    assert of.options.months == 12.0
    assert of.remembered == (
        f"report.max_top1_drop=0.02 and report.keep_flagged=true are from the sweep {SECOND}."
    )


def test_what_is_given_stands_though_it_is_the_usual_value() -> None:
    of = asked(RUNS, {"max_top1_drop": 0.01, "keep_flagged": False})
    assert (of.options.max_top1_drop, of.options.keep_flagged) == (0.01, False)
    assert of.remembered == ""


def test_usual_settings_of_a_sweep_are_not_told() -> None:
    assert asked([run("vit", FIRST, "2026", max_top1_drop=0.01)], {}).remembered == ""
    assert asked([], {}).remembered == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"model": "swin"}, [f"swin/{FIRST}"]),
        ({"model": ["swin", "vit"]}, [each.id for each in RUNS]),
        ({"sweep": SECOND}, [f"vit/{SECOND}"]),
        ({"sweep": "last"}, [f"vit/{SECOND}"]),
        ({"sweep": "2026-01-01"}, [f"vit/{FIRST}", f"swin/{FIRST}"]),
        ({"sweep": "2026-01"}, [f"vit/{FIRST}", f"swin/{FIRST}", f"vit/{SECOND}"]),
        ({"model": "swin", "sweep": "last"}, [f"swin/{FIRST}"]),
    ],
    ids=str,
)
def test_report_is_limited_to_models_and_sweeps(given: dict[str, Any], expected: list[str]) -> None:
    of = asked(RUNS, given)
    assert ids(of) == set(expected)
    assert {each.id for each in of.others} == {each.id for each in RUNS} - set(expected)


def test_settings_are_those_of_the_sweep_that_is_asked_for() -> None:
    assert asked(RUNS, {"sweep": FIRST}).options.months == 3.0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"model": "vitt"},
            "report.model=vitt is of no run; allowed: swin, vit. Did you mean vit?",
        ),
        ({"sweep": "2027"}, f"report.sweep=2027 is of no run; allowed: {FIRST}, {SECOND}, last."),
        ({"model": []}, "report.model=[] names nothing"),
        ({"max_top1_drop": 1.0}, "one point is 0.01"),
    ],
    ids=str,
)
def test_what_no_run_is_of_is_refused(
    given: dict[str, Any], words: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    assert words in refusal(lambda: asked(RUNS, given))


@pytest.mark.parametrize(
    ("overrides", "folder"),
    [
        ([], ""),
        (["tracking.journal=mine", "tracking.timeout_s=3"], ""),
        (["report.model=vit", "report.max_top1_drop=0.02"], "max_top1_drop=0.02,model=vit"),
        (["report.max_top1_drop=0.02", "report.model=vit"], "max_top1_drop=0.02,model=vit"),
        (["hardware=aws_g6_xlarge"], "hardware=aws_g6_xlarge"),
        (["journal=[a/b,../c]"], "journal=-a-b,..-c"),
        (
            ["tracking.uri=http://bob:hunter2@host:5000/x"],
            "tracking.uri=http-host-5000-x",
        ),
    ],
    ids=str,
)
def test_each_question_has_a_folder_of_its_own(overrides: list[str], folder: str) -> None:
    of = folder_of(Path("report"), overrides)
    assert of == Path("report") / folder
    assert "hunter" not in str(of)


def test_long_questions_have_short_names_of_their_own() -> None:
    models = [f"report.model=[{','.join(f'model_{n}' for n in range(many))}]" for many in (40, 41)]
    first, second = (folder_of(Path(), [model]).name for model in models)
    assert first != second
    assert len(first) == len(second) == 80
